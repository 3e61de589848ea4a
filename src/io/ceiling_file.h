// The local file: the durable ceiling of a server, whatever source gives it its worker id. Two records, written in
// turn, so that a write cut short by a crash leaves the other. One process writes it at a time: the background worker.
#pragma once

#include <cstdint>

#include "io/disk.h"
#include "wire/ceiling_record.h"

namespace idgen::io {

// Identifies this cluster: a record with other values was written elsewhere, or before a promotion.
struct ClusterId {
  uint64_t system_identifier = 0;
  uint32_t timeline = 0;
  uint64_t backup = 0;  // see BackupOf
};

// The durable ceiling and its source: fields of a record (src/wire/ceiling_record.h).
struct Ceiling {
  int64_t ceiling_ms = 0;
  uint64_t source = 0;
  int64_t past_ms = 0;
  wire::RecordedLease lease = {};
};

enum class FileState : uint8_t {
  kOwn,  // written by this cluster on this timeline, in this very file
  kNew,  // own, and no ceiling was ever written
  kMissing,
  kDamaged,      // a record is missing or invalid
  kCopy,         // written to another inode: the data directory is a copy
  kOtherSystem,  // another cluster's
  kPromoted,     // this cluster's, from another timeline: promoted, or recovered to a point in time
  kRestored,     // this cluster's, from before a backup was restored over it
  kUnreadable,   // an operation failed with `error`; nothing may be concluded
};

struct FileView {
  FileState state = FileState::kMissing;
  int64_t ceiling_ms = 0;          // the highest of any readable record, its past included; 0 without one
  uint64_t source = 0;             // of the newest record
  int64_t past_ms = 0;             // of the newest record
  wire::RecordedLease lease = {};  // of the newest record
  int error = 0;                   // errno, for kUnreadable
};

// A number for the backup that the data directory was restored from, if any: every restored backup leaves another
// backup_label.old. 0 without one.
uint64_t BackupOf(Disk& disk, const char* directory) noexcept;

class CeilingFile {
 public:
  static constexpr int64_t kRecordSpacing = 4096;  // each in a sector of its own, even if sectors are large
  static constexpr const char* kName = "idgen.ceiling";

  static constexpr size_t kPathBytes = 1024;

  // `directory` outlives the object. `mode` is for files it creates.
  CeilingFile(Disk& disk, const char* directory, unsigned mode) noexcept;
  CeilingFile(const CeilingFile&) = delete;
  CeilingFile& operator=(const CeilingFile&) = delete;

  FileView Read(const ClusterId& cluster) noexcept;

  // Makes `ceiling` durable: 0, or a negative errno, after which nothing may be concluded about the disk and the
  // next call writes a whole new file. A failed sync may have dropped the pages it could not write, so a second sync
  // of the same file would prove nothing.
  int Write(const ClusterId& cluster, const Ceiling& ceiling) noexcept;
  int Write(const ClusterId& cluster, int64_t ceiling_ms) noexcept {
    return Write(cluster, Ceiling{.ceiling_ms = ceiling_ms});
  }

  // The last Write made its ceiling durable, and the file has not been found removed since.
  bool is_open() const noexcept { return fd_ >= 0; }

  // True if the file that Write keeps open has been removed or replaced. The next Write then makes a new one.
  bool CloseIfGone() noexcept;

  // Declares the server new: 0, -EEXIST if there is a file, or another negative errno. Any process may call it while
  // others read: the file appears complete or not at all. `unique` differs from that of concurrent callers.
  int CreateForNewServer(const ClusterId& cluster, int unique) noexcept;

  // Not a destructor: the object lives in frames that PostgreSQL may leave by longjmp.
  void Close() noexcept;

  const char* path() const noexcept { return path_; }

 private:
  int Validate(int fd, const ClusterId& cluster, FileView* view) noexcept;
  int PutRecord(const ClusterId& cluster, const Ceiling& ceiling) noexcept;
  int WriteInPlace(const ClusterId& cluster, const Ceiling& ceiling) noexcept;
  int WriteNewFile(const char* path, const ClusterId& cluster, const Ceiling& ceiling) noexcept;

  Disk& disk_;
  const char* directory_;
  unsigned mode_;
  int fd_ = -1;  // open only while every record in the file is known to be of this cluster and file
  FileIdentity identity_;
  uint64_t serial_ = 0;
  char path_[kPathBytes];
};

}  // namespace idgen::io
