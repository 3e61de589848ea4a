// Redis' protocol as bytes in, bytes out: commands are gathered into a buffer, replies are read from whatever pieces
// arrive, by hiredis; this bounds what a server that is no Redis can make it allocate.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include <hiredis/hiredis.h>

namespace idgen::wire {

// Commands, one after the other, as they are sent. Memory is the C library's; Free it, there is no destructor.
class Commands {
 public:
  static constexpr int kMaxArguments = 16;

  // Arguments may hold any bytes. After a failure to allocate, ok() is false until Clear.
  void Add(int count, const char* const* arguments, const size_t* sizes) noexcept;
  // The same for texts that end in a zero.
  template <class... Text>
  void AddTexts(Text... texts) noexcept {
    static_assert(sizeof...(texts) <= kMaxArguments);
    const char* arguments[] = {texts...};
    AddTextArray(static_cast<int>(sizeof...(texts)), arguments);
  }
  void Clear() noexcept;
  void Free() noexcept;

  const char* bytes() const noexcept { return bytes_; }
  size_t size() const noexcept { return size_; }
  int count() const noexcept { return count_; }
  bool ok() const noexcept { return ok_; }

 private:
  bool MakeRoom(size_t size) noexcept;
  void AddTextArray(int count, const char* const* arguments) noexcept;

  char* bytes_ = nullptr;
  size_t size_ = 0;
  size_t capacity_ = 0;
  int count_ = 0;
  bool ok_ = true;
};

// What an error of the server says, without the address where MOVED and ASK send to, which is not for everybody.
std::string_view WithoutAddress(const char* error) noexcept;

class Replies {
 public:
  static constexpr size_t kMaxElements = 65536;
  static constexpr int kMaxDepth = 7;
  // Of all replies of an exchange: 1,024 workers with the longest holders stay below.
  static constexpr size_t kMaxBytes = size_t{4} << 20;

  Replies() = default;
  Replies(const Replies&) = delete;
  Replies& operator=(const Replies&) = delete;

  bool Reset() noexcept;                   // of a new connection; false where there is no memory
  void BeginAnew() noexcept { fed_ = 0; }  // of a new exchange: the bounds are an exchange's
  // False, with error() set, for what is no reply, too long, or more than memory holds.
  bool Feed(const char* bytes, size_t size) noexcept;
  // The next whole reply, for the caller to free with freeReplyObject; nullptr when there is none yet, or on an error.
  redisReply* Next() noexcept;
  bool has_more() const noexcept { return reader_ != nullptr && reader_->pos < reader_->len; }
  const char* error() const noexcept { return error_; }  // nullptr where there was none
  void Free() noexcept;

 private:
  redisReader* reader_ = nullptr;
  size_t fed_ = 0;
  const char* error_ = nullptr;
  const char* refusal_ = nullptr;  // why an array was not made; hiredis is given its address
};

}  // namespace idgen::wire
