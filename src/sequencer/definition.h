// What a sequencer is: its values start, start + step, … up to max_value, whether it cycles, and how long a key lives.
// Pure arithmetic, exact up to 2^63 - 1.
#pragma once

#include <cstdint>

namespace idgen::sequencer {

inline constexpr int64_t kMaxValue = INT64_MAX;
inline constexpr int64_t kMaxTtlMs = int64_t{36500} * 24 * 3600 * 1000;
inline constexpr int64_t kMaxCount = 1000000;  // of values in one operation
inline constexpr int32_t kMaxCache = 1000000;  // of values in a server's segment

struct Definition {
  int64_t start = 1;
  int64_t step = 1;
  int64_t max_value = kMaxValue;
  bool cycle = false;
  int64_t ttl_ms = 0;    // 0: keys live until they are dropped
  bool sliding = false;  // the TTL restarts with every use; otherwise it runs from the first
  int32_t cache = 1;     // maximum number of values in a segment; 1: no segments

  bool operator==(const Definition&) const = default;

  // The value before the first one. Negative if the first is smaller than the step.
  constexpr int64_t Before() const noexcept { return start - step; }
  // Redis' own INCRBY is enough: it takes a missing key for 0, and refuses to go past 2^63 - 1.
  constexpr bool IsPlain() const noexcept { return start == step && max_value == kMaxValue && !cycle && ttl_ms == 0; }
  // Whether servers fetch segments of values, instead of asking the store in every call.
  constexpr bool HasSegments() const noexcept { return cache > 1; }
};

enum class Fault : uint8_t { kNone, kStep, kStart, kMaxBelowStart, kMaxBelowStep, kTtl, kCache, kSegments };

Fault Validate(const Definition& definition) noexcept;

// How many values there are from start to max_value; 2^63 - 1 for 2^63 values.
int64_t CountOf(const Definition& definition) noexcept;

// How many values are left after `last`, a value given or set; 0 if it is past the maximum.
int64_t LeftAfter(const Definition& definition, int64_t last) noexcept;

// Whether a value may be set: it is not past the maximum, and the value after it is at least start.
bool MaySet(const Definition& definition, int64_t value) noexcept;

// Values that the store gave in one operation, in order. They may wrap around once.
struct Grant {
  int64_t first = 0;  // of `unbroken` values, a step apart
  int64_t step = 1;
  int64_t count = 0;
  int64_t unbroken = 0;
  int64_t start = 0;  // of the others, after the wrap

  constexpr int64_t Value(int64_t index) const noexcept {
    return index < unbroken ? first + index * step : start + (index - unbroken) * step;
  }
};

// The grant of `count` values that ends with `last`, without a wrap. False if the definition allows no such grant.
bool GrantUpTo(const Definition& definition, int64_t count, int64_t last, Grant* grant) noexcept;

// The grant of `count` values after `before` that ends with `last`, `unbroken` of them before the wrap. False if the
// definition allows no such grant.
bool GrantAround(const Definition& definition, int64_t count, int64_t before, int64_t unbroken, int64_t last,
                 Grant* grant) noexcept;

}  // namespace idgen::sequencer
