// Writing and reading the keys and values of leases in etcd.
#include "lease/etcd/keys.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "core/check.h"
#include "core/decimal.h"
#include "core/fnv.h"
#include "core/identity.h"

namespace idgen::lease {
namespace {

constexpr size_t kWorkerDigits = 7;
constexpr char kSeparator = '|';
constexpr const char* kNames[] = {"", "worker/", "ceiling/", "static/"};

}  // namespace

int64_t LeaseOf(const char* token) noexcept {
  const auto id = static_cast<int64_t>(core::Fnv(core::kFnvStart, token, kTokenBytes) & INT64_MAX);
  return std::max(id, int64_t{1});
}

void EtcdKeys::Set(std::string_view url_prefix, std::string_view prefix) noexcept {
  size_ = 0;
  const size_t size = url_prefix.size() + prefix.size() + 2;
  if (size > kPrefixBytes) return;
  char* at = std::copy(url_prefix.begin(), url_prefix.end(), key_);
  *at++ = '/';
  at = std::copy(prefix.begin(), prefix.end(), at);
  *at++ = '/';
  size_ = size;
  memcpy(first_, key_, size_);
  memcpy(end_, key_, size_);
}

std::string_view EtcdKeys::With(const char* rest, char* out) noexcept {
  const size_t size = strlen(rest);
  IDGEN_CHECK(is_set() && size <= kNameBytes);
  memcpy(out + size_, rest, size);
  return {out, size_ + size};
}

std::string_view EtcdKeys::Key(Kind kind, uint32_t worker) noexcept {
  char name[kNameBytes + 1];
  snprintf(name, sizeof name, "%s%07u", kNames[static_cast<int>(kind)], worker);
  return With(name, key_);
}

std::string_view EtcdKeys::First() noexcept { return With("", first_); }

// '0' is the byte after '/'.
std::string_view EtcdKeys::End() noexcept {
  const std::string_view end = With("", end_);
  end_[size_ - 1] = '0';
  return end;
}

std::string_view EtcdKeys::FirstWorker() noexcept { return With("worker/", first_); }

std::string_view EtcdKeys::EndOfWorkers() noexcept {
  end_[size_ - 1] = '/';
  return With("worker0", end_);
}

EtcdKeys::Kind EtcdKeys::Parse(std::string_view key, uint32_t* worker) const noexcept {
  if (!key.starts_with({key_, size_})) return Kind::kNone;
  key.remove_prefix(size_);
  for (const Kind kind : {Kind::kWorker, Kind::kCeiling, Kind::kStatic}) {
    const std::string_view name = kNames[static_cast<int>(kind)];
    int64_t number;
    if (!key.starts_with(name) || key.size() != name.size() + kWorkerDigits) continue;
    if (!core::ReadDigits(key.substr(name.size()), core::kMaxWorker, &number)) return Kind::kNone;
    *worker = static_cast<uint32_t>(number);
    return kind;
  }
  return Kind::kNone;
}

EtcdHolder ParseHolder(std::string_view value) noexcept {
  if (value.size() <= kTokenBytes || value[kTokenBytes] != kSeparator) return {};
  return {.token = value.substr(0, kTokenBytes), .holder = value.substr(kTokenBytes + 1)};
}

TokenRange::TokenRange(const char* token) noexcept {
  memcpy(low, token, kTokenBytes);
  memcpy(high, token, kTokenBytes);
  low[kTokenBytes] = kSeparator;
  high[kTokenBytes] = kSeparator + 1;
}

std::string_view WriteCeiling(int64_t ms, char* out) noexcept {
  ms = std::clamp(ms, int64_t{0}, core::kMaxCeilingMs);
  for (size_t i = kCeilingDigits; i-- > 0; ms /= 10) out[i] = static_cast<char>('0' + ms % 10);
  return {out, kCeilingDigits};
}

bool ParseCeiling(std::string_view value, int64_t* ms) noexcept {
  return value.size() == kCeilingDigits && core::ReadDigits(value, core::kMaxCeilingMs, ms);
}

}  // namespace idgen::lease
