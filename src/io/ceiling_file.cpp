// Reading, validating and rewriting the local file.
#include "io/ceiling_file.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <optional>

#include "core/fnv.h"

namespace idgen::io {

using wire::CeilingRecord;
using wire::kLeasedCeilingRecordBytes;

namespace {

constexpr size_t kSuffixBytes = 16;

// A file begins with two records, which are rewritten in turn: it holds serials n and n - 1 at any time. A record that
// cannot be read may have been the newer one, so the other one proves nothing.
bool Whole(const std::optional<CeilingRecord> (&records)[2]) noexcept {
  return records[0] && records[1] &&
         (records[0]->serial + 1 == records[1]->serial || records[1]->serial + 1 == records[0]->serial);
}

// A time of birth that either side does not know says nothing.
bool SameFile(const FileIdentity& a, const FileIdentity& b) noexcept {
  return a.inode == b.inode && (a.born_ns == b.born_ns || a.born_ns == 0 || b.born_ns == 0);
}

int MissingIsFine(int result) noexcept { return result == -ENOENT ? 0 : result; }

}  // namespace

uint64_t BackupOf(Disk& disk, const char* directory) noexcept {
  char path[CeilingFile::kPathBytes];
  std::snprintf(path, sizeof path, "%s/backup_label.old", directory);
  const int fd = disk.OpenExisting(path);
  if (fd == -ENOENT) return 0;
  // A file that cannot be read counts as a backup of its own.
  uint64_t hash = core::kFnvStart;
  uint8_t bytes[4096];
  const int64_t got = fd < 0 ? 0 : disk.ReadAt(fd, bytes, sizeof bytes, 0);
  if (got > 0) hash = core::Fnv(hash, bytes, static_cast<size_t>(got));
  if (fd >= 0) disk.Close(fd);
  return hash;
}

CeilingFile::CeilingFile(Disk& disk, const char* directory, unsigned mode) noexcept
    : disk_(disk), directory_(directory), mode_(mode) {
  std::snprintf(path_, sizeof path_, "%s/%s", directory, kName);
}

void CeilingFile::Close() noexcept {
  if (fd_ >= 0) disk_.Close(fd_);
  fd_ = -1;
}

FileView CeilingFile::Read(const ClusterId& cluster) noexcept {
  // After a failed sync, the bytes read here may exist only in the kernel's cache. So the first write makes a new file:
  // a write in place could overwrite the only record on disk.
  Close();
  FileView view;
  const int fd = disk_.OpenExisting(path_);
  if (fd == -ENOENT) return view;
  const int result = fd < 0 ? fd : Validate(fd, cluster, &view);
  if (fd >= 0) disk_.Close(fd);
  if (result < 0) view = {.state = FileState::kUnreadable, .error = -result};
  return view;
}

int CeilingFile::Validate(int fd, const ClusterId& cluster, FileView* view) noexcept {
  FileIdentity identity;
  if (const int result = disk_.Identify(fd, &identity); result < 0) return result;
  CeilingRecord newest;
  std::optional<CeilingRecord> records[2];
  bool foreign = false;
  for (int64_t i = 0; i < 2; ++i) {
    uint8_t bytes[kLeasedCeilingRecordBytes];
    const int64_t got = disk_.ReadAt(fd, bytes, sizeof bytes, i * kRecordSpacing);
    if (got < 0) return static_cast<int>(got);
    records[i] = wire::DecodeCeilingRecord(bytes, static_cast<size_t>(got));
    if (!records[i]) continue;
    foreign = foreign || records[i]->system_identifier != cluster.system_identifier;
    view->ceiling_ms = std::max({view->ceiling_ms, records[i]->ceiling_ms, records[i]->past_ms});
    if (records[i]->serial >= newest.serial) newest = *records[i];
  }
  if (!Whole(records))
    view->state = FileState::kDamaged;
  else if (foreign)
    view->state = FileState::kOtherSystem;
  else if (!SameFile({.inode = newest.inode, .born_ns = newest.born_ns}, identity))
    view->state = FileState::kCopy;
  else if (newest.timeline != cluster.timeline)
    view->state = FileState::kPromoted;
  else if (cluster.backup != 0 && newest.backup != cluster.backup)
    view->state = FileState::kRestored;
  else
    view->state = newest.ceiling_ms == 0 ? FileState::kNew : FileState::kOwn;
  view->source = newest.source;
  view->past_ms = newest.past_ms;
  view->lease = newest.lease;
  // A clean stop writes a lower ceiling than the record before it, so for the file's own server the newest counts.
  if (view->state == FileState::kOwn) view->ceiling_ms = std::max(newest.ceiling_ms, newest.past_ms);
  return 0;
}

int CeilingFile::Write(const ClusterId& cluster, const Ceiling& ceiling) noexcept {
  int result;
  if (fd_ >= 0) {
    result = WriteInPlace(cluster, ceiling);
  } else {
    char path[kPathBytes + kSuffixBytes];
    std::snprintf(path, sizeof path, "%s.new", path_);
    result = WriteNewFile(path, cluster, ceiling);
    if (result == 0) result = disk_.Rename(path, path_);
    if (result == 0) result = disk_.SyncDirectory(directory_);
  }
  if (result < 0) Close();
  return result;
}

bool CeilingFile::CloseIfGone() noexcept {
  if (fd_ < 0) return false;
  FileIdentity named;
  const int fd = disk_.OpenExisting(path_);
  const int result = fd < 0 ? fd : disk_.Identify(fd, &named);
  if (fd >= 0) disk_.Close(fd);
  if (result == 0 && SameFile(named, identity_)) return false;
  Close();
  return true;
}

int CeilingFile::WriteInPlace(const ClusterId& cluster, const Ceiling& ceiling) noexcept {
  if (const int result = PutRecord(cluster, ceiling); result < 0) return result;
  return disk_.Sync(fd_);
}

int CeilingFile::PutRecord(const ClusterId& cluster, const Ceiling& ceiling) noexcept {
  uint8_t bytes[kLeasedCeilingRecordBytes];
  const CeilingRecord record{.serial = serial_++,
                             .ceiling_ms = ceiling.ceiling_ms,
                             .system_identifier = cluster.system_identifier,
                             .timeline = cluster.timeline,
                             .inode = identity_.inode,
                             .born_ns = identity_.born_ns,
                             .source = ceiling.source,
                             .past_ms = ceiling.past_ms,
                             .backup = cluster.backup,
                             .lease = ceiling.lease};
  const size_t size = wire::EncodeCeilingRecord(record, bytes);
  return disk_.WriteAt(fd_, bytes, size, static_cast<int64_t>(record.serial % 2) * kRecordSpacing);
}

int CeilingFile::WriteNewFile(const char* path, const ClusterId& cluster, const Ceiling& ceiling) noexcept {
  if (const int result = MissingIsFine(disk_.Unlink(path)); result < 0) return result;
  const int fd = disk_.CreateNew(path, mode_);
  if (fd < 0) return fd;
  Close();
  fd_ = fd;
  serial_ = 0;
  if (const int result = disk_.Identify(fd, &identity_); result < 0) return result;
  if (const int result = PutRecord(cluster, ceiling); result < 0) return result;
  return WriteInPlace(cluster, ceiling);
}

int CeilingFile::CreateForNewServer(const ClusterId& cluster, int unique) noexcept {
  char path[kPathBytes + kSuffixBytes];
  std::snprintf(path, sizeof path, "%s.%d", path_, unique);
  int result = WriteNewFile(path, cluster, {});
  Close();
  if (result == 0) result = disk_.Link(path, path_);
  disk_.Unlink(path);
  if (result == 0) result = disk_.SyncDirectory(directory_);
  return result;
}

}  // namespace idgen::io
