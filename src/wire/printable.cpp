// Escaping what is not printable ASCII.
#include "wire/printable.h"

namespace idgen::wire {

size_t WritePrintable(std::string_view text, char* out, size_t capacity) noexcept {
  constexpr char kDigits[] = "0123456789abcdef";
  size_t size = 0;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool is_printable = byte >= ' ' && byte < 127;
    if (size + (is_printable ? 1 : 4) >= capacity) break;
    if (is_printable) {
      out[size++] = c;
      continue;
    }
    out[size++] = '\\';
    out[size++] = 'x';
    out[size++] = kDigits[byte >> 4];
    out[size++] = kDigits[byte & 15];
  }
  out[size] = '\0';
  return size;
}

}  // namespace idgen::wire
