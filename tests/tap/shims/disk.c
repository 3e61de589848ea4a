/*
 * Makes the disk fail for the files whose path contains IDGEN_DISK_FILE, in the processes that preload this library. The
 * content of the file IDGEN_DISK_FAULT chooses the fault: with "sync", syncing fails with EIO; with "write", writing
 * fails with ENOSPC; with "hang sync" or "hang write" the call does not return, and no signal ends it, as if the disk did
 * not respond, and the file IDGEN_DISK_FAULT.hangs is created. Otherwise calls are passed on.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static int IsOfFile(int fd) {
  const char* name = getenv("IDGEN_DISK_FILE");
  char link[64], path[4096];
  ssize_t size;

  if (name == NULL) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  size = readlink(link, path, sizeof path - 1);
  if (size < 0) return 0;
  path[size] = '\0';
  return strstr(path, name) != NULL;
}

static int HasFault(const char* path, const char* what) {
  char fault[16] = {0};
  const int file = open(path, O_RDONLY | O_CLOEXEC);

  if (file < 0) return 0;
  if (read(file, fault, sizeof fault - 1) < 0) fault[0] = '\0';
  close(file);
  return strcmp(fault, what) == 0;
}

static int Fails(int fd, const char* what) {
  const char* path = getenv("IDGEN_DISK_FAULT");
  char hangs[32], told[4096];
  int file = -1;

  if (path == NULL || !IsOfFile(fd)) return 0;
  snprintf(hangs, sizeof hangs, "hang %s", what);
  snprintf(told, sizeof told, "%s.hangs", path);
  while (HasFault(path, hangs)) {
    if (file < 0) file = open(told, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    usleep(10 * 1000);
  }
  if (file >= 0) close(file);
  return HasFault(path, what);
}

static int Sync(const char* name, int fd) {
  int (*real)(int);

  if (Fails(fd, "sync")) {
    errno = EIO;
    return -1;
  }
  *(void**)&real = dlsym(RTLD_NEXT, name);
  return real(fd);
}

int fsync(int fd) { return Sync("fsync", fd); }
int fdatasync(int fd) { return Sync("fdatasync", fd); }

static ssize_t Write(const char* name, int fd, const void* bytes, size_t size, off64_t offset) {
  ssize_t (*real)(int, const void*, size_t, off64_t);

  if (Fails(fd, "write")) {
    errno = ENOSPC;
    return -1;
  }
  *(void**)&real = dlsym(RTLD_NEXT, name);
  return real(fd, bytes, size, offset);
}

ssize_t pwrite(int fd, const void* bytes, size_t size, off_t offset) {
  return Write("pwrite", fd, bytes, size, offset);
}
ssize_t pwrite64(int fd, const void* bytes, size_t size, off64_t offset) {
  return Write("pwrite64", fd, bytes, size, offset);
}

static ssize_t WriteVector(const char* name, int fd, const struct iovec* parts, int count, off64_t offset) {
  ssize_t (*real)(int, const struct iovec*, int, off64_t);

  if (Fails(fd, "write")) {
    errno = ENOSPC;
    return -1;
  }
  *(void**)&real = dlsym(RTLD_NEXT, name);
  return real(fd, parts, count, offset);
}

ssize_t pwritev(int fd, const struct iovec* parts, int count, off_t offset) {
  return WriteVector("pwritev", fd, parts, count, offset);
}
ssize_t pwritev64(int fd, const struct iovec* parts, int count, off64_t offset) {
  return WriteVector("pwritev64", fd, parts, count, offset);
}
