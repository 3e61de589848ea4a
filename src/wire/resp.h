// Redis' protocol as bytes in, bytes out: commands are collected in a buffer; hiredis parses replies from the bytes as
// they arrive, and limits here bound what it allocates when the server is not a Redis.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include <hiredis/hiredis.h>

#include "core/decimal.h"

namespace idgen::wire {

// The words of one command: its name and its arguments, of any bytes. Texts are borrowed until the command is added to
// Commands; the digits of numbers are kept here.
class Words {
 public:
  static constexpr int kMaxWords = 136;
  static constexpr int kMaxNumbers = 64;

  // A word too many is a bug. In production the command is then refused: see Commands::problem.
  void Add(std::string_view word) noexcept;
  void AddNumber(int64_t number) noexcept { AddPadded(number, 1); }
  // With leading zeros, so that it has at least so many digits (at most kDecimalBytes). Not for negative numbers.
  void AddPadded(int64_t number, int digits) noexcept;
  void AddFlag(bool flag) noexcept { Add(flag ? "1" : "0"); }

 private:
  friend class Commands;
  const char* words_[kMaxWords];
  size_t sizes_[kMaxWords];
  char digits_[kMaxNumbers][core::kDecimalBytes];
  int count_ = 0;
  int number_count_ = 0;
  bool ok_ = true;
};

// Commands, one after the other, as they are sent. Memory is the C library's; Free it, there is no destructor.
class Commands {
 public:
  void Add(const Words& words) noexcept;
  template <class... Text>
  void AddTexts(Text... texts) noexcept {
    static_assert(sizeof...(texts) <= Words::kMaxWords);
    Words words;
    (words.Add(texts), ...);
    Add(words);
  }
  void Clear() noexcept;
  void Free() noexcept;

  const char* bytes() const noexcept { return bytes_; }
  size_t size() const noexcept { return size_; }
  int count() const noexcept { return count_; }
  // Why a command could not be added; until Clear none is added then. nullptr if all are there.
  const char* problem() const noexcept { return problem_; }

 private:
  bool Reserve(size_t size) noexcept;

  char* bytes_ = nullptr;
  size_t size_ = 0;
  size_t capacity_ = 0;
  int count_ = 0;
  const char* problem_ = nullptr;
};

// The text of a server's error, without the address in MOVED and ASK, which not every user may see.
std::string_view WithoutAddress(const char* error) noexcept;

class Replies {
 public:
  static constexpr size_t kMaxElements = 65536;
  static constexpr int kMaxDepth = 7;
  // Of all replies of an exchange. A list of 1,024 workers with the longest holders is shorter.
  static constexpr size_t kMaxBytes = size_t{4} << 20;

  Replies() = default;
  Replies(const Replies&) = delete;
  Replies& operator=(const Replies&) = delete;

  bool Reset() noexcept;                       // for a new connection; false if out of memory
  void BeginExchange() noexcept { fed_ = 0; }  // kMaxBytes is per exchange
  // False, with error() set, if the bytes are not a reply or too many, or memory is short.
  bool Feed(const char* bytes, size_t size) noexcept;
  // The next complete reply, which the caller frees with freeReplyObject; nullptr if there is none yet, or on an error.
  redisReply* Next() noexcept;
  bool has_more() const noexcept { return reader_ != nullptr && reader_->pos < reader_->len; }
  const char* error() const noexcept { return error_; }  // nullptr if there was none
  void Free() noexcept;

 private:
  redisReader* reader_ = nullptr;
  size_t fed_ = 0;
  const char* error_ = nullptr;
  const char* refusal_ = nullptr;  // why an array was not allocated; hiredis has a pointer to this member
};

}  // namespace idgen::wire
