// The operations, in the script's order.
#include "sequences/store_model.h"

namespace idgen::sim::sequences {
namespace {

using sequencer::Answer;
using sequencer::Definition;
using sequencer::Operation;
using Kind = Operation::Kind;
using Outcome = Answer::Outcome;

void RaiseGeneration(KeyState& state, int64_t now_ms, const Breaks& breaks) {
  if (breaks.generation_counts || state.generation >= now_ms)
    ++state.generation;
  else
    state.generation = now_ms;
}

void Next(KeyState& state, const Operation& operation, bool cycle, int64_t now_ms, const Breaks& breaks,
          Answer* answer) {
  const Definition& definition = operation.definition;
  const int64_t count = operation.count, step = definition.step;
  answer->outcome = Outcome::kOk;
  const bool fresh = !state.there || (definition.Before() >= 0 && state.value < definition.Before());
  if (fresh && count <= sequencer::CountOf(definition)) {
    state.there = true;
    state.value = definition.start + (count - 1) * step;
    if (!sequencer::GrantUpTo(definition, count, state.value, &answer->grant)) answer->outcome = Outcome::kMisread;
    return;
  }
  int64_t amount;
  const bool fits = !__builtin_mul_overflow(count, step, &amount) && amount <= definition.max_value;
  if (!fresh && fits && state.value <= definition.max_value - amount) {
    state.value += amount;
    if (!sequencer::GrantUpTo(definition, count, state.value, &answer->grant)) answer->outcome = Outcome::kMisread;
    return;
  }
  if (!state.there || !cycle) {
    answer->outcome = Outcome::kFull;
    answer->had = state.there;
    answer->last = state.there ? state.value : 0;
    return;
  }
  RaiseGeneration(state, now_ms, breaks);
  const int64_t before = state.value;
  int64_t given = 0;
  while (given < count - 1 && before <= definition.max_value - (given + 1) * step) ++given;
  state.value = definition.start + (count - given - 1) * step;
  if (!sequencer::GrantAround(definition, count, before, given, state.value, &answer->grant))
    answer->outcome = Outcome::kMisread;
}

void Raise(KeyState& state, const Operation& operation, int64_t now_ms, const Breaks& breaks, Answer* answer) {
  if (state.generation <= operation.mark.generation || breaks.raise_undoes_set) {
    const bool raises = !state.there || state.value == operation.value || state.value <= operation.mark.value;
    if ((raises || breaks.raise_lowers) && !breaks.raise_not_at_all) {
      state.there = true;
      state.value = operation.mark.value;
    }
    if (!breaks.raise_forgets_generation) state.generation = operation.mark.generation;
  }
  Next(state, operation, false, now_ms, breaks, answer);
  if (answer->outcome != Outcome::kOk) return;
  answer->generation = state.generation;
  answer->had = answer->generation <= operation.mark.generation;
}

void Number(KeyState& state, int64_t now_us, Answer* answer) {
  if (answer->outcome != Outcome::kOk) return;
  answer->number_before = state.number;
  answer->number = state.number = now_us;
}

}  // namespace

Answer Apply(KeyState& state, const Operation& operation, int64_t now_us, uint64_t writer, const Breaks& breaks) {
  const int64_t now_ms = now_us / 1000;
  Answer answer;
  answer.outcome = Outcome::kOk;
  switch (operation.kind) {
    case Kind::kNext:
      Next(state, operation, operation.definition.cycle, now_ms, breaks, &answer);
      if (answer.outcome == Outcome::kOk && operation.with_generation) answer.generation = state.generation;
      break;
    case Kind::kSegment:
      Next(state, operation, false, now_ms, breaks, &answer);
      if (answer.outcome == Outcome::kOk) answer.generation = state.generation;
      Number(state, now_us, &answer);
      break;
    case Kind::kSet:
    case Kind::kSetIfNone:
      if (operation.kind == Kind::kSetIfNone && state.there && !breaks.set_if_none_sets) {
        answer.generation = state.generation;
        break;
      }
      if (!breaks.set_keeps_generation) RaiseGeneration(state, now_ms, breaks);
      state.there = true;
      state.value = operation.value;
      answer.had = true;
      answer.generation = state.generation;
      break;
    case Kind::kDrop:
      answer.had = state.there;
      if (!breaks.drop_keeps_generation) RaiseGeneration(state, now_ms, breaks);
      answer.generation = state.generation;
      if (breaks.drop_forgets_generation) state.generation = 0;
      state.there = false;
      state.value = 0;
      break;
    case Kind::kPeek:
      answer.had = state.there;
      answer.last = state.value;
      break;
    case Kind::kWriter: answer.writer = writer; break;
    case Kind::kRaise:
      Raise(state, operation, now_ms, breaks, &answer);
      if (operation.definition.HasSegments()) Number(state, now_us, &answer);
      break;
    case Kind::kReturn: {
      const bool is_last = state.there && state.value == operation.value;
      const bool is_same = state.generation == operation.mark.generation;
      const bool is_own = (state.number != 0 && state.number == operation.number) || breaks.return_ignores_number;
      answer.generation = operation.mark.generation;
      if (!is_own || !(is_last || (breaks.return_ignores_value && state.there)) ||
          !(is_same || breaks.return_ignores_generation))
        break;
      answer.had = true;
      state.value -= operation.count * operation.definition.step;
      break;
    }
  }
  return answer;
}

}  // namespace idgen::sim::sequences
