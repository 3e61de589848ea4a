// Base64 as etcd's gateway reads and writes it: the standard alphabet, with padding.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace idgen::sim {

inline constexpr std::string_view kBase64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

inline void AppendBase64(std::string_view bytes, std::string* out) {
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t count = std::min<size_t>(3, bytes.size() - i);
    uint32_t word = 0;
    for (size_t k = 0; k < 3; ++k) word = word << 8 | (k < count ? static_cast<unsigned char>(bytes[i + k]) : 0);
    for (size_t k = 0; k < 4; ++k) *out += k <= count ? kBase64[word >> (18 - 6 * k) & 63] : '=';
  }
}

inline bool FromBase64(std::string_view text, std::string* bytes) {
  if (text.size() % 4 != 0) return false;
  for (size_t i = 0; i < text.size(); i += 4) {
    uint32_t word = 0;
    size_t count = 0;
    for (; count < 4 && text[i + count] != '='; ++count) {
      const size_t digit = kBase64.find(text[i + count]);
      if (digit == std::string_view::npos) return false;
      word |= static_cast<uint32_t>(digit) << (18 - 6 * count);
    }
    if (count < 4 && (count < 2 || i + 4 != text.size() || text[i + 3] != '=')) return false;
    for (size_t k = 0; k + 1 < count; ++k) *bytes += static_cast<char>(word >> (16 - 8 * k) & 255);
  }
  return true;
}

}  // namespace idgen::sim
