// The sequence store in an etcd (3.4 or later): one key for each sequence, changed by transactions that compare what
// they rest on. A transaction that loses returns what is there, and the next one starts from that.
//
// Taking values one at a time does not lose (record.h). All else can: in each round, one of those who compete wins. An
// operation on many keys is one transaction of independent ones, so that a key that loses does not hold up the others.
//
// A transaction that gives values may be sent twice if its reply was lost: what it gave the first time is skipped.
#pragma once

#include "io/etcd/link.h"
#include "sequencer/etcd/record.h"
#include "sequencer/store.h"

namespace idgen::sequencer {

class EtcdSequenceStore : public SequenceStore {
 public:
  explicit EtcdSequenceStore(io::EtcdLink& link) noexcept : link_(link) {}

  void Configure(const io::StoreAccess& access) noexcept override;
  void Begin(const Operation& operation, const StoreKey* keys, Answer* answers, int count, int64_t now_us,
             int64_t until_us) noexcept override;
  State Step(int64_t now_us) noexcept override;
  io::Wants wants(int64_t now_us) const noexcept override;
  const char* problem() const noexcept override { return problem_ != nullptr ? problem_ : link_.problem(); }
  const char* reason() const noexcept override { return problem_ != nullptr ? problem_ : link_.reason(); }
  bool is_unsure() const noexcept override { return unsure_; }
  bool is_garbled() const noexcept override { return problem_ == nullptr && link_.is_garbled(); }
  uint64_t connection() const noexcept override { return link_.connection(); }
  bool came_from_one() const noexcept override { return came_from_one_ && first_connection_ == link_.connection(); }
  bool is_exchanging() const noexcept override { return link_.is_exchanging(); }
  void Close() noexcept override;

 private:
  // A key as it was seen last.
  struct Sight {
    EtcdRecord record;  // as it is stored
    int64_t version = 0;
    int64_t mod_revision = 0;
    int64_t lease = 0;
    int64_t unused_versions = 0;  // the latest ones, which gave nobody a value
  };
  struct Remembered {
    KeyHash hash;
    uint64_t used = 0;  // grows; 0: empty
    Sight sight;
  };
  enum class Stage : uint8_t { kUnseen, kRemembered, kSeen, kDone };  // kSeen: in this operation
  enum class Attempt : uint8_t {
    kNone,
    kRead,
    kTouch,          // puts whatever is there over itself, and counts if that is what was seen
    kCount,          // puts over the text that was seen, up to a version
    kCountOrCreate,  // the same over the text of a key that has only been counted, or else creates the key
    kReplace,        // puts over the text that was seen, whatever the version
    kSwap,           // puts over exactly what was seen
    kTakeBack,       // the same over the put that gave the segment
  };
  // A key, and the answers that it has to give: several if the caller named it several times.
  struct Group {
    int begin = 0, end = 0;  // in order_
    Stage stage = Stage::kUnseen;
    Attempt attempt = Attempt::kNone;
    int call = 0, leaf = 0;  // that the attempt is
    Sight sight;
    EtcdRecord put;           // by the attempt
    int64_t max_version = 0;  // of kCount
  };
  enum class Phase : uint8_t { kAsking, kGranting, kEnding };  // kEnding: what has to be done about the lease

  static constexpr int kRememberedKeys = 64;
  // A transaction of 32 transactions of 32 keys each counts as 67 operations, of which etcd allows 128 by default.
  static constexpr int kMaxFan = 32;
  // etcd's limit is 1.5 MiB by default, and what it counts is smaller than JSON.
  static constexpr size_t kMaxCallBytes = 1024 * 1024;
  static constexpr size_t kMaxPrefix = 512;

  bool MakeGroups() noexcept;
  bool BeginExchange(int64_t now_us) noexcept;
  void Plan(Group& group) noexcept;
  Attempt PlanUnseen(Group& group) noexcept;
  Attempt PlanSeen(Group& group) noexcept;
  Attempt PlanTakeBack(Group& group) noexcept;
  void AssignLeaves() noexcept;
  void AddCalls() noexcept;
  void AddLeaf(const Group& group, wire::EtcdBody& body) noexcept;
  static void CompareWithSight(const Group& group, std::string_view key, wire::EtcdBody& body) noexcept;
  bool AddEnding() noexcept;
  int64_t SharedLease() const noexcept;
  State HandleFailure() noexcept;
  void HandleReplies() noexcept;
  void HandleGrant() noexcept;
  void HandleError(int call) noexcept;
  bool HandleTooMuch(int call) noexcept;
  bool HandleLeaf(Group& group, const wire::EtcdOp& op, const wire::EtcdReply& reply) noexcept;
  void SeeTouched(Group& group, const wire::EtcdOp& op, int64_t revision) noexcept;
  void See(Group& group, const wire::EtcdOp& range) noexcept;
  void SettlePeek(Group& group) noexcept;
  void SettleWriter(Group& group) noexcept;
  void SettleCounted(Group& group, int64_t version, int64_t revision_before) noexcept;
  void SettleByRule(Group& group, int64_t revision) noexcept;
  void SettleTakeBack(Group& group, bool had) noexcept;
  void SettleAll(Group& group, Answer::Outcome outcome, const char* words) noexcept;
  bool Before(const Group& group, SequenceState* state) const noexcept;
  bool TakesNewLease(const Group& group) const noexcept;
  bool GivesValues() const noexcept;
  bool IsSegment() const noexcept;
  bool IsRepeatable() const noexcept;
  int AnswerCount(const Group& group) const noexcept { return group.end - group.begin; }
  Answer& AnswerOf(const Group& group, int index) noexcept { return answers_[order_[group.begin + index]]; }
  std::string_view ValueKey(const Group& group) const noexcept { return keys_[order_[group.begin]].value(); }
  std::string_view KeyOf(const Group& group) noexcept;  // valid until the next call
  bool RemembersKeys() const noexcept { return group_count_ <= kRememberedKeys; }
  Remembered* Recall(const KeyHash& hash) noexcept;
  void Remember(const Group& group) noexcept;
  State End(State state) noexcept;
  void FreeGroups() noexcept;

  io::EtcdLink& link_;
  Operation operation_;
  const StoreKey* keys_ = nullptr;
  Answer* answers_ = nullptr;
  int count_ = 0;
  int64_t until_us_ = 0;

  Group only_group_;
  int only_order_ = 0;
  Group* groups_ = nullptr;  // allocated if there are several keys
  int* order_ = nullptr;     // indices of keys; those of a group side by side
  int group_count_ = 0;

  Phase phase_ = Phase::kAsking;
  bool is_over_ = false;
  bool was_answered_ = false;
  bool has_reply_ = false;  // for the next step
  int calls_ = 0;
  int leaves_[io::EtcdLink::kMaxCalls] = {};  // of each call
  int fan_ = kMaxFan;                         // operations of a transaction
  int next_fan_ = kMaxFan;                    // of the next exchange
  size_t call_bytes_ = kMaxCallBytes;
  // For keys with a TTL: the lease that this operation binds keys to, once it is known to be there.
  int64_t lease_ = 0;
  bool is_lease_new_ = false;  // granted for this operation
  int64_t shared_lease_ = 0;   // see SharedLease(); 0: the TTL is not sliding
  bool is_lease_settled_ = false;
  bool unsure_ = false;
  bool came_from_one_ = true;
  uint64_t first_connection_ = 0;
  uint64_t cluster_ = 0;  // that sent the latest reply; 0: none has come yet
  const char* problem_ = nullptr;

  size_t prefix_bytes_ = 0;
  char key_[kMaxPrefix + 1 + kMaxStoreKeyBytes];  // begins with the prefix
  uint64_t uses_ = 0;
  Remembered remembered_[kRememberedKeys];
};

}  // namespace idgen::sequencer
