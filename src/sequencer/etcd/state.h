// The rules of a sequence, as pure functions: what an operation makes of the last value and the generation.
// redis/script.h has the same rules for Redis; a unit test compares both on random operations.
#pragma once

#include "sequencer/operation.h"

namespace idgen::sequencer {

struct SequenceState {
  bool has_value = false;
  int64_t last = 0;        // the last value given, or set
  int64_t generation = 0;  // counts sets, drops and restarts of the cycle

  bool operator==(const SequenceState&) const = default;
};

// Carries out the operation, which is not kWriter or kReturn: changes the state and completes a fresh answer, but for
// the numbers of segments, which only the store knows. A state that has not changed does not have to be written.
void Apply(const Operation& operation, SequenceState* state, Answer* answer) noexcept;

}  // namespace idgen::sequencer
