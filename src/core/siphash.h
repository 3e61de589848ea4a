// SipHash-2-4 with 128 bits of output (Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012): a hash for
// which nobody can construct collisions without knowing the key.
#pragma once

#include <bit>
#include <cstdint>
#include <string_view>

namespace idgen::core {

struct SipKey {
  uint64_t low = 0;
  uint64_t high = 0;
};

struct SipHash {
  uint64_t low = 0;
  uint64_t high = 0;
};

constexpr SipHash SipHash128(std::string_view text, const SipKey& key) noexcept {
  uint64_t v0 = key.low ^ 0x736F6D6570736575, v1 = key.high ^ 0x646F72616E646F6D ^ 0xEE;
  uint64_t v2 = key.low ^ 0x6C7967656E657261, v3 = key.high ^ 0x7465646279746573;
  const auto mix = [&](int rounds) {
    while (rounds-- > 0) {
      v0 += v1;
      v1 = std::rotl(v1, 13) ^ v0;
      v0 = std::rotl(v0, 32);
      v2 += v3;
      v3 = std::rotl(v3, 16) ^ v2;
      v0 += v3;
      v3 = std::rotl(v3, 21) ^ v0;
      v2 += v1;
      v1 = std::rotl(v1, 17) ^ v2;
      v2 = std::rotl(v2, 32);
    }
  };
  const auto add = [&](uint64_t word) {
    v3 ^= word;
    mix(2);
    v0 ^= word;
  };
  uint64_t word = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    word |= uint64_t{static_cast<unsigned char>(text[i])} << 8 * (i % 8);
    if (i % 8 != 7) continue;
    add(word);
    word = 0;
  }
  add(word | uint64_t{text.size()} << 56);
  v2 ^= 0xEE;
  mix(4);
  SipHash hash = {.low = v0 ^ v1 ^ v2 ^ v3};
  v1 ^= 0xDD;
  mix(4);
  hash.high = v0 ^ v1 ^ v2 ^ v3;
  return hash;
}

}  // namespace idgen::core
