// Memory, file, and when the file is synced: as little as possible, for many transactions at a time.
#include "pg/sequences/mark_file.h"

#include "io/clock.h"
#include "io/transport.h"
#include "pg/sequences/segment_worker.h"

#include <cerrno>
#include <cstdio>
#include <cstring>

#include <sys/stat.h>

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
  core::Word written;      // so many writes are in the file
  core::Word keeper;       // pid of who writes and syncs; 0: nobody
  ConditionVariable kept;  // it has ended
  core::SipKey secret;     // of the hashes of keys; it stands in the file, and never changes while the server runs
  // The file as it was written whole. For the keeper. 0: it has not been, or nobody knows what of it is on disk.
  uint64 inode, device;
  // A mark is being noted. Who is killed in the middle, in an immediate shutdown, leaves it so.
  volatile bool is_changing;
  int64 told_second;  // of the boot-time clock
  int64 told, untold;
  LWLock* lock;  // never held while the disk is waited for
};
SharedMarks* shared = nullptr;  // nullptr where the library is not preloaded
void* table_memory = nullptr;
File file = -1;  // of this process
uint64 file_inode = 0;
uint32 write_event = 0, sync_event = 0, wait_event = 0;

// The file: this, and a record for each place. Records that are missing protect less, and harm nothing.
constexpr const char* kFile = "idgen.marks";
constexpr const char* kNewFile = "idgen.marks.new";
struct FileHead {
  char magic[8];
  uint64 places;
  core::SipKey secret;
  char unused[32];
};
static_assert(sizeof(FileHead) == sizeof(MarkRecord));
constexpr char kMagic[8] = {'i', 'd', 'g', 'm', 'a', 'r', 'k', '3'};

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
  if (is_ours) shared->secret = head.secret;
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

// Many at a time, so that others note marks in between. The postmaster, at the start and at the end, is alone.
bool WriteAll(FILE* stream, bool at_end) {
  static MarkRecord records[128];
  const sequencer::Marks table = Table();
  for (size_t place = 0; place < table.places();) {
    size_t count = 0;
    if (IsUnderPostmaster) LWLockAcquire(shared->lock, LW_SHARED);
    while (count < lengthof(records) && place < table.places()) records[count++] = table.Record(place++, at_end);
    if (IsUnderPostmaster) LWLockRelease(shared->lock);
    if (fwrite(records, sizeof records[0], count, stream) != count) return false;
  }
  return true;
}

// Writes the whole file again, and syncs it. False if that fails, unless the error is raised.
bool Save(bool at_end, int level) {
  shared->inode = 0;
  FILE* stream = AllocateFile(kNewFile, PG_BINARY_W);
  FileHead head = {};
  memcpy(head.magic, kMagic, sizeof kMagic);
  head.places = Table().places();
  head.secret = shared->secret;
  struct stat made = {};
  bool written = stream != nullptr && fwrite(&head, sizeof head, 1, stream) == 1 && WriteAll(stream, at_end) &&
                 fstat(fileno(stream), &made) == 0;
  const int saved_errno = errno;
  if (stream != nullptr && FreeFile(stream) != 0)
    written = false;
  else
    errno = saved_errno;
  if (!written) {
    ereport(level, (errcode_for_file_access(), errmsg("could not write file \"%s\": %m", kNewFile),
                    errdetail("It is to keep how far sequences have come.")));
    return false;
  }
  if (durable_rename(kNewFile, kFile, level) != 0) return false;
  shared->device = made.st_dev;
  shared->inode = made.st_ino;
  return true;
}

// After a crash, or a shutdown in the middle of a change, the records that were written ahead are there.
void SaveAtEnd(int code, Datum) {
  if (code == 0 && !shared->is_changing) Save(true, LOG);
}

void RequestHook() {
  if (previous_request_hook != nullptr) previous_request_hook();
  RequestAddinShmemSpace(MemorySize());
  RequestNamedLWLockTranche("idgen_marks", 1);
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
    shared->lock = &GetNamedLWLockTranche("idgen_marks")->lock;
    ConditionVariableInit(&shared->kept);
  }
  LWLockRelease(AddinShmemInitLock);
  if (IsUnderPostmaster || found || max_marks == 0) return;
  if (!pg_strong_random(&shared->secret, sizeof shared->secret))
    ereport(FATAL, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not generate a random number")));
  Load();
  if (!Save(false, LOG))
    ereport(LOG, (errmsg("idgen cannot record how far sequences have come"),
                  errdetail("Transactions that need that get an error until the file \"%s\" can be written.", kFile)));
  on_shmem_exit(SaveAtEnd, Int32GetDatum(0));  // of the postmaster: no backend lives then
}

[[noreturn]] void RaiseFileError(const char* what) {
  ereport(ERROR,
          (errcode_for_file_access(), errmsg("could not %s file \"%s\": %m", what, kFile),
           errdetail("It keeps how far sequences have come. Values that were asked for are skipped, not given.")));
}

// For the keeper, like all that follows down to Keep().

// Opens the file. One that is gone, or another than was written, is written again: this process, or others, may have
// the one open that is gone. So is one that could not be synced: the kernel may take pages that it could not write for
// clean.
void OpenFile() {
  struct stat now;
  const bool is_known = shared->inode != 0;
  if (!is_known || stat(kFile, &now) != 0 || now.st_ino != shared->inode || now.st_dev != shared->device) {
    if (is_known) ereport(LOG, (errmsg("idgen: the file \"%s\" was removed or replaced; it is written again", kFile)));
    Save(false, ERROR);
  }
  if (file >= 0 && file_inode != shared->inode) {
    FileClose(file);
    file = -1;
  }
  if (file >= 0) return;
  file = PathNameOpenFile(kFile, O_RDWR | PG_BINARY);
  if (file < 0) RaiseFileError("open");
  file_inode = shared->inode;
}

// The next record of the queue; `writes`: where there is none, all up to this one are in the file.
bool TakeRecord(size_t* place, MarkRecord* record, uint64* writes) {
  LWLockAcquire(shared->lock, LW_EXCLUSIVE);
  sequencer::Marks table = Table();
  const bool is_there = table.TakeUnwritten(place);
  if (is_there) *record = table.Record(*place, false);
  *writes = table.writes();
  LWLockRelease(shared->lock);
  return is_there;
}

void WriteOut() {
  size_t place;
  MarkRecord record;
  uint64 writes;
  while (TakeRecord(&place, &record, &writes)) {
    if (FileWrite(file, reinterpret_cast<char*>(&record), sizeof record,
                  static_cast<off_t>(sizeof(FileHead) + place * sizeof record), write_event) == sizeof record)
      continue;
    const int saved_errno = errno;
    LWLockAcquire(shared->lock, LW_EXCLUSIVE);
    Table().NoteUnwritten(place);
    LWLockRelease(shared->lock);
    errno = saved_errno;
    RaiseFileError("write");
  }
  shared->written.store(writes);
}

void SyncOut() {
  const uint64 writes = shared->written.load(), inode = shared->inode;
  shared->inode = 0;  // unless it is synced
  if (FileSync(file, sync_event) != 0) RaiseFileError("sync");
  shared->inode = inode;
  shared->synced.store(writes);
}

bool BecomeKeeper() {
  uint64 nobody = 0;
  return shared->keeper.compare_exchange_strong(nobody, static_cast<uint64>(MyProcPid));
}

// Also of who ends in the middle.
void EndKeeping() {
  if (shared->keeper.load() != static_cast<uint64>(MyProcPid)) return;
  shared->keeper.store(0);
  ConditionVariableBroadcast(&shared->kept);
}

void EndKeepingAtExit(int, Datum) { EndKeeping(); }

// Until another has ended what it writes or syncs, or longer: the caller looks again.
void WaitForKeeper(const core::Word& done, uint64 write, int64 until_us) {
  const int64 left_us = until_us - io::BootUs();
  if (left_us <= 0)
    ereport(ERROR, (errcode(ERRCODE_IO_ERROR), errmsg("the disk does not answer"),
                    errdetail("Process %llu has not finished writing the file \"%s\", which keeps how far sequences "
                              "have come. Values that were asked for are skipped, not given.",
                              static_cast<unsigned long long>(shared->keeper.load()), kFile)));
  const bool is_limited = until_us != io::kNever;
  ConditionVariablePrepareToSleep(&shared->kept);
  if (shared->keeper.load() != 0 && write > done.load())
    ConditionVariableTimedSleep(&shared->kept, is_limited ? static_cast<long>(left_us / core::kUsPerMs + 1) : -1,
                                wait_event);
  ConditionVariableCancelSleep();
}

// Until `done` covers the write: by this process, or by another that writes for all.
void Keep(const core::Word& done, uint64 write, bool on_disk, int64 until_us) {
  static bool registered = false;
  if (!registered) {
    write_event = NewWaitEvent("IdgenMarksWrite");
    sync_event = NewWaitEvent("IdgenMarksSync");
    wait_event = NewWaitEvent("IdgenMarksWait");
    before_shmem_exit(EndKeepingAtExit, Datum{0});
    registered = true;
  }
  while (write > done.load()) {
    CHECK_FOR_INTERRUPTS();
    if (!BecomeKeeper()) {
      WaitForKeeper(done, write, until_us);
      continue;
    }
    PG_TRY();
    {
      OpenFile();
      WriteOut();
      if (on_disk) SyncOut();
    }
    PG_FINALLY();
    { EndKeeping(); }
    PG_END_TRY();
  }
}

void BeginChange() {
  LWLockAcquire(shared->lock, LW_EXCLUSIVE);
  shared->is_changing = true;
}

void EndChange() {
  shared->is_changing = false;
  LWLockRelease(shared->lock);
}

// Whose keys the current session's are: by the owner of the database, who may make as many databases as he likes, and
// by who logged in, which no function changes. Nobody holds a lock here: the owner is looked up once.
uint64 Owner() {
  static Oid owner_of_database = InvalidOid;
  if (MyDatabaseId == InvalidOid) return 0;
  if (owner_of_database == InvalidOid) {
    const HeapTuple tuple = SearchSysCache1(DATABASEOID, ObjectIdGetDatum(MyDatabaseId));
    if (!HeapTupleIsValid(tuple)) elog(ERROR, "cache lookup failed for database %u", MyDatabaseId);
    owner_of_database = reinterpret_cast<Form_pg_database>(GETSTRUCT(tuple))->datdba;
    ReleaseSysCache(tuple);
  }
  return static_cast<uint64>(owner_of_database) << 32 | GetSessionUserId();
}

void AtTransactionEnd(XactEvent event, void*) {
  if (awaited_mark == 0) return;
  const uint64 write = awaited_mark;
  switch (event) {
    case XACT_EVENT_PRE_COMMIT:
    case XACT_EVENT_PARALLEL_PRE_COMMIT:
    case XACT_EVENT_PRE_PREPARE:
      if (write <= MarksSynced()) break;
      if (synchronous_commit == SYNCHRONOUS_COMMIT_OFF) {
        WriteMarks(write, io::kNever);
        if (AskForSync()) break;
      }
      SyncMarks(write, io::kNever);
      break;
    default: break;
  }
  awaited_mark = 0;
}

}  // namespace

void DefineMarksSetting() {
  if (!process_shared_preload_libraries_in_progress) return;
  DefineCustomIntVariable("idgen.max_sequence_marks",
                          "Sets the maximum number of keys with a recorded high-water mark.",
                          "For these keys, a sequence store that has lost data is detected and raised. Keys that were "
                          "used only once are evicted first. 0 means none.",
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

sequencer::KeyHash HashOfMark(const sequencer::StoreKey& key) noexcept {
  return sequencer::HashOf(key.value(), shared->secret);
}

void FindMarks(sequencer::Known* known, int count) {
  LWLockAcquire(shared->lock, LW_EXCLUSIVE);
  sequencer::Marks table = Table();
  for (int i = 0; i < count; ++i) known[i] = table.Find(known[i].hash);
  LWLockRelease(shared->lock);
}

int NoteMarksSimply(const sequencer::Known* known, const sequencer::Answer* answers, int count, uint64 writer,
                    uint64* write) {
  const uint64 owner = Owner();
  LWLockAcquire(shared->lock, LW_EXCLUSIVE);
  sequencer::Marks table = Table();
  int noted = 0;
  for (uint64 covered; noted < count && answers[noted].outcome == sequencer::Answer::Outcome::kOk; ++noted) {
    const sequencer::Grant& grant = answers[noted].grant;
    const sequencer::Marks::Given given = {
        .mark = {.generation = answers[noted].generation, .value = grant.Value(grant.count - 1)},
        .first = grant.Value(0),
        .writer = writer,
        .losses = known[noted].losses,
        .owner = owner};
    if (!table.NoteSimply(known[noted], given, &covered)) break;
    *write = Max(*write, covered);
  }
  LWLockRelease(shared->lock);
  return noted;
}

bool NoteMark(const sequencer::KeyHash& key, sequencer::Marks::Given given, const sequencer::Definition& definition,
              uint64* write) {
  given.owner = Owner();
  BeginChange();
  const sequencer::Marks::Noted noted = Table().Note(key, given, definition, io::BootUs());
  EndChange();
  *write = noted.write;
  return !noted.is_doubtful;
}

void TakeMarkBack(const sequencer::KeyHash& key, const sequencer::Mark& noted, int64 value, int64 until_us) {
  BeginChange();
  const uint64 write = Table().TakeBack(key, noted, value).write;
  EndChange();
  WriteMarks(write, until_us);
}

bool MayTellLoss(int64* untold) {
  constexpr int64 kMost = 10;
  const int64 second = io::BootUs() / core::kUsPerSecond;
  LWLockAcquire(shared->lock, LW_EXCLUSIVE);
  if (shared->told_second != second) shared->told = 0;
  shared->told_second = second;
  const bool may = shared->told < kMost;
  *untold = may ? shared->untold : 0;
  shared->untold = may ? 0 : shared->untold + 1;
  if (may) ++shared->told;
  LWLockRelease(shared->lock);
  return may;
}

void WriteMarks(uint64 write, int64 until_us) { Keep(shared->written, write, false, until_us); }

void SyncMarks(uint64 write, int64 until_us) { Keep(shared->synced, write, true, until_us); }

void SyncAllMarks() {
  if (!HasMarkMemory()) return;
  LWLockAcquire(shared->lock, LW_SHARED);
  const uint64 writes = Table().writes();
  LWLockRelease(shared->lock);
  SyncMarks(writes, io::kNever);
}

}  // namespace idgen::pg
