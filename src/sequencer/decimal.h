// Decimal texts of numbers, as the store has them: no zeros in front, no plus.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace idgen::sequencer {

inline constexpr size_t kDecimalBytes = 20;  // of any 64-bit number

// Writes at most kDecimalBytes, no terminating zero; returns the end.
inline char* WriteDecimal(char* at, int64_t number) noexcept {
  char digits[kDecimalBytes];
  size_t count = 0;
  uint64_t left = number < 0 ? uint64_t{0} - static_cast<uint64_t>(number) : static_cast<uint64_t>(number);
  do {
    digits[count++] = static_cast<char>('0' + left % 10);
    left /= 10;
  } while (left != 0);
  if (number < 0) *at++ = '-';
  while (count > 0) *at++ = digits[--count];
  return at;
}

// A number of 0 or more in just the form that WriteDecimal gives it. False for anything else, and above 2^63 - 1.
inline bool ReadDecimal(std::string_view text, int64_t* number) noexcept {
  if (text.empty() || text.size() > 19 || (text[0] == '0' && text.size() > 1)) return false;
  uint64_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return false;
    value = value * 10 + static_cast<uint64_t>(c - '0');
  }
  *number = static_cast<int64_t>(value);
  return value <= static_cast<uint64_t>(INT64_MAX);
}

}  // namespace idgen::sequencer
