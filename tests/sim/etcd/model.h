// A model of etcd 3.4: keys with revisions, transactions and leases, at the level of the JSON bodies of its gateway. It
// answers as etcd does, missing zero fields and error bodies included; conformance.cpp compares it with a real etcd.
// Requests that it does not model are answered with HTTP status 501, so that nobody relies on them. It is copyable: a
// copy is a snapshot.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>

namespace idgen::sim {

// Mistakes that a run makes on purpose, to see that the comparison with a real etcd, or a check, notices them.
struct EtcdBreaks {
  bool compare_sees_writes = false;     // nested compares see what the transaction has written so far
  bool put_keeps_lease = false;         // a put without lease leaves the key on its lease
  bool put_keeps_mod = false;           // a put over a key keeps its mod_revision
  bool missing_value_compares = false;  // a missing key compares as an empty value
  bool revoke_keeps_keys = false;
  bool zero_fields = false;  // zero and false fields are written

  // False if there is no break of that name.
  bool Set(std::string_view name) noexcept;
};

class EtcdModel {
 public:
  struct Answer {
    int http_status = 200;
    std::string body;
  };
  struct Key {
    std::string value;
    int64_t create_revision = 0, mod_revision = 0, version = 0, lease = 0;
  };
  struct Lease {
    int64_t ttl_s = 0;
    int64_t ends_ms = 0;
    std::set<std::string> keys;
  };

  // `path`: "kv/put", or "/v3/kv/put". `now_ms` is the leader's monotonic clock; it does not go backwards.
  Answer Call(std::string_view path, std::string_view body, int64_t now_ms);

  // Revokes the leases that have ended, each in a revision of its own as etcd does. Call() does so first.
  void Expire(int64_t now_ms);
  // Another leader: every lease gets its whole TTL again.
  void ChangeLeader(int64_t now_ms);
  // A lease ends early, as if somebody revoked it. False if there is none.
  bool Revoke(int64_t id);
  // etcd makes the ids of leases from the time, so they do not recur after a restore.
  void ContinueLeaseIdsOf(const EtcdModel& other) { last_lease_ = other.last_lease_; }
  // What is granted instead of the TTL that was asked for, in seconds; 0: what was asked for.
  void GrantTtl(int64_t ttl_s) { granted_ttl_s_ = ttl_s; }
  // etcd revokes a lease some time after its end. Until then it cannot be renewed, but keys can still be put on it.
  void RevokeLateBy(int64_t ms) { revoke_late_ms_ = ms; }
  void SetNoSpace(bool no_space) { no_space_ = no_space; }

  int64_t revision() const { return revision_; }
  void StartAt(int64_t revision) { revision_ = revision; }
  const std::map<std::string, Key, std::less<>>& keys() const { return keys_; }
  const std::map<int64_t, Lease>& leases() const { return leases_; }

  EtcdBreaks breaks;
  // etcd's --max-txn-ops, and the least TTL that it grants with the usual election timeout.
  int max_txn_ops = 128;
  int64_t min_ttl_s = 2;
  uint64_t cluster_id = 5577419299952351277u, member_id = 8813575065840868852u;

 private:
  friend class EtcdCall;

  void Remove(const std::string& key);

  int64_t revision_ = 1;
  int64_t raft_term_ = 2;
  int64_t last_lease_ = 6770214262950756380;
  int64_t granted_ttl_s_ = 0;
  int64_t revoke_late_ms_ = 0;
  bool no_space_ = false;
  std::map<std::string, Key, std::less<>> keys_;
  std::map<int64_t, Lease> leases_;
};

}  // namespace idgen::sim
