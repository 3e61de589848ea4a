// The JSON bodies of calls to etcd's gateway. Keys and values become base64 and 64-bit numbers strings, as the gateway
// expects them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace idgen::wire {

// One body. Memory is the C library's; Free it, there is no destructor. A body that could not be built says so in
// problem() and must not be sent.
class EtcdBody {
 public:
  enum class Relation : uint8_t { kEqual, kGreater, kLess, kNotEqual };
  enum class Revision : uint8_t { kCreate, kMod, kVersion, kLease };
  static constexpr int kMaxTxnDepth = 64;

  // A transaction: BeginTxn, comparisons, Then, operations, Else, operations, EndTxn. An operation may be a transaction
  // itself. Then and Else may be left out if no operation follows them.
  void BeginTxn() noexcept;
  void Then() noexcept;
  void Else() noexcept;
  void EndTxn() noexcept;
  // A key that does not exist has 0 for every revision, no value, and no comparison of its value is true.
  void CompareRevision(std::string_view key, Revision which, Relation relation, int64_t number) noexcept;
  // Of all keys in [key, range_end); a range without keys is like a key that does not exist.
  void CompareRange(std::string_view key, std::string_view range_end, Revision which, Relation relation,
                    int64_t number) noexcept;
  void CompareValue(std::string_view key, Relation relation, std::string_view value) noexcept;

  // An operation of a transaction; outside of one, the whole body. etcd refuses a transaction that may put a key twice.
  void Put(std::string_view key, std::string_view value, int64_t lease = 0) noexcept;
  // Puts a key's own value and lease over it, which raises its version. The reply of a whole call has the record from
  // before. An error with kEtcdInvalidArgument if there is no such key.
  void Touch(std::string_view key) noexcept;
  // One key, or with `range_end` all keys in [key, range_end), in the order of their bytes. `limit` 0: all of them.
  void Range(std::string_view key, std::string_view range_end = {}, int64_t limit = 0, bool keys_only = false) noexcept;
  void Delete(std::string_view key, std::string_view range_end = {}) noexcept;

  void LeaseGrant(int64_t id, int64_t ttl_s) noexcept;
  void Lease(int64_t id) noexcept;  // of a call that keeps a lease alive or revokes it
  void Authenticate(std::string_view user, std::string_view password) noexcept;
  void Empty() noexcept;  // {}

  void Clear() noexcept;
  void Free() noexcept;
  // Valid until the next change.
  std::string_view text() const noexcept { return {bytes_, size_}; }
  // nullptr, or why the body cannot be sent.
  const char* problem() const noexcept { return problem_; }

 private:
  enum class Part : uint8_t { kCompare, kThen, kElse };
  struct Level {
    Part part;
    bool has_items;  // of the part
  };

  bool Grow(size_t size) noexcept;
  void Add(std::string_view text) noexcept;
  void AddText(std::string_view text) noexcept;     // a JSON string
  void AddBase64(std::string_view bytes) noexcept;  // a JSON string
  void AddNumber(int64_t number) noexcept;          // a JSON string
  void BeginItem(Part first, Part last) noexcept;
  void BeginOperation(const char* kind) noexcept;
  void EndOperation() noexcept;
  void EnterPart(Part part) noexcept;
  void AddRange(std::string_view key, std::string_view range_end) noexcept;

  char* bytes_ = nullptr;
  size_t size_ = 0;
  size_t capacity_ = 0;
  int depth_ = 0;  // of transactions
  Level levels_[kMaxTxnDepth] = {};
  const char* problem_ = nullptr;
};

// The end of the range of all keys that begin with `prefix`, written to `end`, which has room for as many bytes.
// Empty, which is no range, if every byte of the prefix is 0xff.
std::string_view EndOfPrefix(std::string_view prefix, char* end) noexcept;

}  // namespace idgen::wire
