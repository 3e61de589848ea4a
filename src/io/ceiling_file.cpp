// Reading, judging and rewriting the local file.
#include "io/ceiling_file.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <optional>

namespace idgen::io {

using wire::CeilingRecord;
using wire::kCeilingRecordBytes;

namespace {

constexpr size_t kSuffixBytes = 16;

// Serials are written in turn: n and n - 1 stand in the file, only the first alone. Where one of the two can't be read
// it may have been the newer, so the other proves nothing.
bool Whole(const std::optional<CeilingRecord> (&records)[2]) noexcept {
  if (records[0] && records[1])
    return records[0]->serial + 1 == records[1]->serial || records[1]->serial + 1 == records[0]->serial;
  return records[1] && records[1]->serial == 1;
}

}  // namespace

CeilingFile::CeilingFile(Disk& disk, const char* directory, unsigned mode) noexcept
    : disk_(disk), directory_(directory), mode_(mode) {
  std::snprintf(path_, sizeof path_, "%s/%s", directory, kName);
}

void CeilingFile::Close() noexcept {
  if (fd_ >= 0) disk_.Close(fd_);
  fd_ = -1;
}

FileView CeilingFile::Read(const ClusterId& cluster) noexcept {
  Close();
  FileView view;
  const auto unreadable = [&](int64_t result) {
    view.state = FileState::kUnreadable;
    view.error = static_cast<int>(-result);
    Close();
    return view;
  };
  fd_ = disk_.OpenExisting(path_);
  if (fd_ == -ENOENT) return view;
  if (fd_ < 0) return unreadable(fd_);
  const int64_t inode = disk_.Inode(fd_);
  if (inode < 0) return unreadable(inode);

  CeilingRecord newest;
  std::optional<CeilingRecord> records[2];
  bool foreign = false;
  for (int64_t i = 0; i < 2; ++i) {
    uint8_t bytes[kCeilingRecordBytes];
    const int64_t got = disk_.ReadAt(fd_, bytes, sizeof bytes, i * kRecordSpacing);
    if (got < 0) return unreadable(got);
    records[i] = wire::DecodeCeilingRecord(bytes, static_cast<size_t>(got));
    if (!records[i]) continue;
    foreign = foreign || records[i]->system_identifier != cluster.system_identifier;
    view.ceiling_ms = std::max(view.ceiling_ms, records[i]->ceiling_ms);
    if (records[i]->serial > newest.serial) newest = *records[i];
  }
  if (!Whole(records))
    view.state = FileState::kDamaged;
  else if (foreign)
    view.state = FileState::kOtherSystem;
  else if (newest.inode != static_cast<uint64_t>(inode))
    view.state = FileState::kCopy;
  else if (newest.timeline != cluster.timeline)
    view.state = FileState::kPromoted;
  else
    view.state = newest.ceiling_ms == 0 ? FileState::kNew : FileState::kOwn;

  // A clean stop writes a lower ceiling than the record before it, so for the file's own server the newest counts.
  if (view.state == FileState::kOwn) view.ceiling_ms = newest.ceiling_ms;
  inode_ = static_cast<uint64_t>(inode);
  serial_ = newest.serial;
  if (view.state != FileState::kOwn && view.state != FileState::kNew) Close();
  return view;
}

int CeilingFile::Write(const ClusterId& cluster, int64_t ceiling_ms) noexcept {
  int result;
  if (fd_ >= 0) {
    result = WriteInPlace(cluster, ceiling_ms);
  } else {
    char path[kPathBytes + kSuffixBytes];
    std::snprintf(path, sizeof path, "%s.new", path_);
    disk_.Unlink(path);
    result = WriteNewFile(path, cluster, ceiling_ms);
    if (result == 0) result = disk_.Rename(path, path_);
    if (result == 0) result = disk_.SyncDirectory(directory_);
  }
  if (result < 0) Close();
  return result;
}

int CeilingFile::WriteInPlace(const ClusterId& cluster, int64_t ceiling_ms) noexcept {
  uint8_t bytes[kCeilingRecordBytes];
  const CeilingRecord record{.serial = serial_ + 1,
                             .ceiling_ms = ceiling_ms,
                             .system_identifier = cluster.system_identifier,
                             .timeline = cluster.timeline,
                             .inode = inode_};
  wire::EncodeCeilingRecord(record, bytes);
  const int64_t offset = static_cast<int64_t>(record.serial % 2) * kRecordSpacing;
  if (const int result = disk_.WriteAt(fd_, bytes, sizeof bytes, offset); result < 0) return result;
  if (const int result = disk_.Sync(fd_); result < 0) return result;
  serial_ = record.serial;
  return 0;
}

int CeilingFile::WriteNewFile(const char* path, const ClusterId& cluster, int64_t ceiling_ms) noexcept {
  const int fd = disk_.CreateNew(path, mode_);
  if (fd < 0) return fd;
  Close();
  fd_ = fd;
  serial_ = 0;
  const int64_t inode = disk_.Inode(fd);
  if (inode < 0) return static_cast<int>(inode);
  inode_ = static_cast<uint64_t>(inode);
  return WriteInPlace(cluster, ceiling_ms);
}

int CeilingFile::CreateForNewServer(const ClusterId& cluster, int unique) noexcept {
  char path[kPathBytes + kSuffixBytes];
  std::snprintf(path, sizeof path, "%s.%d", path_, unique);
  disk_.Unlink(path);
  int result = WriteNewFile(path, cluster, 0);
  Close();
  if (result == 0) result = disk_.Link(path, path_);
  disk_.Unlink(path);
  if (result == 0) result = disk_.SyncDirectory(directory_);
  return result;
}

}  // namespace idgen::io
