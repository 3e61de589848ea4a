// A disk in memory that fails when a test says so, and forgets in a crash what was not synced. After a failed sync it
// never writes what that sync should have written: as Linux does, it believes those pages to be clean.
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "io/disk.h"

namespace idgen {

class MemoryDisk final : public io::Disk {
 public:
  // The `nth` operation from here on fails, 1 being the next; with `and_all_after` also those that follow.
  void FailAt(int nth, int error, bool and_all_after = false) {
    fail_at_ = operations_ + nth;
    error_ = error;
    and_all_after_ = and_all_after;
  }
  void FailNothing() { fail_at_ = 0; }
  int operations() const { return operations_; }

  // Of what was written and not synced all is lost, half of the last write stays, or everything stays.
  enum class Unsynced { kLost, kTorn, kKept };
  void Crash(Unsynced writes, bool names_kept) {
    for (auto& [inode, file] : files_) {
      if (writes == Unsynced::kTorn && !file.pending.empty()) {
        std::string& last = file.pending.back().bytes;
        last.resize(last.size() / 2);
      }
      if (writes != Unsynced::kLost)
        for (const Write& write : file.pending) write.ApplyTo(file.durable);
      file.pending.clear();
      file.bytes = file.durable;
    }
    if (!names_kept) names_ = durable_names_;
    durable_names_ = names_;
    open_.clear();
    FailNothing();
  }

  bool Exists(const std::string& path) const { return names_.count(path) != 0; }
  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    for (const auto& [name, inode] : names_) names.push_back(name);
    return names;
  }
  std::string Contents(const std::string& path) { return files_.at(names_.at(path)).bytes; }
  void SetContents(const std::string& path, const std::string& bytes) {
    if (!Exists(path)) durable_names_[path] = names_[path] = ++last_inode_;
    File& file = files_[names_[path]];
    file.bytes = file.durable = bytes;
    file.pending.clear();
  }
  // The same bytes in another file: what copying the data directory does.
  void ReplaceByCopy(const std::string& path) {
    const std::string bytes = Contents(path);
    names_.erase(path);
    SetContents(path, bytes);
  }
  // A file whose sync failed was synced again.
  bool trusted_a_failed_sync() const { return trusted_a_failed_sync_; }

  int OpenExisting(const char* path) noexcept override {
    if (Fails()) return -error_;
    return Exists(path) ? Open(names_[path]) : -ENOENT;
  }
  int CreateNew(const char* path, unsigned) noexcept override {
    if (Fails()) return -error_;
    if (Exists(path)) return -EEXIST;
    files_[++last_inode_] = {};
    return Open(names_[path] = last_inode_);
  }
  int Identify(int fd, io::FileIdentity* identity) noexcept override {
    if (Fails()) return -error_;
    *identity = {.inode = static_cast<uint64_t>(open_.at(fd)), .born_ns = born_ns};
    return 0;
  }

  uint64_t born_ns = 0;  // of every file; a test that cares sets it

  int64_t ReadAt(int fd, void* to, size_t size, int64_t offset) noexcept override {
    if (Fails()) return -error_;
    const std::string& bytes = FileOf(fd).bytes;
    if (bytes.size() <= static_cast<size_t>(offset)) return 0;
    return static_cast<int64_t>(bytes.copy(static_cast<char*>(to), size, static_cast<size_t>(offset)));
  }
  int WriteAt(int fd, const void* from, size_t size, int64_t offset) noexcept override {
    const bool fails = Fails();  // half way
    Write write{static_cast<size_t>(offset), std::string(static_cast<const char*>(from), fails ? size / 2 : size)};
    write.ApplyTo(FileOf(fd).bytes);
    FileOf(fd).pending.push_back(write);
    return fails ? -error_ : 0;
  }
  int Sync(int fd) noexcept override {
    File& file = FileOf(fd);
    if (Fails()) {
      file.pending.clear();
      file.sync_failed = true;
      return -error_;
    }
    trusted_a_failed_sync_ = trusted_a_failed_sync_ || file.sync_failed;
    for (const Write& write : file.pending) write.ApplyTo(file.durable);
    file.pending.clear();
    return 0;
  }
  int SyncDirectory(const char*) noexcept override {
    if (Fails()) return -error_;
    durable_names_ = names_;
    return 0;
  }
  int Rename(const char* from, const char* to) noexcept override {
    if (Fails()) return -error_;
    if (!Exists(from)) return -ENOENT;
    names_[to] = names_[from];
    names_.erase(from);
    return 0;
  }
  int Link(const char* from, const char* to) noexcept override {
    if (Fails()) return -error_;
    if (!Exists(from)) return -ENOENT;
    if (Exists(to)) return -EEXIST;
    names_[to] = names_[from];
    return 0;
  }
  int Unlink(const char* path) noexcept override {
    if (Fails()) return -error_;
    return names_.erase(path) == 1 ? 0 : -ENOENT;
  }
  void Close(int fd) noexcept override { open_.erase(fd); }

 private:
  struct Write {
    size_t offset;
    std::string bytes;
    void ApplyTo(std::string& file) const {
      file.resize(std::max(file.size(), offset + bytes.size()));
      file.replace(offset, bytes.size(), bytes);
    }
  };
  struct File {
    std::string bytes;  // as read and written
    std::string durable;
    std::vector<Write> pending;
    bool sync_failed = false;
  };

  bool Fails() noexcept {
    ++operations_;
    return fail_at_ != 0 && (operations_ == fail_at_ || (and_all_after_ && operations_ > fail_at_));
  }
  int Open(int64_t inode) {
    open_[++last_fd_] = inode;
    return last_fd_;
  }
  File& FileOf(int fd) { return files_.at(open_.at(fd)); }

  std::map<int64_t, File> files_;
  std::map<std::string, int64_t> names_;
  std::map<std::string, int64_t> durable_names_;
  std::map<int, int64_t> open_;
  int64_t last_inode_ = 100;
  int last_fd_ = 2;
  int operations_ = 0;
  int fail_at_ = 0;
  int error_ = EIO;
  bool and_all_after_ = false;
  bool trusted_a_failed_sync_ = false;
};

}  // namespace idgen
