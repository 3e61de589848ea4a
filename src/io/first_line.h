// The first line of a file, such as a password's.
#pragma once

#include <cstddef>
#include <cstring>

#include <fcntl.h>
#include <unistd.h>

namespace idgen::io {

// False if the file cannot be read or the line is too long.
inline bool ReadFirstLine(const char* path, char* line, size_t capacity) noexcept {
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const ssize_t size = read(fd, line, capacity - 1);
  close(fd);
  if (size < 0) return false;
  line[size] = '\0';
  const size_t length = strcspn(line, "\r\n");
  if (length + 1 == capacity) return false;
  line[length] = '\0';
  return true;
}

}  // namespace idgen::io
