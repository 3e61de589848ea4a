// Reads the file when the server starts, and writes, syncs and replaces it.
#include "pg/sequence_host/mark_file.h"

#include "io/clock.h"
#include "io/transport.h"
#include "pg/base/locks.h"

#include <cerrno>
#include <cstdio>
#include <cstring>

#include <sys/stat.h>

namespace idgen::pg {

sequencer::MarkProgress* mark_progress = nullptr;

namespace {

using sequencer::MarkRecord;

int max_marks = 4096;

struct alignas(PG_CACHE_LINE_SIZE) SharedMarks {
  sequencer::MarkProgress progress;
  ConditionVariable kept;  // the keeper has ended
  core::SipKey secret;     // of the hashes of keys; stored in the file, and never changes while the server runs
  // The file that was last written completely; 0: none was, or it is unknown how much of it is on disk.
  uint64 inode, device;
  // A mark is being changed. A process that is killed in the middle, in an immediate shutdown, leaves it true.
  volatile bool is_changing;
  int64 log_second;  // of the boot-time clock
  int64 logged, suppressed;
  LWLock lock;  // never held while waiting for the disk
};
SharedMarks* shared = nullptr;  // nullptr if the library is not preloaded
void* table_memory = nullptr;
File file = -1;  // of this process
uint64 file_inode = 0;
int write_errno = 0;

// The file: this head, and a record for each slot of the table. Missing records only mean less protection.
constexpr const char* kFile = "idgen.marks";
constexpr const char* kNewFile = "idgen.marks.new";
struct FileHead {
  char magic[8];
  uint64 slots;
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
    if (errno != ENOENT)
      ereport(LOG, (errcode_for_file_access(), errmsg("idgen: could not read file \"%s\": %m", kFile)));
    return;
  }
  FileHead head;
  uint64 damaged = 0, read = 0;
  const bool is_ours = fread(&head, sizeof head, 1, stream) == 1 && memcmp(head.magic, kMagic, sizeof kMagic) == 0;
  if (is_ours) shared->secret = head.secret;
  for (MarkRecord record; is_ours && read < head.slots && fread(&record, sizeof record, 1, stream) == 1; ++read) {
    if (record.used != 0 && !record.IsWhole()) ++damaged;
    Table().Load(record);
  }
  FreeFile(stream);
  if (!is_ours)
    ereport(LOG, (errmsg("idgen: ignoring file \"%s\"", kFile),
                  errdetail("It is damaged or has another format. High-water marks are recorded again from the next "
                            "values.")));
  else if (damaged > 0 || read < head.slots)
    ereport(LOG,
            (errmsg("idgen: ignoring parts of file \"%s\"", kFile),
             errdetail("Of %llu records, %llu are damaged and %llu are missing. Their high-water marks are recorded "
                       "again from the next values.",
                       static_cast<unsigned long long>(head.slots), static_cast<unsigned long long>(damaged),
                       static_cast<unsigned long long>(head.slots - read))));
}

// Many records per lock, so that others can note marks in between. The postmaster, at start and stop, is alone.
bool WriteAll(FILE* stream, bool at_end) {
  static MarkRecord records[128];
  const sequencer::Marks table = Table();
  for (size_t slot = 0; slot < table.slots();) {
    size_t count = 0;
    if (IsUnderPostmaster) AcquireLock(&shared->lock, LW_SHARED);
    while (count < lengthof(records) && slot < table.slots()) records[count++] = table.Record(slot++, at_end);
    if (IsUnderPostmaster) LWLockRelease(&shared->lock);
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
  head.slots = Table().slots();
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
    ereport(level,
            (errcode_for_file_access(),
             errmsg(level == ERROR ? "could not write file \"%s\": %m" : "idgen: could not write file \"%s\": %m",
                    kNewFile),
             errdetail("This file keeps the high-water marks of sequences.")));
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

void Attach(void* memory, int tranche, bool is_new) {
  shared = static_cast<SharedMarks*>(memory);
  table_memory = shared + 1;
  mark_progress = &shared->progress;
  RegisterLock(OwnLock::kMarks, &shared->lock);
  if (!is_new) return;
  LWLockInitialize(&shared->lock, tranche);
  ConditionVariableInit(&shared->kept);
}

void Start() {
  if (max_marks == 0) return;
  if (!pg_strong_random(&shared->secret, sizeof shared->secret))
    ereport(FATAL, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not generate a random number")));
  Load();
  if (!Save(false, LOG))
    ereport(LOG, (errmsg("idgen: could not record high-water marks of sequences"),
                  errdetail("Transactions that need them fail until file \"%s\" can be written.", kFile)));
  on_shmem_exit(SaveAtEnd, Int32GetDatum(0));  // of the postmaster: no backend lives then
}

[[noreturn]] void RaiseFileError(const char* what) {
  ereport(ERROR, (errcode_for_file_access(), errmsg("could not %s file \"%s\": %m", what, kFile),
                  errdetail("This file keeps the high-water marks of sequences. The requested values are skipped.")));
}

}  // namespace

// If the file is gone or was replaced, it is written again: this process, or others, may have the one open that is
// gone. The same if it could not be synced: the kernel may take pages that it failed to write for clean.
void OpenMarkFile() {
  struct stat now;
  const bool is_known = shared->inode != 0;
  if (!is_known || stat(kFile, &now) != 0 || now.st_ino != shared->inode || now.st_dev != shared->device) {
    if (is_known) ereport(LOG, (errmsg("idgen: file \"%s\" was removed or replaced; it is written again", kFile)));
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

bool WriteMarkRecord(size_t slot, const MarkRecord& record) {
  IDGEN_CHECK(!HoldsLock());
  static uint32 wait_event = 0;
  if (wait_event == 0) wait_event = NewWaitEvent("IdgenMarksWrite");
  MarkRecord written = record;
  const auto offset = static_cast<off_t>(sizeof(FileHead) + slot * sizeof written);
  if (FileWrite(file, reinterpret_cast<char*>(&written), sizeof written, offset, wait_event) == sizeof written)
    return true;
  write_errno = errno;
  return false;
}

void FailMarkWrite() {
  errno = write_errno;
  RaiseFileError("write");
}

void SyncMarkFile() {
  IDGEN_CHECK(!HoldsLock());
  static uint32 wait_event = 0;
  if (wait_event == 0) wait_event = NewWaitEvent("IdgenMarksSync");
  const uint64 inode = shared->inode;
  shared->inode = 0;  // unless the sync succeeds
  if (FileSync(file, wait_event) != 0) RaiseFileError("sync");
  shared->inode = inode;
}

void WaitForMarkKeeper(const core::Word& done, uint64 write, int64 until_us) {
  IDGEN_CHECK(!HoldsLock());
  static uint32 wait_event = 0;
  if (wait_event == 0) wait_event = NewWaitEvent("IdgenMarksWait");
  const core::Word& keeper = shared->progress.keeper;
  const int64 left_us = until_us - io::BootUs();
  if (left_us <= 0)
    ereport(ERROR, (errcode(ERRCODE_IO_ERROR), errmsg("timeout while waiting for file \"%s\"", kFile),
                    errdetail("Process %llu has not finished writing the file, which keeps the high-water marks of "
                              "sequences. The requested values are skipped.",
                              static_cast<unsigned long long>(keeper.load()))));
  const bool is_limited = until_us != io::kNever;
  ConditionVariablePrepareToSleep(&shared->kept);
  if (keeper.load() != 0 && write > done.load())
    ConditionVariableTimedSleep(&shared->kept, is_limited ? static_cast<long>(left_us / core::kUsPerMs + 1) : -1,
                                wait_event);
  ConditionVariableCancelSleep();
}

void WakeMarkKeepers() { ConditionVariableBroadcast(&shared->kept); }

sequencer::Marks LockMarks() {
  AcquireLock(&shared->lock, LW_EXCLUSIVE);
  return Table();
}

void UnlockMarks() { LWLockRelease(&shared->lock); }

sequencer::Marks BeginMarkChange() {
  AcquireLock(&shared->lock, LW_EXCLUSIVE);
  shared->is_changing = true;
  return Table();
}

void EndMarkChange() {
  shared->is_changing = false;
  LWLockRelease(&shared->lock);
}

void DefineMarksSetting() {
  if (!process_shared_preload_libraries_in_progress) return;
  DefineCustomIntVariable("idgen.max_sequence_marks",
                          "Sets the maximum number of keys with a recorded high-water mark.",
                          "For these keys, a sequence store that has lost data is detected and raised. Keys that were "
                          "used only once are evicted first. 0 means none.",
                          &max_marks, 4096, 0, 1 << 20, PGC_POSTMASTER, 0, nullptr, nullptr, nullptr);
}

const SharedPart mark_part = {"idgen marks", "idgen_marks", MemorySize, Attach, Start};

bool HasMarkMemory() noexcept { return shared != nullptr && max_marks > 0; }

sequencer::KeyHash HashOfMark(const sequencer::StoreKey& key) noexcept {
  return sequencer::HashOf(key.value(), shared->secret);
}

bool MayLogLoss(int64* suppressed) {
  constexpr int64 kMaxPerSecond = 10;
  const int64 second = io::BootUs() / core::kUsPerSecond;
  AcquireLock(&shared->lock, LW_EXCLUSIVE);
  if (shared->log_second != second) shared->logged = 0;
  shared->log_second = second;
  const bool may = shared->logged < kMaxPerSecond;
  *suppressed = may ? shared->suppressed : 0;
  shared->suppressed = may ? 0 : shared->suppressed + 1;
  if (may) ++shared->logged;
  LWLockRelease(&shared->lock);
  return may;
}

}  // namespace idgen::pg
