// How high a ceiling is set, and when it is raised.
#pragma once

#include <algorithm>
#include <cstdint>

namespace idgen::core {

struct CeilingRule {
  int64_t max_ahead_ms = 0;
  int64_t window_ms = 0;

  // Derived from the id clock, never from `next`: ids that run ahead must not raise their own limit.
  constexpr int64_t Target(int64_t old_ceiling_ms, int64_t id_clock_ms) const noexcept {
    return std::max(old_ceiling_ms, id_clock_ms + max_ahead_ms + window_ms);
  }
  // True once half of the window is used up.
  constexpr bool Due(int64_t ceiling_ms, int64_t id_clock_ms) const noexcept {
    return ceiling_ms - (id_clock_ms + max_ahead_ms) < window_ms / 2;
  }
};

}  // namespace idgen::core
