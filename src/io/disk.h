// The few file operations that the local file needs, as one seam, so that a test can make each of them fail.
// Every call returns 0 or a value, or a negative errno.
#pragma once

#include <cstddef>
#include <cstdint>

namespace idgen::io {

// Which file it is, for ever: the number of an inode is given out again once the file is gone.
struct FileIdentity {
  uint64_t inode = 0;
  uint64_t born_ns = 0;  // Unix time; 0 where the file system doesn't tell

  bool operator==(const FileIdentity&) const noexcept = default;
};

class Disk {
 public:
  virtual int OpenExisting(const char* path) noexcept = 0;              // read and write; the descriptor
  virtual int CreateNew(const char* path, unsigned mode) noexcept = 0;  // fails with EEXIST; the descriptor
  virtual int Identify(int fd, FileIdentity* identity) noexcept = 0;
  virtual int64_t ReadAt(int fd, void* to, size_t size, int64_t offset) noexcept = 0;  // bytes read, short at the end
  virtual int WriteAt(int fd, const void* from, size_t size, int64_t offset) noexcept = 0;
  virtual int Sync(int fd) noexcept = 0;
  virtual int SyncDirectory(const char* path) noexcept = 0;
  virtual int Rename(const char* from, const char* to) noexcept = 0;
  virtual int Link(const char* from, const char* to) noexcept = 0;  // fails with EEXIST
  virtual int Unlink(const char* path) noexcept = 0;
  virtual void Close(int fd) noexcept = 0;

 protected:
  ~Disk() = default;  // never owned through this interface
};

// The real one. It syncs whatever the server's own fsync setting says.
Disk& PosixDisk() noexcept;

}  // namespace idgen::io
