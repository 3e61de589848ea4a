// Decimal texts of integers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace idgen::core {

inline constexpr size_t kDecimalBytes = 20;  // of any int64_t, sign included

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

// One or more digits and nothing else, leading zeros allowed, of a number up to `max`. False otherwise; `*number` is
// then unchanged.
inline bool ReadDigits(std::string_view text, int64_t max, int64_t* number) noexcept {
  int64_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return false;
    const int64_t digit = c - '0';
    if (digit > max || value > (max - digit) / 10) return false;
    value = value * 10 + digit;
  }
  if (text.empty()) return false;
  *number = value;
  return true;
}

// A number of 0 or more in exactly the form that WriteDecimal gives it. False otherwise.
inline bool ReadDecimal(std::string_view text, int64_t* number) noexcept {
  return (text.size() == 1 || !text.starts_with('0')) && ReadDigits(text, INT64_MAX, number);
}

}  // namespace idgen::core
