// The table of marks, and the questions that they make necessary.
#include "pg/sequence_marks.h"

#include "io/clock.h"
#include "pg/sequence_store.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
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

// The file: this, and the table as it is in memory. A file of another size or version, or one that was not written to
// its end, is not taken; marks that are missing protect less, and harm nothing.
constexpr const char* kFile = "idgen.marks";
constexpr const char* kNewFile = "idgen.marks.new";
constexpr int64 kSaveEveryUs = 5 * core::kUsPerSecond;
struct FileHead {
  char magic[8];
  uint64 size;
  pg_crc32c crc;
};
constexpr char kMagic[8] = {'i', 'd', 'g', 'm', 'a', 'r', 'k', '1'};

pg_crc32c CrcOf(const void* bytes, Size size) {
  pg_crc32c crc;
  INIT_CRC32C(crc);
  COMP_CRC32C(crc, bytes, size);
  FIN_CRC32C(crc);
  return crc;
}

void Load() {
  FILE* file = AllocateFile(kFile, PG_BINARY_R);
  if (file == nullptr) {
    if (errno != ENOENT) ereport(LOG, (errcode_for_file_access(), errmsg("could not read file \"%s\": %m", kFile)));
    return;
  }
  FileHead head;
  const bool whole = fread(&head, sizeof head, 1, file) == 1 && memcmp(head.magic, kMagic, sizeof kMagic) == 0 &&
                     head.size == MarksSize() && fread(memory, MarksSize(), 1, file) == 1 &&
                     CrcOf(memory, MarksSize()) == head.crc;
  FreeFile(file);
  if (whole) return;
  memset(memory, 0, MarksSize());
  ereport(LOG,
          (errmsg("idgen: the file \"%s\" is not taken", kFile),
           errdetail("It is of another size or version, or damaged. How far sequences have come is learnt anew.")));
}

// `copy` is the table as it is to be kept. Only at the end is the file synced: while the server runs the process that
// renews the lease writes it, which must not wait for a disk. One that a crash of the machine leaves half-written is
// not taken.
void Save(const void* copy, bool is_end) {
  FileHead head;
  memset(&head, 0, sizeof head);
  memcpy(head.magic, kMagic, sizeof kMagic);
  head.size = MarksSize();
  head.crc = CrcOf(copy, MarksSize());
  FILE* file = AllocateFile(kNewFile, PG_BINARY_W);
  bool written = file != nullptr && fwrite(&head, sizeof head, 1, file) == 1 && fwrite(copy, MarksSize(), 1, file) == 1;
  if (file != nullptr && FreeFile(file) != 0) written = false;
  if (written && is_end)
    (void)durable_rename(kNewFile, kFile, LOG);
  else if (!written || rename(kNewFile, kFile) != 0)
    ereport(LOG, (errcode_for_file_access(), errmsg("could not write file \"%s\": %m", kNewFile)));
}

// pg_stat_statements keeps its own likewise. After a crash what was saved last is there.
void SaveAtEnd(int code, Datum) {
  if (code == 0 && memory != nullptr && max_marks > 0) Save(memory, true);
}

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
  if (IsUnderPostmaster) return;
  if (!found && max_marks > 0) Load();
  on_shmem_exit(SaveAtEnd, Int32GetDatum(0));  // of the postmaster: no backend lives then
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
void Raise(const Operation& operation, const sequencer::StoreKey& key, Known* known, Answer* answer, int64 until_us) {
  Operation raise = operation;
  raise.kind = Kind::kRaise;
  raise.mark = known->mark;
  raise.value = LastOf(*answer);
  Answer raised;
  AskStoreUntil(raise, &key, &raised, 1, until_us);
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
  answer->generation = known->mark.generation;
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
    if (answer.grant.Value(0) <= known[i].mark.value)
      Raise(operation, keys[i], &known[i], &answer, io::BootUs() + StoreTimeoutUs());
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
                          "ago makes room for another. 0: none is remembered.",
                          &max_marks, 4096, 0, 1 << 20, PGC_POSTMASTER, 0, nullptr, nullptr, nullptr);
}

void RequestMarksMemory() {
  previous_request_hook = shmem_request_hook;
  shmem_request_hook = RequestHook;
  previous_startup_hook = shmem_startup_hook;
  shmem_startup_hook = StartupHook;
}

void SaveMarksNowAndThen() {
  static int64 saved_at_us = 0;
  static uint64 saved_uses = 0;
  const int64 now_us = io::BootUs();
  if (memory == nullptr || max_marks == 0 || now_us - saved_at_us < kSaveEveryUs) return;
  const uint64 uses = sequencer::Marks(memory, MarksSize()).uses();
  saved_at_us = now_us;
  if (uses == saved_uses) return;
  saved_uses = uses;
  // From a copy, so that nobody waits for the file.
  void* copy = palloc(MarksSize());
  LWLockAcquire(lock, LW_SHARED);
  memcpy(copy, memory, MarksSize());
  LWLockRelease(lock);
  Save(copy, false);
}

void AskForSegmentAboveMarks(const Operation& operation, const sequencer::StoreKey& key, Answer* answer,
                             int64 until_us) {
  const bool has_marks = memory != nullptr && max_marks > 0 && sequencer::HasMarks(operation.definition);
  Known known = {.hash = sequencer::HashOf(key.value()), .mark = {}, .found = false};
  if (has_marks) Find(&known);
  AskStoreUntil(operation, &key, answer, 1, until_us);
  if (!has_marks || answer->outcome != Answer::Outcome::kOk) return;
  // The segment's own generation came with it: nothing has to be learnt before.
  if (known.found && answer->generation <= known.mark.generation && answer->grant.Value(0) <= known.mark.value)
    Raise(operation, key, &known, answer, until_us);
  if (answer->outcome == Answer::Outcome::kOk)
    Note(known.hash, {.generation = answer->generation, .value = LastOf(*answer)});
}

void TakeBackMark(const Operation& operation, const sequencer::StoreKey& key) {
  if (memory == nullptr || max_marks == 0) return;
  LWLockAcquire(lock, LW_EXCLUSIVE);
  sequencer::Marks(memory, MarksSize())
      .TakeBack(sequencer::HashOf(key.value()), {.generation = operation.mark.generation, .value = operation.value},
                operation.value - operation.count * operation.definition.step);
  LWLockRelease(lock);
}

void AskStoreAboveMarks(const Operation& operation, const sequencer::StoreKey* keys, Answer* answers, int count) {
  const bool has_marks = memory != nullptr && max_marks > 0 && sequencer::HasMarks(operation.definition);
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
