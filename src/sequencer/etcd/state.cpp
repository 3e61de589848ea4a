// Carrying out operations.
#include "sequencer/etcd/state.h"

#include <algorithm>

namespace idgen::sequencer {
namespace {

using Kind = Operation::Kind;
using Outcome = Answer::Outcome;

// A record that somebody else has written may have counted as far as it goes; then it stays there.
int64_t Later(int64_t generation) noexcept { return generation < INT64_MAX ? generation + 1 : generation; }

// Sets the state to the last of the values that are granted.
void Give(bool is_granted, int64_t last, SequenceState* state, Answer* answer) noexcept {
  if (!is_granted) {
    answer->outcome = Outcome::kMisread;
    return;
  }
  state->has_value = true;
  state->last = last;
}

void Next(const Operation& operation, bool cycle, SequenceState* state, Answer* answer) noexcept {
  const Definition& definition = operation.definition;
  const int64_t count = operation.count, step = definition.step, before = state->last;
  const bool is_fresh = !state->has_value || (definition.Before() >= 0 && before < definition.Before());
  if (is_fresh && count <= CountOf(definition)) {
    const int64_t last = definition.start + (count - 1) * step;
    return Give(GrantUpTo(definition, count, last, &answer->grant), last, state, answer);
  }
  int64_t amount;
  const bool can_add = !__builtin_mul_overflow(count, step, &amount) && amount <= definition.max_value;
  if (!is_fresh && can_add && before <= definition.max_value - amount)
    return Give(GrantUpTo(definition, count, before + amount, &answer->grant), before + amount, state, answer);
  if (!state->has_value || !cycle) {
    answer->outcome = Outcome::kFull;
    answer->had = state->has_value;
    answer->last = state->has_value ? before : 0;
    return;
  }
  state->generation = Later(state->generation);
  const int64_t left = before <= definition.max_value ? (definition.max_value - before) / step : 0;
  const int64_t given = std::min(left, count - 1);
  const int64_t last = definition.start + (count - given - 1) * step;
  Give(GrantAround(definition, count, before, given, last, &answer->grant), last, state, answer);
}

int64_t NewGeneration(const Operation& operation, const SequenceState& state) noexcept {
  return Later(std::max(operation.mark.generation, state.generation));
}

void Raise(const Operation& operation, SequenceState* state, Answer* answer) noexcept {
  if (state->generation <= operation.mark.generation) {
    if (!state->has_value || state->last == operation.value || state->last <= operation.mark.value) {
      state->has_value = true;
      state->last = operation.mark.value;
    }
    state->generation = operation.mark.generation;
  }
  Next(operation, false, state, answer);
  if (answer->outcome != Outcome::kOk) return;
  answer->generation = state->generation;
  answer->had = answer->generation <= operation.mark.generation;
}

}  // namespace

void Apply(const Operation& operation, SequenceState* state, Answer* answer) noexcept {
  answer->outcome = Outcome::kOk;
  switch (operation.kind) {
    case Kind::kNext:
      Next(operation, operation.definition.cycle, state, answer);
      if (answer->outcome == Outcome::kOk && operation.with_generation) answer->generation = state->generation;
      break;
    case Kind::kSegment:
      Next(operation, false, state, answer);
      if (answer->outcome == Outcome::kOk) answer->generation = state->generation;
      break;
    case Kind::kRaise: Raise(operation, state, answer); break;
    case Kind::kSet:
    case Kind::kSetIfNone:
      answer->had = operation.kind == Kind::kSet || !state->has_value;
      if (answer->had)
        *state = {.has_value = true, .last = operation.value, .generation = NewGeneration(operation, *state)};
      answer->generation = state->generation;
      break;
    case Kind::kDrop:
      answer->had = state->has_value;
      *state = {.has_value = false, .last = 0, .generation = NewGeneration(operation, *state)};
      answer->generation = state->generation;
      break;
    case Kind::kPeek:
      answer->had = state->has_value;
      answer->last = state->has_value ? state->last : 0;
      break;
    case Kind::kWriter:
    case Kind::kReturn: answer->outcome = Outcome::kMisread; break;
  }
}

}  // namespace idgen::sequencer
