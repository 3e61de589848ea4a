// What is asked of the store where this server knows how far keys have come: a value that is not above that is not
// given; the store is raised first. The rule is here, whatever the store is and wherever the marks are: the host,
// below.
//
//   void Ask(operation, keys, answers, count)  answers are fresh; returns only with every answer there
//   uint64_t Writer(key)                       of the store that answered for the key: one that a restart, a fail-over
//                                              or a resynchronization changes; 0 where it does not say
//   void Find(known, count)                    by their hashes
//   void Note(key, hash, mark, definition)     durable before what was given counts
//   void Tell(key, known, told)                that the store had forgotten, or may have: it gave `told`
#pragma once

#include <algorithm>

#include "sequencer/request.h"

namespace idgen::sequencer {

inline int64_t LastOf(const Answer& answer) noexcept { return answer.grant.Value(answer.grant.count - 1); }

// Whether the store is to be raised to known.ahead before its answer counts.
template <class Host>
bool IsForgotten(Host& host, const StoreKey& key, const Known& known, const Answer& answer) {
  const int64_t first = answer.grant.Value(0);
  if (first <= known.mark.value) return true;
  if (first > known.ahead) return false;
  // After a crash: the store is believed where it is the one that gave what is known, and has been so all the time.
  return known.writer == 0 || host.Writer(key) != known.writer;
}

// Another answer, from above what is known; or from where somebody has set the key since, or dropped it.
template <class Host>
void Raise(Host& host, const Operation& operation, const StoreKey& key, const Known& known, Answer* answer) {
  Operation raise = operation;
  raise.kind = Operation::Kind::kRaise;
  raise.mark = {.generation = known.mark.generation, .value = known.ahead};
  raise.value = LastOf(*answer);
  Answer raised;
  host.Ask(raise, &key, &raised, 1);
  if (raised.outcome != Answer::Outcome::kOk || raised.had) host.Tell(key, known, answer->grant.Value(0));
  *answer = raised;
}

// kNext or kSegment, for `count` keys. `known`: room for so many.
template <class Host>
void AskAboveMarks(Host& host, Operation operation, const StoreKey* keys, Answer* answers, int count, Known* known) {
  // Of the values, or of before they were given. What is known of a key is of no use under the generation of before it
  // was set: a store that loses values after that would be taken for one that was set back.
  operation.with_generation = true;
  for (int i = 0; i < count; ++i) {
    known[i] = {};
    known[i].hash = HashOf(keys[i].value());
  }
  host.Find(known, count);
  host.Ask(operation, keys, answers, count);
  for (int i = 0; i < count; ++i) {
    Answer& answer = answers[i];
    if (answer.outcome != Answer::Outcome::kOk) continue;
    if (known[i].found && answer.generation <= known[i].mark.generation && IsForgotten(host, keys[i], known[i], answer))
      Raise(host, operation, keys[i], known[i], &answer);
    if (answer.outcome != Answer::Outcome::kOk) continue;
    // A store that has forgotten the generation, and not how far it came, gives values that lie above what is known.
    const int64_t generation = std::max(answer.generation, known[i].mark.generation);
    host.Note(keys[i], known[i].hash, {.generation = generation, .value = LastOf(answer)}, operation.definition);
  }
}

// What is known after anything else that was done to a key.
template <class Host>
void NoteChange(Host& host, const Operation& operation, const StoreKey& key, const Answer& answer) {
  using Kind = Operation::Kind;
  if (answer.outcome != Answer::Outcome::kOk) return;
  const bool was_set = (operation.kind == Kind::kSet || operation.kind == Kind::kSetIfNone) && answer.had;
  if (!was_set && operation.kind != Kind::kDrop) return;
  host.Note(key, HashOf(key.value()), {.generation = answer.generation, .value = was_set ? operation.value : kNoValue},
            operation.definition);
}

}  // namespace idgen::sequencer
