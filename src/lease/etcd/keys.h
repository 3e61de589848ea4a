// The keys and values of leases in etcd. P is the URL's prefix, "/", idgen.lease_prefix and "/"; n has 7 digits:
//
//   P worker/n    token|holder   of the server that leases worker id n; bound to the etcd lease LeaseOf(token)
//   P ceiling/n   16 digits, Unix ms: no id of worker id n is later. Never deleted and never lowered
//   P static/n    token|holder   of the server that announces n as its static worker id; bound to LeaseOf(token)
//
// Texts of times have one length, so etcd compares them as numbers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "lease/store.h"

namespace idgen::lease {

inline constexpr size_t kCeilingDigits = 16;

// etcd's id for the lease of a token: 63 bits, not 0. So a repeated grant is recognized, and a release need not know
// whether the acquisition was answered.
int64_t LeaseOf(const char* token) noexcept;

class EtcdKeys {
 public:
  enum class Kind : uint8_t { kNone, kWorker, kCeiling, kStatic };

  void Set(std::string_view url_prefix, std::string_view prefix) noexcept;
  // False if the prefixes are too long for this object.
  bool is_set() const noexcept { return size_ > 0; }

  // The results of these are valid until the next call of the same function.
  std::string_view Key(Kind kind, uint32_t worker) noexcept;
  std::string_view First() noexcept;        // of all keys
  std::string_view End() noexcept;          // after all keys
  std::string_view FirstWorker() noexcept;  // of all keys worker/n
  std::string_view EndOfWorkers() noexcept;

  // kNone if the key is not one of these.
  Kind Parse(std::string_view key, uint32_t* worker) const noexcept;

 private:
  static constexpr size_t kPrefixBytes = 576;
  static constexpr size_t kNameBytes = 16;  // "ceiling/" and the digits, and a terminating zero

  std::string_view With(const char* rest, char* out) noexcept;

  size_t size_ = 0;
  char key_[kPrefixBytes + kNameBytes];  // each begins with the prefix
  char first_[kPrefixBytes + kNameBytes];
  char end_[kPrefixBytes + kNameBytes];
};

// token|holder
struct EtcdHolder {
  std::string_view token;
  std::string_view holder;
};
// Empty parts if the value is not one.
EtcdHolder ParseHolder(std::string_view value) noexcept;

// Any value with this token lies between these two, exclusive, and no other value does.
struct TokenRange {
  explicit TokenRange(const char* token) noexcept;

  char low[kTokenBytes + 1];
  char high[kTokenBytes + 1];
};

// Writes kCeilingDigits bytes.
std::string_view WriteCeiling(int64_t ms, char* out) noexcept;
// False if the value is not a time that a ceiling can be.
bool ParseCeiling(std::string_view value, int64_t* ms) noexcept;

}  // namespace idgen::lease
