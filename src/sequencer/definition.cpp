// Validating definitions, and computing grants.
#include "sequencer/definition.h"

#include <algorithm>

namespace idgen::sequencer {
namespace {

// a + b * c; false if that is no bigint. b and c are not negative.
bool Reach(int64_t a, int64_t b, int64_t c, int64_t* sum) noexcept {
  int64_t product;
  return !__builtin_mul_overflow(b, c, &product) && !__builtin_add_overflow(a, product, sum);
}

}  // namespace

Fault Validate(const Definition& definition) noexcept {
  if (definition.step < 1) return Fault::kStep;
  if (definition.start < 0) return Fault::kStart;
  if (definition.max_value < definition.start) return Fault::kMaxBelowStart;
  if (definition.max_value < definition.step) return Fault::kMaxBelowStep;
  if (definition.ttl_ms < 0 || definition.ttl_ms > kMaxTtlMs) return Fault::kTtl;
  if (definition.cache < 1 || definition.cache > kMaxCache) return Fault::kCache;
  if (definition.HasSegments() && (definition.cycle || definition.ttl_ms > 0)) return Fault::kSegments;
  return Fault::kNone;
}

int64_t CountOf(const Definition& definition) noexcept {
  const int64_t steps = (definition.max_value - definition.start) / definition.step;
  return steps == INT64_MAX ? steps : steps + 1;
}

int64_t LeftAfter(const Definition& definition, int64_t last) noexcept {
  if (last < definition.Before()) return CountOf(definition);
  if (last >= definition.max_value) return 0;
  // Below start, `last` may be negative, and the difference more than a bigint holds.
  const uint64_t left = (static_cast<uint64_t>(definition.max_value) - static_cast<uint64_t>(last)) /
                        static_cast<uint64_t>(definition.step);
  return static_cast<int64_t>(std::min<uint64_t>(left, INT64_MAX));
}

bool MaySet(const Definition& definition, int64_t value) noexcept {
  return value >= 0 && value >= definition.Before() && value <= definition.max_value;
}

bool GrantUpTo(const Definition& definition, int64_t count, int64_t last, Grant* grant) noexcept {
  if (count < 1 || last < definition.start || last > definition.max_value) return false;
  int64_t first;
  if (!Reach(0, count - 1, definition.step, &first)) return false;
  first = last - first;
  if (first < definition.start) return false;
  *grant = {.first = first, .step = definition.step, .count = count, .unbroken = count, .start = definition.start};
  return true;
}

bool GrantAround(const Definition& definition, int64_t count, int64_t before, int64_t unbroken, int64_t last,
                 Grant* grant) noexcept {
  if (!definition.cycle || before < 0 || before < definition.Before() || unbroken < 0 || unbroken >= count)
    return false;
  int64_t next;
  // Before the wrap come exactly the values that were left: one more would be past the maximum.
  if (unbroken > 0 && (!Reach(before, unbroken, definition.step, &next) || next > definition.max_value)) return false;
  if (Reach(before, unbroken + 1, definition.step, &next) && next <= definition.max_value) return false;
  if (!Reach(definition.start, count - unbroken - 1, definition.step, &next) || next != last ||
      next > definition.max_value)
    return false;
  *grant = {.first = unbroken > 0 ? before + definition.step : definition.start,
            .step = definition.step,
            .count = count,
            .unbroken = unbroken,
            .start = definition.start};
  return true;
}

}  // namespace idgen::sequencer
