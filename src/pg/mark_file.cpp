// Memory, file, and when the file is synced: as little as possible, for many transactions at a time.
#include "pg/mark_file.h"

#include "io/clock.h"
#include "pg/segment_worker.h"

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace idgen::pg {

core::Word* marks_synced = nullptr;
uint64 awaited_mark = 0;

namespace {

using sequencer::MarkRecord;

int max_marks = 4096;
shmem_request_hook_type previous_request_hook = nullptr;
shmem_startup_hook_type previous_startup_hook = nullptr;

struct alignas(PG_CACHE_LINE_SIZE) SharedMarks {
  core::Word synced;
  bool is_unsure;  // a sync failed: nobody knows what of the file is on disk
  // A mark is being noted. Who is killed in the middle, in an immediate shutdown, leaves it so.
  volatile bool is_changing;
  int64 told_second;  // of the boot-time clock
  int64 told, untold;
  LWLock* table_lock;
  LWLock* sync_lock;  // before the table's
};
SharedMarks* shared = nullptr;  // nullptr where the library is not preloaded
void* table_memory = nullptr;
File file = -1;  // of this process
uint32 write_event = 0, sync_event = 0;

// The file: this, and a record for each place. Records that are missing protect less, and harm nothing.
constexpr const char* kFile = "idgen.marks";
constexpr const char* kNewFile = "idgen.marks.new";
struct FileHead {
  char magic[8];
  uint64 places;
  char unused[48];
};
static_assert(sizeof(FileHead) == sizeof(MarkRecord));
constexpr char kMagic[8] = {'i', 'd', 'g', 'm', 'a', 'r', 'k', '2'};

sequencer::Marks Table() { return {table_memory, static_cast<size_t>(max_marks)}; }

Size MemorySize() { return sizeof(SharedMarks) + sequencer::Marks::Bytes(static_cast<size_t>(max_marks)); }

void Load() {
  FILE* stream = AllocateFile(kFile, PG_BINARY_R);
  if (stream == nullptr) {
    if (errno != ENOENT) ereport(LOG, (errcode_for_file_access(), errmsg("could not read file \"%s\": %m", kFile)));
    return;
  }
  FileHead head;
  uint64 damaged = 0, read = 0;
  const bool is_ours = fread(&head, sizeof head, 1, stream) == 1 && memcmp(head.magic, kMagic, sizeof kMagic) == 0;
  for (MarkRecord record; is_ours && read < head.places && fread(&record, sizeof record, 1, stream) == 1; ++read) {
    if (record.used != 0 && !record.IsWhole()) ++damaged;
    Table().Load(record);
  }
  FreeFile(stream);
  if (!is_ours)
    ereport(LOG, (errmsg("idgen: ignoring file \"%s\"", kFile),
                  errdetail("It is of another version, or damaged. How far sequences have come is learnt again from "
                            "their next values.")));
  else if (damaged > 0 || read < head.places)
    ereport(LOG, (errmsg("idgen: ignoring parts of file \"%s\"", kFile),
                  errdetail("Of %llu records %llu are damaged, and %llu missing. How far their sequences have come is "
                            "learnt again from their next values.",
                            static_cast<unsigned long long>(head.places), static_cast<unsigned long long>(damaged),
                            static_cast<unsigned long long>(head.places - read))));
}

// The whole file anew, and synced. For the postmaster, when nobody else is there.
void Save(bool at_end) {
  FILE* stream = AllocateFile(kNewFile, PG_BINARY_W);
  const sequencer::Marks table = Table();
  FileHead head = {};
  memcpy(head.magic, kMagic, sizeof kMagic);
  head.places = table.places();
  bool written = stream != nullptr && fwrite(&head, sizeof head, 1, stream) == 1;
  for (size_t place = 0; written && place < table.places(); ++place) {
    const MarkRecord record = table.Record(place, at_end);
    written = fwrite(&record, sizeof record, 1, stream) == 1;
  }
  if (stream != nullptr && FreeFile(stream) != 0) written = false;
  if (written)
    (void)durable_rename(kNewFile, kFile, LOG);
  else
    ereport(LOG, (errcode_for_file_access(), errmsg("could not write file \"%s\": %m", kNewFile)));
}

// After a crash, or a shutdown in the middle of a change, the records that were written ahead are there.
void SaveAtEnd(int code, Datum) {
  if (code == 0 && !shared->is_changing) Save(true);
}

void RequestHook() {
  if (previous_request_hook != nullptr) previous_request_hook();
  RequestAddinShmemSpace(MemorySize());
  RequestNamedLWLockTranche("idgen_marks", 2);
}

void StartupHook() {
  if (previous_startup_hook != nullptr) previous_startup_hook();
  LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
  bool found = false;
  shared = static_cast<SharedMarks*>(ShmemInitStruct("idgen marks", MemorySize(), &found));
  table_memory = shared + 1;
  marks_synced = &shared->synced;
  if (!found) {
    memset(static_cast<void*>(shared), 0, MemorySize());
    LWLockPadded* locks = GetNamedLWLockTranche("idgen_marks");
    shared->table_lock = &locks[0].lock;
    shared->sync_lock = &locks[1].lock;
  }
  LWLockRelease(AddinShmemInitLock);
  if (IsUnderPostmaster || found || max_marks == 0) return;
  Load();
  Save(false);
  on_shmem_exit(SaveAtEnd, Int32GetDatum(0));  // of the postmaster: no backend lives then
}

[[noreturn]] void RaiseFileError(const char* what) {
  ereport(ERROR, (errcode_for_file_access(), errmsg("could not %s file \"%s\": %m", what, kFile),
                  errdetail("It keeps how far sequences have come. Values that were asked for are skipped, not given."),
                  errhint("Where the file is missing, the server makes it when it starts.")));
}

File OpenFile() {
  if (file >= 0) return file;
  write_event = NewWaitEvent("IdgenMarksWrite");
  sync_event = NewWaitEvent("IdgenMarksSync");
  file = PathNameOpenFile(kFile, O_RDWR | PG_BINARY);
  if (file < 0) RaiseFileError("open");
  return file;
}

bool WriteRecord(size_t place) {
  MarkRecord record = Table().Record(place, false);
  return FileWrite(file, reinterpret_cast<char*>(&record), sizeof record,
                   static_cast<off_t>(sizeof(FileHead) + place * sizeof record), write_event) == sizeof record;
}

void BeginChange() {
  LWLockAcquire(shared->table_lock, LW_EXCLUSIVE);
  shared->is_changing = true;
}

// Writes the record where it has to be: under the lock, so that it is never followed by an older one.
uint64 EndChange(const sequencer::Marks::Noted& noted) {
  const bool done = noted.is_doubtful || noted.is_written_ahead || WriteRecord(noted.place);
  if (!done) Table().NoteUnwritten(noted.place);
  const int saved_errno = errno;
  shared->is_changing = false;
  LWLockRelease(shared->table_lock);
  errno = saved_errno;
  if (!done) RaiseFileError("write");
  return noted.write;
}

// False, with errno, where the file is not as the table is, or not on disk. For who holds the lock of syncs.
bool SyncFile() {
  LWLockAcquire(shared->table_lock, LW_SHARED);
  const uint64 writes = Table().writes();
  // The kernel may take pages that it could not write for clean: everything again.
  bool done = true;
  for (size_t place = 0; shared->is_unsure && done && place < Table().places(); ++place) done = WriteRecord(place);
  LWLockRelease(shared->table_lock);
  shared->is_unsure = true;
  if (!done || FileSync(file, sync_event) != 0) return false;
  shared->is_unsure = false;
  shared->synced.store(writes);
  return true;
}

void AtTransactionEnd(XactEvent event, void*) {
  if (awaited_mark == 0) return;
  const uint64 write = awaited_mark;
  switch (event) {
    case XACT_EVENT_PRE_COMMIT:
    case XACT_EVENT_PARALLEL_PRE_COMMIT:
    case XACT_EVENT_PRE_PREPARE:
      if (write <= MarksSynced()) break;
      if (synchronous_commit == SYNCHRONOUS_COMMIT_OFF && AskForSync()) break;
      SyncMarks(write);
      break;
    default: break;
  }
  awaited_mark = 0;
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
  RegisterXactCallback(AtTransactionEnd, nullptr);
}

bool HasMarkMemory() noexcept { return shared != nullptr && max_marks > 0; }

void FindMarks(sequencer::Known* known, int count) {
  LWLockAcquire(shared->table_lock, LW_EXCLUSIVE);
  sequencer::Marks table = Table();
  for (int i = 0; i < count; ++i) known[i] = table.Find(known[i].hash);
  LWLockRelease(shared->table_lock);
}

int NoteMarksSimply(const sequencer::Known* known, const sequencer::Answer* answers, int count, uint64 writer,
                    uint64* write) {
  LWLockAcquire(shared->table_lock, LW_EXCLUSIVE);
  sequencer::Marks table = Table();
  int noted = 0;
  for (uint64 covered; noted < count && answers[noted].outcome == sequencer::Answer::Outcome::kOk; ++noted) {
    const sequencer::Grant& grant = answers[noted].grant;
    const sequencer::Marks::Given given = {
        .mark = {.generation = answers[noted].generation, .value = grant.Value(grant.count - 1)},
        .first = grant.Value(0),
        .writer = writer,
        .losses = known[noted].losses};
    if (!table.NoteSimply(known[noted], given, &covered)) break;
    *write = Max(*write, covered);
  }
  LWLockRelease(shared->table_lock);
  return noted;
}

bool NoteMark(const sequencer::KeyHash& key, const sequencer::Marks::Given& given,
              const sequencer::Definition& definition, uint64* write) {
  OpenFile();
  BeginChange();
  const sequencer::Marks::Noted noted = Table().Note(key, given, definition, io::BootUs());
  *write = EndChange(noted);
  return !noted.is_doubtful;
}

void TakeMarkBack(const sequencer::KeyHash& key, const sequencer::Mark& noted, int64 value) {
  OpenFile();
  BeginChange();
  EndChange(Table().TakeBack(key, noted, value));
}

bool MayTellLoss(int64* untold) {
  constexpr int64 kMost = 10;
  const int64 second = io::BootUs() / core::kUsPerSecond;
  LWLockAcquire(shared->table_lock, LW_EXCLUSIVE);
  if (shared->told_second != second) shared->told = 0;
  shared->told_second = second;
  const bool may = shared->told < kMost;
  *untold = may ? shared->untold : 0;
  shared->untold = may ? 0 : shared->untold + 1;
  if (may) ++shared->told;
  LWLockRelease(shared->table_lock);
  return may;
}

void SyncMarks(uint64 write) {
  if (write <= MarksSynced()) return;
  OpenFile();
  LWLockAcquire(shared->sync_lock, LW_EXCLUSIVE);
  const bool done = write <= MarksSynced() || SyncFile();
  const int saved_errno = errno;
  LWLockRelease(shared->sync_lock);
  errno = saved_errno;
  if (!done) RaiseFileError("sync");
}

void SyncAllMarks() {
  if (!HasMarkMemory()) return;
  LWLockAcquire(shared->table_lock, LW_SHARED);
  const uint64 writes = Table().writes();
  LWLockRelease(shared->table_lock);
  SyncMarks(writes);
}

}  // namespace idgen::pg
