// Commands and replies, by hiredis' formatter and reader.
#include "wire/resp.h"

#include <cstdlib>
#include <cstring>

namespace idgen::wire {
namespace {

// hiredis before 1.0 counts elements in an int and allocates whatever it is told; from 1.0 on it nests without end, and
// what it has nested it frees by recursion. Its own function does the rest.
redisReplyObjectFunctions original_functions;
redisReplyObjectFunctions bounded_functions;

template <class Count>
void* CreateBoundedArray(const redisReadTask* task, Count elements) {
  int depth = 0;
  for (const redisReadTask* outer = task; outer != nullptr; outer = outer->parent) ++depth;
  // Taken for "out of memory".
  if (static_cast<unsigned long long>(elements) > Replies::kMaxElements || depth > Replies::kMaxDepth) return nullptr;
  return original_functions.createArray(task, elements);
}

}  // namespace

void Commands::Add(int count, const char* const* arguments, const size_t* sizes) noexcept {
  char* formatted = nullptr;
  // hiredis takes pointers to non-const pointers, and changes nothing.
  const int size = redisFormatCommandArgv(&formatted, count, const_cast<const char**>(arguments), sizes);
  if (size < 0) {
    ok_ = false;
    return;
  }
  const size_t needed = size_ + static_cast<size_t>(size);
  if (needed > capacity_) {
    const size_t capacity = needed + needed / 2;
    char* bytes = static_cast<char*>(realloc(bytes_, capacity));
    if (bytes == nullptr) ok_ = false;
    if (bytes != nullptr) {
      bytes_ = bytes;
      capacity_ = capacity;
    }
  }
  if (ok_) {
    memcpy(bytes_ + size_, formatted, static_cast<size_t>(size));
    size_ = needed;
    ++count_;
  }
  redisFreeCommand(formatted);
}

void Commands::AddTextArray(int count, const char* const* arguments) noexcept {
  size_t sizes[kMaxArguments];
  for (int i = 0; i < count; ++i) sizes[i] = strlen(arguments[i]);
  Add(count, arguments, sizes);
}

void Commands::Clear() noexcept {
  size_ = 0;
  count_ = 0;
  ok_ = true;
}

void Commands::Free() noexcept {
  free(bytes_);
  *this = Commands();
}

bool Replies::Reset() noexcept {
  Free();
  reader_ = redisReaderCreate();
  if (reader_ == nullptr) {
    error_ = "out of memory";
    return false;
  }
  original_functions = *reader_->fn;
  bounded_functions = original_functions;
  bounded_functions.createArray = CreateBoundedArray;
  reader_->fn = &bounded_functions;
  return true;
}

bool Replies::Feed(const char* bytes, size_t size) noexcept {
  if (reader_ == nullptr && !Reset()) return false;
  fed_ += size;
  if (fed_ > kMaxBytes) error_ = "the reply is too long";
  if (error_ == nullptr && redisReaderFeed(reader_, bytes, size) != REDIS_OK) error_ = reader_->errstr;
  return error_ == nullptr;
}

redisReply* Replies::Next() noexcept {
  if (reader_ == nullptr || error_ != nullptr) return nullptr;
  void* reply = nullptr;
  if (redisReaderGetReply(reader_, &reply) != REDIS_OK) {
    error_ = reader_->errstr;
    return nullptr;
  }
  return static_cast<redisReply*>(reply);
}

void Replies::Free() noexcept {
  if (reader_ != nullptr) redisReaderFree(reader_);
  reader_ = nullptr;
  fed_ = 0;
  error_ = nullptr;
}

}  // namespace idgen::wire
