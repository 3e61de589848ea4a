// What src/sequencer/redis/script.h does, once more, on plain data and without a Redis: so that a store can be copied,
// emptied and set back. Keys without a TTL. conformance.cpp holds the two against each other.
#pragma once

#include <cstdint>

#include "sequences/breaks.h"
#include "sequencer/operation.h"

namespace idgen::sim::sequences {

struct KeyState {
  bool there = false;
  int64_t value = 0;
  int64_t generation = 0;  // 0: missing
  int64_t number = 0;      // of the segment that was taken last; 0: missing
  uint64_t reset = 0;      // which event set or dropped it last, or restarted its cycle: no script knows that

  bool operator==(const KeyState&) const = default;
};

// The answer, and the state changed. `now_us` is TIME, which moves from one call to the next; `writer` is who the Redis
// is.
sequencer::Answer Apply(KeyState& state, const sequencer::Operation& operation, int64_t now_us, uint64_t writer,
                        const Breaks& breaks);

}  // namespace idgen::sim::sequences
