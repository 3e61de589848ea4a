// Commands and replies. hiredis' own formatter allocates memory for every command, which an exchange of many commands
// would pay for.
#include "wire/resp.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "core/check.h"

namespace idgen::wire {
namespace {

// hiredis before 1.0 counts elements in an int and allocates any number that the server announces; from 1.0 on it nests
// without limit and frees nested replies recursively. Within these limits hiredis' own function does the work.
redisReplyObjectFunctions original_functions;
redisReplyObjectFunctions bounded_functions;

template <class Count>
void* CreateBoundedArray(const redisReadTask* task, Count elements) {
  int depth = 0;
  for (const redisReadTask* outer = task; outer != nullptr; outer = outer->parent) ++depth;
  auto* refusal = static_cast<const char**>(task->privdata);
  if (static_cast<unsigned long long>(elements) > Replies::kMaxElements) *refusal = "an array has too many elements";
  if (depth > Replies::kMaxDepth) *refusal = "arrays nest too deeply";
  // hiredis reports nullptr as "out of memory".
  return *refusal == nullptr ? original_functions.createArray(task, elements) : nullptr;
}

}  // namespace

void Words::Add(std::string_view word) noexcept {
  IDGEN_CHECK(count_ < kMaxWords);
  if (count_ == kMaxWords) {
    ok_ = false;
    return;
  }
  words_[count_] = word.data();
  sizes_[count_++] = word.size();
}

void Words::AddPadded(int64_t number, int digits) noexcept {
  IDGEN_CHECK(number_count_ < kMaxNumbers);
  if (number_count_ == kMaxNumbers) {
    ok_ = false;
    return;
  }
  char written[core::kDecimalBytes];
  const auto size = static_cast<int>(core::WriteDecimal(written, number) - written);
  const int zeros = std::max(digits - size, 0);
  char* text = digits_[number_count_++];
  memset(text, '0', static_cast<size_t>(zeros));
  memcpy(text + zeros, written, static_cast<size_t>(size));
  Add({text, static_cast<size_t>(zeros + size)});
}

bool Commands::Reserve(size_t size) noexcept {
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

void Commands::Add(const Words& words) noexcept {
  constexpr size_t kLine = core::kDecimalBytes + 3;
  size_t max = kLine;
  for (int i = 0; i < words.count_; ++i) max += kLine + words.sizes_[i] + 2;
  if (problem_ != nullptr) return;
  if (!words.ok_)
    problem_ = "a command has too many arguments";
  else if (!Reserve(max))
    problem_ = "out of memory";
  if (problem_ != nullptr) return;
  char* at = AppendLine(bytes_ + size_, '*', static_cast<size_t>(words.count_));
  for (int i = 0; i < words.count_; ++i) {
    at = AppendLine(at, '$', words.sizes_[i]);
    memcpy(at, words.words_[i], words.sizes_[i]);
    at += words.sizes_[i];
    *at++ = '\r';
    *at++ = '\n';
  }
  size_ = static_cast<size_t>(at - bytes_);
  ++count_;
}

void Commands::Clear() noexcept {
  size_ = 0;
  count_ = 0;
  problem_ = nullptr;
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
