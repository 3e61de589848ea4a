// What is asked of the store where this server knows how far keys have come: a value that is not above that is not
// given; the store is raised first. The rule is here, whatever the store is and wherever the marks are: the host,
// below.
//
//   void Ask(operation, keys, answers, count)  answers are fresh; returns only with every answer there
//   uint64_t Writer(key)                       of the store that answered for the key: one that a restart, a fail-over
//   or
//                                              a resynchronization changes; 0 where it does not say
//   void Find(known, count)                    by their hashes
//   bool Note(key, hash, mark, first, definition)  durable before what was given counts; false where that is doubtful
//   void Tell(key, known, told)                that the store had forgotten, or may have: it gave `told`
#pragma once

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

// The answer, or one from above what is known. Where somebody has set or dropped the key, what the store said is right.
template <class Host>
void Raise(Host& host, const Operation& operation, const StoreKey& key, Known* known, Answer* answer) {
  Operation raise = operation;
  raise.kind = Operation::Kind::kRaise;
  raise.mark = {.generation = known->mark.generation, .value = known->ahead};
  raise.value = LastOf(*answer);
  Answer raised;
  host.Ask(raise, &key, &raised, 1);
  if (raised.outcome == Answer::Outcome::kOk && !raised.had) {
    known->mark.generation = raised.generation;
    return;
  }
  host.Tell(key, *known, answer->grant.Value(0));
  *answer = raised;
  answer->generation = known->mark.generation;
}

// Takes the answer, or gets one that can be taken.
template <class Host>
void Accept(Host& host, const Operation& operation, const StoreKey& key, Known* known, bool is_forgotten,
            Answer* answer) {
  while (answer->outcome == Answer::Outcome::kOk) {
    if (is_forgotten) Raise(host, operation, key, known, answer);
    if (answer->outcome != Answer::Outcome::kOk ||
        host.Note(key, known->hash, {.generation = known->mark.generation, .value = LastOf(*answer)},
                  answer->grant.Value(0), operation.definition))
      return;
    host.Find(known, 1);
    is_forgotten = true;
  }
}

// kNext, for `count` keys. `known`, and `rest` with `rest_answers`: room for so many.
template <class Host>
void NextAboveMarks(Host& host, const Operation& operation, const StoreKey* keys, Answer* answers, int count,
                    Known* known, StoreKey* rest, Answer* rest_answers) {
  int unknown = 0;
  for (int i = 0; i < count; ++i) {
    known[i] = {};
    known[i].hash = HashOf(keys[i].value());
  }
  host.Find(known, count);
  for (int i = 0; i < count; ++i)
    if (!known[i].found) rest[unknown++] = keys[i];
  if (unknown > 0) {
    // The generations of keys that nothing is known of, before they are asked for values: one that is read afterwards
    // may be that of a later set.
    host.Ask({.kind = Operation::Kind::kGeneration, .definition = {}, .mark = {}}, rest, rest_answers, unknown);
    for (int i = 0, j = 0; i < count; ++i)
      if (!known[i].found) known[i].mark.generation = rest_answers[j++].generation;
  }
  host.Ask(operation, keys, answers, count);
  for (int i = 0; i < count; ++i) {
    if (answers[i].outcome != Answer::Outcome::kOk) continue;
    Accept(host, operation, keys[i], &known[i], IsForgotten(host, keys[i], known[i], answers[i]), &answers[i]);
  }
}

// kSegment, for one key. A segment's generation comes with it: nothing has to be learnt before.
template <class Host>
void SegmentAboveMarks(Host& host, const Operation& operation, const StoreKey& key, Answer* answer) {
  Known known;
  known.hash = HashOf(key.value());
  host.Find(&known, 1);
  host.Ask(operation, &key, answer, 1);
  if (answer->outcome != Answer::Outcome::kOk) return;
  const bool is_later = !known.found || answer->generation > known.mark.generation;
  if (is_later) known.mark.generation = answer->generation;
  Accept(host, operation, key, &known, !is_later && IsForgotten(host, key, known, *answer), answer);
}

// What is known after anything else that was done to a key.
template <class Host>
void NoteChange(Host& host, const Operation& operation, const StoreKey& key, const Answer& answer) {
  using Kind = Operation::Kind;
  if (answer.outcome != Answer::Outcome::kOk) return;
  const bool was_set = (operation.kind == Kind::kSet || operation.kind == Kind::kSetIfNone) && answer.had;
  if (!was_set && operation.kind != Kind::kDrop) return;
  host.Note(key, HashOf(key.value()), {.generation = answer.generation, .value = was_set ? operation.value : kNoValue},
            operation.value, operation.definition);
}

}  // namespace idgen::sequencer
