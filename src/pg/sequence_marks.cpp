// The table of marks, and the questions that they make necessary.
#include "pg/sequence_marks.h"

#include "pg/sequence_store.h"

#include <new>

namespace idgen::pg {
namespace {

using sequencer::Answer;
using sequencer::KeyHash;
using sequencer::Mark;
using sequencer::Operation;
using Kind = sequencer::Operation::Kind;

int max_marks = 4096;
void* memory = nullptr;  // nullptr where the library is not preloaded: there are no marks then
LWLock* lock = nullptr;
shmem_request_hook_type previous_request_hook = nullptr;
shmem_startup_hook_type previous_startup_hook = nullptr;

Size MarksSize() { return sequencer::Marks::Bytes(static_cast<size_t>(max_marks)); }

void RequestHook() {
  if (previous_request_hook != nullptr) previous_request_hook();
  RequestAddinShmemSpace(MarksSize());
  RequestNamedLWLockTranche("idgen marks", 1);
}

void StartupHook() {
  if (previous_startup_hook != nullptr) previous_startup_hook();
  LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
  bool found = false;
  memory = ShmemInitStruct("idgen marks", MarksSize(), &found);
  if (!found) memset(memory, 0, MarksSize());
  lock = &GetNamedLWLockTranche("idgen marks")->lock;
  LWLockRelease(AddinShmemInitLock);
}

// What was known of a key before the store was asked.
struct Known {
  KeyHash hash;
  Mark mark;
  bool found;
};

bool Find(Known* known) {
  LWLockAcquire(lock, LW_EXCLUSIVE);
  known->found = sequencer::Marks(memory, MarksSize()).Find(known->hash, &known->mark);
  LWLockRelease(lock);
  return known->found;
}

void Note(const KeyHash& hash, const Mark& mark) {
  LWLockAcquire(lock, LW_EXCLUSIVE);
  sequencer::Marks(memory, MarksSize()).Note(hash, mark);
  LWLockRelease(lock);
}

// The generations of keys that nothing is known of, before they are asked for values: one that is read afterwards may
// be that of a later set.
void LearnGenerations(const sequencer::StoreKey* keys, Known* known, int count) {
  auto* unknown = static_cast<sequencer::StoreKey*>(palloc(sizeof(sequencer::StoreKey) * static_cast<Size>(count)));
  auto* answers = static_cast<Answer*>(palloc(sizeof(Answer) * static_cast<Size>(count)));
  int unknown_count = 0;
  for (int i = 0; i < count; ++i) {
    if (known[i].found) continue;
    unknown[unknown_count] = keys[i];
    new (&answers[unknown_count++]) Answer();
  }
  if (unknown_count == 0) return;
  AskStore({.kind = Kind::kGeneration, .definition = {}, .mark = {}}, unknown, answers, unknown_count);
  for (int i = 0, j = 0; i < count; ++i)
    if (!known[i].found) known[i].mark = {.generation = answers[j++].generation, .value = sequencer::kNoValue};
}

int64 LastOf(const Answer& answer) { return answer.grant.Value(answer.grant.count - 1); }

// Where the store's value is not above what was known: the answer, or one from above it.
void Raise(const Operation& operation, const sequencer::StoreKey& key, Known* known, Answer* answer) {
  Operation raise = operation;
  raise.kind = Kind::kRaise;
  raise.mark = known->mark;
  raise.value = LastOf(*answer);
  Answer raised;
  AskStore(raise, &key, &raised, 1);
  if (raised.outcome == Answer::Outcome::kOk && !raised.had) {
    known->mark.generation = raised.generation;  // somebody has set or dropped it: what the store said is right
    return;
  }
  const std::string_view name = key.value();
  ereport(LOG, (errmsg("idgen: the sequence store had forgotten values of \"%.*s\"", static_cast<int>(name.size()),
                       name.data()),
                errdetail("It gave %lld, and had given %lld before; it was raised above that.",
                          static_cast<long long>(answer->grant.Value(0)), static_cast<long long>(known->mark.value))));
  *answer = raised;
}

void AskForValues(const Operation& operation, const sequencer::StoreKey* keys, Answer* answers, int count) {
  auto* known = static_cast<Known*>(palloc(sizeof(Known) * static_cast<Size>(count)));
  bool all_known = true;
  for (int i = 0; i < count; ++i) {
    known[i] = {.hash = sequencer::HashOf(keys[i].value()), .mark = {}, .found = false};
    all_known = Find(&known[i]) && all_known;
  }
  if (!all_known) LearnGenerations(keys, known, count);
  AskStore(operation, keys, answers, count);
  for (int i = 0; i < count; ++i) {
    Answer& answer = answers[i];
    if (answer.outcome != Answer::Outcome::kOk) continue;
    if (answer.grant.Value(0) <= known[i].mark.value) Raise(operation, keys[i], &known[i], &answer);
    if (answer.outcome == Answer::Outcome::kOk)
      Note(known[i].hash, {.generation = known[i].mark.generation, .value = LastOf(answer)});
  }
}

}  // namespace

void DefineMarksSetting() {
  if (!process_shared_preload_libraries_in_progress) return;
  DefineCustomIntVariable("idgen.max_sequence_marks",
                          "Of how many keys the server remembers how far their sequences have come.",
                          "A store that has forgotten is noticed for these, and raised. The key that was used longest "
                          "ago makes room for another.",
                          &max_marks, 4096, 8, 1 << 20, PGC_POSTMASTER, 0, nullptr, nullptr, nullptr);
}

void RequestMarksMemory() {
  previous_request_hook = shmem_request_hook;
  shmem_request_hook = RequestHook;
  previous_startup_hook = shmem_startup_hook;
  shmem_startup_hook = StartupHook;
}

void AskStoreAboveMarks(const Operation& operation, const sequencer::StoreKey* keys, Answer* answers, int count) {
  const bool has_marks = memory != nullptr && sequencer::HasMarks(operation.definition);
  if (has_marks && operation.kind == Kind::kNext) return AskForValues(operation, keys, answers, count);
  AskStore(operation, keys, answers, count);
  if (!has_marks) return;
  for (int i = 0; i < count; ++i) {
    if (answers[i].outcome != Answer::Outcome::kOk) continue;
    const KeyHash hash = sequencer::HashOf(keys[i].value());
    const bool was_set = (operation.kind == Kind::kSet || operation.kind == Kind::kSetIfNone) && answers[i].had;
    if (was_set) Note(hash, {.generation = answers[i].generation, .value = operation.value});
    if (operation.kind == Kind::kDrop) Note(hash, {.generation = answers[i].generation, .value = sequencer::kNoValue});
  }
}

}  // namespace idgen::pg
