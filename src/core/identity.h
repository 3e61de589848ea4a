// A server's identity in one 64-bit word, so that it is read and written atomically: the ceiling (44 bits of Unix
// milliseconds, until the year 2527) and the worker (20 bits). The word 0 is no identity.
#pragma once

#include <algorithm>
#include <cstdint>

namespace idgen::core {

inline constexpr unsigned kWorkerBits = 20;
inline constexpr uint32_t kMaxWorker = (uint32_t{1} << kWorkerBits) - 1;
inline constexpr int64_t kMaxCeilingMs = (int64_t{1} << 44) - 1;

class Identity {
 public:
  constexpr Identity() noexcept = default;
  constexpr explicit Identity(uint64_t word) noexcept : word_(word) {}

  // No identity if the worker does not fit. The ceiling is clamped into its range, which at worst refuses ids sooner;
  // it is at least 1, so that the word is not 0.
  static constexpr Identity Of(uint32_t worker, int64_t ceiling_ms) noexcept {
    if (worker > kMaxWorker) return Identity();
    const int64_t ceiling = std::clamp<int64_t>(ceiling_ms, 1, kMaxCeilingMs);
    return Identity(static_cast<uint64_t>(ceiling) << kWorkerBits | worker);
  }

  constexpr explicit operator bool() const noexcept { return word_ != 0; }
  constexpr uint64_t word() const noexcept { return word_; }
  constexpr uint32_t worker() const noexcept { return static_cast<uint32_t>(word_) & kMaxWorker; }
  constexpr int64_t ceiling_ms() const noexcept { return static_cast<int64_t>(word_ >> kWorkerBits); }

 private:
  uint64_t word_ = 0;
};

}  // namespace idgen::core
