// The lease store in etcd (3.4 or later): a worker id is a key that is bound to an etcd lease, its ceiling a key that
// is not. What an operation costs in round trips, which are the settings' timeout in all:
//
//   acquire   2; 1 if the reply to the same acquisition was lost; at most 9 (10 if the store went back in time or is
//             another cluster)
//   renew     1, every few renewals with a second call side by side that keeps the etcd lease alive; 2 if the ceiling
//             is not the expected one, as after a lost reply, and more while others change it
//   release, list, declare new   1
//   present   1; 2 the first time
//
// A reply from another cluster than the lease's is kOtherCluster: nothing that it says of the lease counts.
// All of its calls may be carried out late, twice or not at all: see docs/architecture/lease.md.
#pragma once

#include "io/etcd/link.h"
#include "lease/etcd/bodies.h"
#include "lease/store.h"

namespace idgen::lease {

class EtcdLeaseStore : public LeaseBackend {
 public:
  explicit EtcdLeaseStore(io::EtcdLink& link) noexcept : link_(link) {}

  void Configure(const LeaseStoreSettings& settings) noexcept override;
  void Begin(const StoreRequest& request, int64_t now_us) noexcept override;
  bool Step(int64_t now_us, StoreReply* reply) noexcept override;
  io::Wants wants(int64_t now_us) const noexcept override;
  const char* problem() const noexcept override { return *problem_ != '\0' ? problem_ : link_.problem(); }
  void Close() noexcept override;

  size_t record_count() const noexcept override;
  bool Record(size_t index, StoreRecord* record) const noexcept override;
  const char* advice() const noexcept override { return nullptr; }
  const char* failure_advice() const noexcept override { return failure_advice_; }

 private:
  // What the exchange under way asks.
  enum class Stage : uint8_t { kNone, kListing, kTaking, kRenewing, kReleasing, kReading, kGranting, kPresenting };

  static constexpr int kMaxTakes = 8;    // and lists after the first
  static constexpr int kMaxHolders = 3;  // leases of servers that call themselves as this one does

  void Ask(Stage stage) noexcept;
  // Of the exchange under way.
  void NewExchange() noexcept;
  wire::EtcdBody& AddCall(const char* path) noexcept;
  void BeginAcquisition() noexcept;
  void AskListing(bool grants) noexcept;
  void RaiseAndList() noexcept;
  void ListAfterAll() noexcept;
  ChoiceRules Rules() const noexcept;
  void ChooseAndTake(const EtcdListing& listing) noexcept;
  void AskTaking() noexcept;
  void AskRenewal() noexcept;
  void AskPresence() noexcept;
  void AddGrant() noexcept;
  void AddKeepAlive() noexcept;
  bool Send(Stage stage) noexcept;
  void Answer(const StoreReply& reply) noexcept;
  void Fail(const char* problem) noexcept;
  void FailOnReply(const wire::EtcdReply& reply) noexcept;

  void Read() noexcept;
  uint64_t FindOtherCluster() noexcept;
  void ReadOtherCluster(uint64_t other) noexcept;
  bool ReadGrant(const wire::EtcdReply& reply) noexcept;
  void ReadKeepAlive() noexcept;
  void ReadListing() noexcept;
  bool HasForgotten(const Looked& looked) const noexcept;
  void ReadRecords(const wire::EtcdOp& records) noexcept;
  void ReadTaken() noexcept;
  void ListAgain() noexcept;
  void ReadRenewal() noexcept;
  void ReadRelease() noexcept;
  void ReadList() noexcept;
  void ReadPresence() noexcept;
  void AnswerAcquired(uint32_t worker, int64_t fence, int64_t ceiling_ms) noexcept;
  void AnswerBusy(StoreReply::Why why, int64_t until_ms) noexcept;
  void AnswerLost(StoreReply::Why why) noexcept;
  void NameRival(StoreReply::Rival kind, std::string_view holder, StoreReply* reply) noexcept;
  StoreReply Reply(StoreOutcome outcome) const noexcept;
  int64_t ExpiryMs() const noexcept;
  EtcdLeaseText Text() noexcept;

  io::EtcdLink& link_;
  LeaseStoreSettings settings_;
  mutable EtcdKeys keys_;
  StoreRequest request_;
  Stage stage_ = Stage::kNone;
  int64_t now_us_ = 0;    // of the last call
  int64_t until_us_ = 0;  // of the request
  int calls_ = 0;         // in the exchange
  uint64_t cluster_ = 0;  // the only one whose replies count in this request; 0: that of the first reply
  int takes_ = 0;         // of an acquisition; of another request, repetitions
  int lists_ = 0;         // of an acquisition, after the first
  Choice choice_;
  bool has_raised_ = false;      // the previous lease's ceiling, in this request
  bool looks_ = false;           // the list is only asked for if the previous lease is not this server's any more
  int grant_ = -1, raise_ = -1;  // while listing, the index of that call in the exchange; -1: none
  int64_t stored_ms_ = 0;        // of a renewal: the ceiling that the store has, as far as this server knows
  bool has_forgotten_ = false;   // of a renewal: the store had a lower one
  bool has_answer_ = false;
  StoreReply answer_;
  int keep_alive_ = -1;   // the index of that call in the exchange; -1: none
  int64_t asked_us_ = 0;  // when the exchange began

  // The etcd lease that this object last asked for or kept alive. Lost with the process; then it is kept alive at once.
  int64_t lease_ = 0;
  int64_t lease_ttl_ms_ = 0;   // as etcd granted it; 0 if unknown
  int64_t lease_kept_us_ = 0;  // since when it counts

  char value_[kTokenBytes + 1 + kHolderBytes];
  char rival_[kHolderBytes] = {};
  const char* failure_advice_ = nullptr;  // until a request succeeds or fails in another way: the status shows it
  char problem_[512] = {};
};

}  // namespace idgen::lease
