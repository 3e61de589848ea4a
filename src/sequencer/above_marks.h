// Asking the store, above what this server knows that it has given: a value at or below a key's high-water mark is
// rejected, and the store is raised above the mark first. So a store that has lost data does not give values again.
#pragma once

#include <algorithm>

#include "sequencer/keep_marks.h"
#include "sequencer/protocol.h"

namespace idgen::sequencer {

inline int64_t LastOf(const Answer& answer) noexcept { return answer.grant.Value(answer.grant.count - 1); }

// Why a store has to be raised to known.ahead before its answer counts.
enum class Loss : uint8_t {
  kNone,
  kSure,        // the value is at or below the mark
  kAfterCrash,  // the value is at or below what may have been given before a crash, and another store's process gave it
  kDoubtful,    // somebody else received a value this high concurrently: before or after the store lost it, or from
                // another store that acts as master
};

// One call: over which connections its answers came, and the write of marks that has to be on disk before it counts.
struct MarkCall {
  int64_t until_us;
  uint64_t latest_over = 0;    // connection of the latest answer; 0: several
  uint64_t answered_over = 0;  // of the values
  uint64_t raised_over = 0;    // of the latest raise
  uint64_t write = 0;
};

template <MarkHost Host>
bool UsesMarks(Host& host, const Definition& definition) {
  return host.has_marks() && HasMarks(definition);
}

// The writer at the other end of the connection that it is asked over, which `call->latest_over` is then; 0 if the
// store does not say. (leaves)
template <MarkHost Host>
uint64_t AskWriter(Host& host, MarkCall* call, const StoreKey& key) {
  Answer answer;
  call->latest_over =
      host.AskStore({.kind = Operation::Kind::kWriter, .definition = {}, .mark = {}}, &key, &answer, 1, call->until_us);
  return answer.outcome == Answer::Outcome::kOk ? answer.writer : 0;
}

// Whether the writer that gave the values is the one that gave what is known. The values' connection may be gone, and
// the new one may lead to another writer: then nobody knows. (leaves)
template <MarkHost Host>
bool IsWriterOf(Host& host, MarkCall* call, const StoreKey& key, uint64_t known_writer) {
  if (known_writer == 0) return false;
  const uint64_t writer = AskWriter(host, call, key);
  return writer == known_writer && (call->answered_over == 0 || call->answered_over == call->latest_over);
}

// The writer that answered over this connection, which is asked once per connection. 0 if the answers came over
// several: which key's came over which is not kept. If the connection is gone, nobody knows, and it may have led to
// another writer than the present one: a number that no writer has. (leaves)
template <MarkHost Host>
uint64_t WriterOver(Host& host, MarkCall* call, uint64_t connection, const StoreKey& key) {
  if (connection == 0) return 0;
  Session& session = host.session();
  if (session.writer_connection != connection && call->latest_over == connection) {
    session.writer = AskWriter(host, call, key);
    session.writer_connection = call->latest_over;
  }
  return session.writer_connection == connection ? session.writer : host.self() << 32 | connection;
}

// Notes what was given, or set. False if the mark is doubtful. (leaves)
template <MarkHost Host>
bool NoteMark(Host& host, MarkCall* call, const StoreKey& key, const KeyHash& hash, Marks::Given given,
              const Definition& definition) {
  given.writer = WriterOver(host, call, given.is_raised ? call->raised_over : call->answered_over, key);
  given.owner = host.owner();
  const int64_t now_us = host.NowUs();
  const Marks::Noted noted = host.BeginMarkChange().Note(hash, given, definition, now_us);
  host.EndMarkChange();
  if (noted.is_doubtful) {
    host.session().writer_connection = 0;  // the connection may lead to another writer now
    return false;
  }
  call->write = std::max(call->write, noted.write);
  host.OnNoted(key);
  return true;
}

// Notes the first answers for which nothing has to be written or doubted, under one lock. Returns how many. (leaves)
template <MarkHost Host>
int NoteSimpleMarks(Host& host, MarkCall* call, const StoreKey* keys, const Known* known, const Answer* answers,
                    int count) {
  const Session& session = host.session();
  if (call->answered_over == 0 || session.writer_connection != call->answered_over) return 0;
  const uint64_t owner = host.owner();
  Marks marks = host.LockMarks();
  int noted = 0;
  for (uint64_t write; noted < count && answers[noted].outcome == Answer::Outcome::kOk; ++noted) {
    const Marks::Given given = {.mark = {.generation = answers[noted].generation, .value = LastOf(answers[noted])},
                                .first = answers[noted].grant.Value(0),
                                .writer = session.writer,
                                .losses = known[noted].losses,
                                .owner = owner};
    if (!marks.NoteSimply(known[noted], given, &write)) break;
    call->write = std::max(call->write, write);
    host.OnNoted(keys[noted]);
  }
  host.UnlockMarks();
  return noted;
}

template <MarkHost Host>
void FindMarks(Host& host, const StoreKey* keys, Known* known, int count) {
  Marks marks = host.LockMarks();
  for (int i = 0; i < count; ++i) known[i] = marks.Find(known[i].hash);
  host.UnlockMarks();
  host.OnFound(keys, known, count);
}

// After a crash the store is believed if it is the one that gave what is known, and has been all the time. (leaves)
template <MarkHost Host>
Loss LossOf(Host& host, MarkCall* call, const StoreKey& key, const Known& known, const Answer& answer) {
  const int64_t first = answer.grant.Value(0);
  // Under a later generation the mark does not hold any more: the key was set or dropped.
  if (!known.found || answer.generation > known.mark.generation) return Loss::kNone;
  if (first <= known.mark.value) return Loss::kSure;
  if (first > known.ahead) return Loss::kNone;
  return IsWriterOf(host, call, key, known.writer) ? Loss::kNone : Loss::kAfterCrash;
}

// Replaces the answer by one above what is known, or by one of a later generation: see raise() in redis/script.h.
// `over`: the connection that it came over. (leaves)
template <MarkHost Host>
void Raise(Host& host, MarkCall* call, const Operation& operation, const StoreKey& key, Loss loss, const Known& known,
           uint64_t over, Answer* answer) {
  Operation raise = operation;
  raise.kind = Operation::Kind::kRaise;
  raise.mark = {.generation = known.mark.generation, .value = known.ahead};
  // The rejected values, which the store may give again if they are its latest. But not another store, to which a new
  // connection may lead: its latest value may be the same, and somebody else's.
  raise.value = over != 0 ? LastOf(*answer) : kNoValue;
  raise.only_over = over;
  Answer raised;
  call->raised_over = call->latest_over = host.AskStore(raise, &key, &raised, 1, call->until_us);
  if (raised.outcome == Answer::Outcome::kUnasked) {
    raise.value = kNoValue;
    raise.only_over = 0;
    call->raised_over = call->latest_over = host.AskStore(raise, &key, &raised, 1, call->until_us);
  }
  if (raised.outcome != Answer::Outcome::kOk || raised.had) host.LogLoss(key, known, loss, answer->grant.Value(0));
  *answer = raised;
}

// Accepts the store's answer, or replaces it by one that can be accepted. (leaves)
template <MarkHost Host>
void Accept(Host& host, MarkCall* call, const Operation& operation, const StoreKey& key, Known* known, Answer* answer) {
  int times = 0;
  uint64_t over = call->answered_over;
  for (Loss loss = LossOf(host, call, key, *known, *answer);; loss = Loss::kDoubtful) {
    if (loss != Loss::kNone) {
      Raise(host, call, operation, key, loss, *known, over, answer);
      over = call->raised_over;
    }
    if (answer->outcome != Answer::Outcome::kOk) return;
    // The store may have lost the generation, but not the values: they lie above the mark under an earlier generation.
    const Mark mark = {.generation = std::max(answer->generation, known->mark.generation), .value = LastOf(*answer)};
    if (NoteMark(
            host, call, key, known->hash,
            {.mark = mark, .first = answer->grant.Value(0), .losses = known->losses, .is_raised = loss != Loss::kNone},
            operation.definition))
      return;
    host.PauseBeforeRaise(key, answer->grant.Value(0), ++times, call->until_us);
    FindMarks(host, &key, known, 1);
    known->ahead = std::max(known->ahead, LastOf(*answer));
  }
}

// kNext or kSegment, for `count` keys; `known` has room for as many. Returns the write of marks that has to be on disk
// before the values count. (leaves)
template <MarkHost Host>
uint64_t AskAboveMarks(Host& host, Operation operation, const StoreKey* keys, Answer* answers, int count, Known* known,
                       int64_t until_us) {
  if (!UsesMarks(host, operation.definition)) {
    host.AskStore(operation, keys, answers, count, until_us);
    return 0;
  }
  // The generation of the values, or an earlier one. A mark noted under the generation from before a set would be of no
  // use: a store that loses values after the set would pass for one that was set back.
  operation.with_generation = true;
  for (int i = 0; i < count; ++i) {
    known[i] = {};
    known[i].hash = host.HashOf(keys[i]);
  }
  FindMarks(host, keys, known, count);
  MarkCall call = {.until_us = until_us};
  call.answered_over = call.latest_over = host.AskStore(operation, keys, answers, count, until_us);
  int next = 0;
  while (next < count) {
    next += NoteSimpleMarks(host, &call, keys + next, known + next, answers + next, count - next);
    if (next == count) break;
    if (answers[next].outcome == Answer::Outcome::kOk)
      Accept(host, &call, operation, keys[next], &known[next], &answers[next]);
    ++next;
  }
  return call.write;
}

// A set or a drop, and what is known of the key afterwards. (leaves)
template <MarkHost Host>
Answer AskForChange(Host& host, Operation operation, const StoreKey& key, int64_t until_us) {
  using Kind = Operation::Kind;
  Answer answer;
  MarkCall call = {.until_us = until_us};
  // A store that forgets makes its generations of its own clock. The others are told what they have to be later than:
  // they may have taken the place of a store where the key was set before.
  if (UsesMarks(host, operation.definition) && !host.may_forget()) {
    Known known;
    known.hash = host.HashOf(key);
    FindMarks(host, &key, &known, 1);
    operation.mark.generation = std::max(operation.mark.generation, known.mark.generation);
  }
  call.answered_over = call.latest_over = host.AskStore(operation, &key, &answer, 1, until_us);
  if (!UsesMarks(host, operation.definition)) return answer;
  const bool was_set = (operation.kind == Kind::kSet || operation.kind == Kind::kSetIfNone) && answer.had;
  if (answer.outcome != Answer::Outcome::kOk || (!was_set && operation.kind != Kind::kDrop)) return answer;
  const Mark mark = {.generation = answer.generation, .value = was_set ? operation.value : kNoValue};
  NoteMark(host, &call, key, host.HashOf(key), {.mark = mark}, operation.definition);
  host.AwaitMark(call.write);
  return answer;
}

// Before unused values are returned to the store: if it then gives them again, it has not lost them.
// (leaves)
template <MarkHost Host>
void LowerMark(Host& host, const Operation& operation, const StoreKey& key, int64_t until_us) {
  if (!host.has_marks()) return;
  const Mark noted = {.generation = operation.mark.generation, .value = operation.value};
  const int64_t value = operation.value - operation.count * operation.definition.step;
  const KeyHash hash = host.HashOf(key);
  const uint64_t write = host.BeginMarkChange().Lower(hash, noted, value).write;
  host.EndMarkChange();
  WriteMarks(host, write, until_us);
}

}  // namespace idgen::sequencer
