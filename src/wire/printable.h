// Text from outside, in any encoding or none, as one line that is safe in a message, a log, a terminal and a column of
// any encoding.
#pragma once

#include <cstddef>
#include <cstring>
#include <string_view>

namespace idgen::wire {

// The capacity that any text of `size` bytes needs.
constexpr size_t PrintableBytes(size_t size) noexcept { return 4 * size + 1; }

// Writes to `out`, of `capacity` bytes, at least 1: printable ASCII as it is, every other byte as \xNN. Ends in a zero.
// Cuts off what does not fit, never within a \xNN. Returns the length. Writing the result again does not change it.
size_t WritePrintable(std::string_view text, char* out, size_t capacity) noexcept;

template <size_t kCapacity>
size_t WritePrintable(std::string_view text, char (&out)[kCapacity]) noexcept {
  return WritePrintable(text, out, kCapacity);
}

// The same in place, for a text that ends in a zero.
template <size_t kCapacity>
void MakePrintable(char (&text)[kCapacity]) noexcept {
  char raw[kCapacity];
  memcpy(raw, text, kCapacity);
  WritePrintable(std::string_view(raw, strnlen(raw, kCapacity)), text);
}

}  // namespace idgen::wire
