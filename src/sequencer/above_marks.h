// What is asked of the store where this server knows how far keys have come: a value that is not above that is not
// given; the store is raised first. The rule is here, whatever the store is and wherever the marks are: the host,
// below.
//
//   void Ask(operation, keys, answers, count)  answers are fresh; returns only with every answer there
//   uint64_t Writer(key)                       of the store that answered for the key: one that a restart, a fail-over
//                                              or a resynchronization changes; 0 where it does not say
//   KeyHash HashOf(key)                        what its mark is found by
//   void Find(known, count)                    by their hashes
//   bool Note(key, hash, given, definition)    durable before what was given counts; false where that is doubtful. Who
//                                              gave it the host knows
//   int NoteSimply(known, answers, count)      the same for the first of them that are above what is known, and have a
//                                              record that is ahead of them: how many
//   void Tell(key, known, loss, told)          that the store had forgotten, or may have: it gave `told`
//   void Pause(key, told, times)               before it is raised again, since it gave `told`, which counts no more,
//   so
//                                              many times running: waits, or raises if there is no time for that
#pragma once

#include <algorithm>

#include "sequencer/operation.h"

namespace idgen::sequencer {

inline int64_t LastOf(const Answer& answer) noexcept { return answer.grant.Value(answer.grant.count - 1); }

// Why a store is to be raised to known.ahead before its answer counts.
enum class Loss : uint8_t {
  kNone,
  kSure,        // what it gave is not above what is known
  kAfterCrash,  // nor what it gave above what may have been given, and it is another one than before
  kDoubtful,  // somebody else was given as much meanwhile, before or after it forgot, or by another that is asked, too
};

// After a crash the store is believed where it is the one that gave what is known, and has been so all the time.
template <class Host>
Loss LossOf(Host& host, const StoreKey& key, const Known& known, const Answer& answer) {
  const int64_t first = answer.grant.Value(0);
  // A later generation has come: what is known holds no more.
  if (!known.found || answer.generation > known.mark.generation) return Loss::kNone;
  if (first <= known.mark.value) return Loss::kSure;
  if (first > known.ahead) return Loss::kNone;
  return known.writer == 0 || host.Writer(key) != known.writer ? Loss::kAfterCrash : Loss::kNone;
}

// Another answer, from above what is known; or from where somebody has set the key since, or dropped it.
template <class Host>
void Raise(Host& host, const Operation& operation, const StoreKey& key, Loss loss, const Known& known, Answer* answer) {
  Operation raise = operation;
  raise.kind = Operation::Kind::kRaise;
  raise.mark = {.generation = known.mark.generation, .value = known.ahead};
  raise.value = LastOf(*answer);
  Answer raised;
  host.Ask(raise, &key, &raised, 1);
  if (raised.outcome != Answer::Outcome::kOk || raised.had) host.Tell(key, known, loss, answer->grant.Value(0));
  *answer = raised;
}

// Takes the answer, or gets one that can be taken.
template <class Host>
void Accept(Host& host, const Operation& operation, const StoreKey& key, Known* known, Answer* answer) {
  int times = 0;
  for (Loss loss = LossOf(host, key, *known, *answer);; loss = Loss::kDoubtful) {
    if (loss != Loss::kNone) Raise(host, operation, key, loss, *known, answer);
    if (answer->outcome != Answer::Outcome::kOk) return;
    // A store that has forgotten the generation, and not how far it came, gives values that lie above what is known.
    const Mark mark = {.generation = std::max(answer->generation, known->mark.generation), .value = LastOf(*answer)};
    if (host.Note(
            key, known->hash,
            {.mark = mark, .first = answer->grant.Value(0), .losses = known->losses, .is_raised = loss != Loss::kNone},
            operation.definition))
      return;
    host.Pause(key, answer->grant.Value(0), ++times);
    host.Find(known, 1);
    known->ahead = std::max(known->ahead, LastOf(*answer));
  }
}

// kNext or kSegment, for `count` keys. `known`: room for so many.
template <class Host>
void AskAboveMarks(Host& host, Operation operation, const StoreKey* keys, Answer* answers, int count, Known* known) {
  // Of the values, or of before they were given. What is known of a key is of no use under the generation of before it
  // was set: a store that loses values after that would be taken for one that was set back.
  operation.with_generation = true;
  for (int i = 0; i < count; ++i) {
    known[i] = {};
    known[i].hash = host.HashOf(keys[i]);
  }
  host.Find(known, count);
  host.Ask(operation, keys, answers, count);
  int next = 0;
  while (next < count) {
    next += host.NoteSimply(known + next, answers + next, count - next);
    if (next == count) break;
    if (answers[next].outcome == Answer::Outcome::kOk)
      Accept(host, operation, keys[next], &known[next], &answers[next]);
    ++next;
  }
}

// What is known after anything else that was done to a key.
template <class Host>
void NoteChange(Host& host, const Operation& operation, const StoreKey& key, const Answer& answer) {
  using Kind = Operation::Kind;
  if (answer.outcome != Answer::Outcome::kOk) return;
  const bool was_set = (operation.kind == Kind::kSet || operation.kind == Kind::kSetIfNone) && answer.had;
  if (!was_set && operation.kind != Kind::kDrop) return;
  const Mark mark = {.generation = answer.generation, .value = was_set ? operation.value : kNoValue};
  host.Note(key, host.HashOf(key), {.mark = mark}, operation.definition);
}

}  // namespace idgen::sequencer
