// The few file operations that the local file needs, as an interface, so that a test can make each of them fail.
// Every call returns 0 or a value, or a negative errno.
#pragma once

#include <cstddef>
#include <cstdint>

namespace idgen::io {

// Identifies a file for ever: an inode number alone is reused once the file is gone.
struct FileIdentity {
  uint64_t inode = 0;
  uint64_t born_ns = 0;  // Unix time; 0 if the file system does not say

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

// The real one. It syncs even if the server's fsync setting is off.
Disk& PosixDisk() noexcept;

}  // namespace idgen::io
