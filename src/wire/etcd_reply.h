// Replies of etcd's gateway: JSON in which 64-bit numbers are strings, keys and values are base64, and fields that are
// zero, false or empty are missing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace idgen::wire {

struct EtcdKv {
  std::string_view key;  // of the reply, as is `value`; a zero follows both, unless they are empty
  std::string_view value;
  int64_t create_revision = 0;
  int64_t mod_revision = 0;
  int64_t version = 0;
  int64_t lease = 0;
};

struct EtcdNode;
class EtcdReply;

// What one operation has returned: a range, a put, a deletion, or a transaction with the operations of the branch that
// was taken. Borrows from its reply. One that does not exist is kNone and has nothing.
class EtcdOp {
 public:
  enum class Kind : uint8_t { kNone, kRange, kPut, kDelete, kTxn };

  EtcdOp() noexcept = default;
  Kind kind() const noexcept;
  // Of a range: the records, and whether the limit cut it short.
  int kv_count() const noexcept;
  bool kv(int index, EtcdKv* kv) const noexcept;  // false: there is no such record
  bool more() const noexcept;
  // Of a transaction: whether its comparisons held, and its operations in order.
  bool succeeded() const noexcept;
  int op_count() const noexcept;
  EtcdOp op(int index) const noexcept;

 private:
  friend class EtcdReply;
  EtcdOp(const EtcdReply* reply, const EtcdNode* node) noexcept : reply_(reply), node_(node) {}
  const EtcdReply* reply_ = nullptr;
  const EtcdNode* node_ = nullptr;
};

// The codes of gRPC that etcd's errors have.
enum EtcdCode : int {
  kEtcdOk = 0,
  kEtcdInvalidArgument = 3,
  kEtcdNotFound = 5,  // a lease that has expired or been revoked, among others
  kEtcdAlreadyExists = 6,
  kEtcdPermissionDenied = 7,
  kEtcdResourceExhausted = 8,   // no space, or too many requests
  kEtcdFailedPrecondition = 9,  // a lease id that is in use, among others
  kEtcdOutOfRange = 11,         // a revision that was compacted
  kEtcdUnimplemented = 12,
  kEtcdUnavailable = 14,
  kEtcdUnauthenticated = 16,
};

// One reply. Memory is the C library's; Free it, there is no destructor.
class EtcdReply {
 public:
  // Limits what a server that is not an etcd can make the parser do: the depth its stack, the numbers its memory, to
  // about 64 MiB. A transaction within a transaction adds 4 levels. A record is 1 object with 6 values, and at least 85
  // bytes long; an operation of a transaction that reads a record adds up to 9 objects and arrays.
  static constexpr int kMaxJsonDepth = 320;
  static constexpr size_t kMaxJsonContainers = 100'000;  // objects and arrays
  static constexpr size_t kMaxJsonValues = 250'000;

  // False: this is not a reply of etcd, or there is no memory for it. The reply has then nothing.
  bool Parse(int http_status, std::string_view body) noexcept;
  void Free() noexcept;

  // The code of an error, or kEtcdOk. An error has nothing but its text, which is printable and cut off if long.
  int error_code() const noexcept { return error_code_; }
  const char* error() const noexcept { return error_; }

  // Of every other reply: the store's revision at the time, and the cluster.
  int64_t revision() const noexcept { return revision_; }
  uint64_t cluster_id() const noexcept { return cluster_id_; }
  uint64_t member_id() const noexcept { return member_id_; }
  uint64_t raft_term() const noexcept { return raft_term_; }
  // Of a lease. keepalive of a lease that is gone has TTL 0.
  int64_t lease_id() const noexcept { return lease_id_; }
  int64_t ttl_s() const noexcept { return ttl_s_; }
  // Of an authentication; empty if there is none.
  std::string_view auth_token() const noexcept { return token_; }

  // Of a range or a transaction that was the whole call; of a put, the record that was there before, if it was asked
  // for.
  EtcdOp whole() const noexcept { return {this, nodes_}; }
  int kv_count() const noexcept { return whole().kv_count(); }
  bool kv(int index, EtcdKv* kv) const noexcept { return whole().kv(index, kv); }
  bool more() const noexcept { return whole().more(); }
  bool succeeded() const noexcept { return whole().succeeded(); }
  int op_count() const noexcept { return whole().op_count(); }
  EtcdOp op(int index) const noexcept { return whole().op(index); }

 private:
  friend class EtcdOp;
  friend class EtcdReader;

  int error_code_ = 0;
  int64_t revision_ = 0;
  uint64_t cluster_id_ = 0;
  uint64_t member_id_ = 0;
  uint64_t raft_term_ = 0;
  int64_t lease_id_ = 0;
  int64_t ttl_s_ = 0;
  std::string_view token_;
  char error_[200] = {};
  // One block: nodes (the whole call's first, the operations of a transaction side by side), records, bytes.
  void* memory_ = nullptr;
  EtcdNode* nodes_ = nullptr;
  EtcdKv* kvs_ = nullptr;
};

}  // namespace idgen::wire
