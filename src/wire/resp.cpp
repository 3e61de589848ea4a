// Commands and replies. hiredis' formatter allocates for each command; with many in one exchange that shows.
#include "wire/resp.h"

#include <cstdlib>
#include <cstring>

#include "core/decimal.h"

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
  auto* refusal = static_cast<const char**>(task->privdata);
  if (static_cast<unsigned long long>(elements) > Replies::kMaxElements) *refusal = "an array has too many elements";
  if (depth > Replies::kMaxDepth) *refusal = "arrays nest too deeply";
  // hiredis calls that "out of memory".
  return *refusal == nullptr ? original_functions.createArray(task, elements) : nullptr;
}

}  // namespace

bool Commands::MakeRoom(size_t size) noexcept {
  const size_t needed = size_ + size;
  if (needed <= capacity_) return true;
  const size_t capacity = needed + needed / 2;
  char* bytes = static_cast<char*>(realloc(bytes_, capacity));
  if (bytes == nullptr) return false;
  bytes_ = bytes;
  capacity_ = capacity;
  return true;
}

namespace {

// A sign, a number, and the end of the line.
char* AppendLine(char* at, char sign, size_t number) noexcept {
  *at++ = sign;
  at = core::WriteDecimal(at, static_cast<int64_t>(number));
  *at++ = '\r';
  *at++ = '\n';
  return at;
}

}  // namespace

void Commands::Add(int count, const char* const* arguments, const size_t* sizes) noexcept {
  constexpr size_t kLine = core::kDecimalBytes + 3;
  size_t most = kLine;
  for (int i = 0; i < count; ++i) most += kLine + sizes[i] + 2;
  ok_ = ok_ && MakeRoom(most);
  if (!ok_) return;
  char* at = AppendLine(bytes_ + size_, '*', static_cast<size_t>(count));
  for (int i = 0; i < count; ++i) {
    at = AppendLine(at, '$', sizes[i]);
    memcpy(at, arguments[i], sizes[i]);
    at += sizes[i];
    *at++ = '\r';
    *at++ = '\n';
  }
  size_ = static_cast<size_t>(at - bytes_);
  ++count_;
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
  reader_->privdata = &refusal_;
  return true;
}

std::string_view WithoutAddress(const char* error) noexcept {
  const std::string_view words(error);
  if (!words.starts_with("MOVED ") && !words.starts_with("ASK ")) return words;
  return words.substr(0, words.find(' ', words.find(' ') + 1));
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
    error_ = refusal_ != nullptr ? refusal_ : reader_->errstr;
    return nullptr;
  }
  return static_cast<redisReply*>(reply);
}

void Replies::Free() noexcept {
  if (reader_ != nullptr) redisReaderFree(reader_);
  reader_ = nullptr;
  fed_ = 0;
  error_ = refusal_ = nullptr;
}

}  // namespace idgen::wire
