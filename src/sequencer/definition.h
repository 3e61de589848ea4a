// What a sequencer is: its values start, start + step, … up to max_value, whether it begins again there, and how long a
// key lives. Pure arithmetic, exact up to 2^63 - 1.
#pragma once

#include <cstdint>

namespace idgen::sequencer {

inline constexpr int64_t kMaxValue = INT64_MAX;
inline constexpr int64_t kMaxTtlMs = int64_t{36500} * 24 * 3600 * 1000;
inline constexpr int64_t kMaxCount = 1000000;  // of values in one step
inline constexpr int32_t kMaxCache = 1000000;  // of values in a server's segment

struct Definition {
  int64_t start = 1;
  int64_t step = 1;
  int64_t max_value = kMaxValue;
  bool cycle = false;
  int64_t ttl_ms = 0;    // 0: keys live until they are dropped
  bool sliding = false;  // the TTL begins anew with every use, not only with the first
  int32_t cache = 1;     // the most values of a segment; 1: none are taken

  bool operator==(const Definition&) const = default;

  // The value before the first one. Negative where the first is smaller than the step.
  constexpr int64_t Before() const noexcept { return start - step; }
  // No rule needs more than the store's own INCRBY: a missing key counts as 0, and it refuses to pass 2^63 - 1.
  constexpr bool IsPlain() const noexcept { return start == step && max_value == kMaxValue && !cycle && ttl_ms == 0; }
  // Whether servers take segments of values, rather than a step in the store for every call.
  constexpr bool HasSegments() const noexcept { return cache > 1; }
};

enum class Fault : uint8_t { kNone, kStep, kStart, kMaxBelowStart, kMaxBelowStep, kTtl, kCache, kSegments };

Fault Judge(const Definition& definition) noexcept;

// How many values there are from start to max_value. Saturates: 2^63 values are said to be 2^63 - 1.
int64_t CountOf(const Definition& definition) noexcept;

// How many are left after `last`, a value given or set; 0 where it is past the maximum.
int64_t LeftAfter(const Definition& definition, int64_t last) noexcept;

// Whether a value may be set: the next one is then at least start, and none is past the maximum.
bool MaySet(const Definition& definition, int64_t value) noexcept;

// Values that were given in one step, in their order: they may go round once.
struct Grant {
  int64_t first = 0;  // of `unbroken` that follow by step
  int64_t step = 1;
  int64_t count = 0;
  int64_t unbroken = 0;
  int64_t start = 0;  // of the others

  constexpr int64_t Value(int64_t index) const noexcept {
    return index < unbroken ? first + index * step : start + (index - unbroken) * step;
  }
};

// The grant of `count` values of which the last is `last`, none past the maximum. False where it can't be one.
bool GrantUpTo(const Definition& definition, int64_t count, int64_t last, Grant* grant) noexcept;

// The grant of `count` values after `before`, of which `unbroken` came before the sequencer began again, with `last` as
// the last. False where it can't be one.
bool GrantAround(const Definition& definition, int64_t count, int64_t before, int64_t unbroken, int64_t last,
                 Grant* grant) noexcept;

}  // namespace idgen::sequencer
