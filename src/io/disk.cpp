// The file operations of POSIX.
#include "io/disk.h"

#include <cerrno>
#include <cstdio>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace idgen::io {
namespace {

int ResultOf(int returned) noexcept { return returned < 0 ? -errno : returned; }

class Posix final : public Disk {
 public:
  int OpenExisting(const char* path) noexcept override { return ResultOf(open(path, O_RDWR | O_CLOEXEC)); }
  int CreateNew(const char* path, unsigned mode) noexcept override {
    return ResultOf(open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode));
  }
  int Identify(int fd, FileIdentity* identity) noexcept override {
    struct stat status;
    if (fstat(fd, &status) < 0) return -errno;
    identity->inode = static_cast<uint64_t>(status.st_ino);
    identity->born_ns = 0;
#ifdef STATX_BTIME
    struct statx extended;
    if (statx(fd, "", AT_EMPTY_PATH, STATX_BTIME, &extended) == 0 && (extended.stx_mask & STATX_BTIME) != 0)
      identity->born_ns = static_cast<uint64_t>(extended.stx_btime.tv_sec) * 1000000000 + extended.stx_btime.tv_nsec;
#endif
    return 0;
  }
  int64_t ReadAt(int fd, void* to, size_t size, int64_t offset) noexcept override {
    size_t done = 0;
    while (done < size) {
      const ssize_t got = pread(fd, static_cast<char*>(to) + done, size - done,
                                static_cast<off_t>(offset + static_cast<int64_t>(done)));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return -errno;
      if (got == 0) break;
      done += static_cast<size_t>(got);
    }
    return static_cast<int64_t>(done);
  }
  int WriteAt(int fd, const void* from, size_t size, int64_t offset) noexcept override {
    size_t done = 0;
    while (done < size) {
      const ssize_t put = pwrite(fd, static_cast<const char*>(from) + done, size - done,
                                 static_cast<off_t>(offset + static_cast<int64_t>(done)));
      if (put < 0 && errno == EINTR) continue;
      if (put < 0) return -errno;
      done += static_cast<size_t>(put);
    }
    return 0;
  }
  int Sync(int fd) noexcept override { return ResultOf(fsync(fd)); }
  int SyncDirectory(const char* path) noexcept override {
    const int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return -errno;
    int result = ResultOf(fsync(fd));
    if (result == -EINVAL || result == -EBADF) result = 0;  // a file system that cannot sync directories need not
    close(fd);
    return result;
  }
  int Rename(const char* from, const char* to) noexcept override { return ResultOf(rename(from, to)); }
  int Link(const char* from, const char* to) noexcept override { return ResultOf(link(from, to)); }
  int Unlink(const char* path) noexcept override { return ResultOf(unlink(path)); }
  void Close(int fd) noexcept override { close(fd); }
};

}  // namespace

Disk& PosixDisk() noexcept {
  static constinit Posix disk;
  return disk;
}

}  // namespace idgen::io
