// Everything random in a simulation comes from one seed. xoshiro256** (Blackman and Vigna), seeded by splitmix64.
// Each user has its own stream, so that removing a fault changes nothing for those that it did not affect.
#pragma once

#include <cmath>
#include <cstdint>

namespace idgen::sim {

enum class Stream : uint64_t { kPlan, kFaults, kFault, kWorld, kServer, kActor, kLink, kStandby };

class Random {
 public:
  Random(uint64_t seed, Stream stream, uint64_t who = 0) noexcept
      : Random(seed * 0xff51afd7ed558ccd ^ (static_cast<uint64_t>(stream) + 1) << 56 ^ who) {}
  explicit Random(uint64_t seed) noexcept {
    for (uint64_t& word : state_) {
      seed += 0x9e3779b97f4a7c15;
      uint64_t z = seed;
      z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
      z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
      word = z ^ (z >> 31);
    }
  }

  uint64_t Next() noexcept {
    const uint64_t result = Rotated(state_[1] * 5, 7) * 9;
    const uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = Rotated(state_[3], 45);
    return result;
  }
  uint64_t Below(uint64_t bound) noexcept {
    return static_cast<uint64_t>((static_cast<__uint128_t>(Next()) * bound) >> 64);
  }
  // Both ends included.
  int64_t Between(int64_t low, int64_t high) noexcept {
    return low + static_cast<int64_t>(Below(static_cast<uint64_t>(high - low) + 1));
  }
  double Unit() noexcept { return static_cast<double>(Next() >> 11) * 0x1p-53; }
  bool Chance(double probability) noexcept { return probability > 0 && Unit() < probability; }
  int64_t Exponential(int64_t mean) noexcept {
    return static_cast<int64_t>(-std::log(1 - Unit()) * static_cast<double>(mean));
  }
  // Spread evenly over the orders of magnitude.
  int64_t LogBetween(int64_t low, int64_t high) noexcept {
    const auto from = static_cast<double>(low);
    return static_cast<int64_t>(from * std::exp2(std::log2(static_cast<double>(high) / from) * Unit()));
  }

 private:
  static uint64_t Rotated(uint64_t word, int by) noexcept { return word << by | word >> (64 - by); }

  uint64_t state_[4];
};

}  // namespace idgen::sim
