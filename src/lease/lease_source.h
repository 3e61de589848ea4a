// The lease as an identity source: tokens, retries, time limits. It decides what to request from the store and when to
// retry; the keeper decides what may be issued. No I/O of its own: time, tokens and the store are passed in.
#pragma once

#include <algorithm>

#include "lease/identity_source.h"
#include "lease/keeper.h"
#include "lease/rivals.h"
#include "lease/store.h"

namespace idgen::lease {

// The state of a lease that outlives a worker process. It is in shared memory, written before a token is sent, and lost
// with it in a crash, so that no process continues a lease whose lines are gone.
struct LeaseMemo {
  char token[kTokenBytes + 1];  // empty: none
  bool worker_known;            // the acquisition was answered
  uint32_t worker;
  int64_t last_expiry_ms;  // by the store's clock
  int64_t floor_ms;        // of the acquisition
  int64_t fence;           // of the acquisition; 0 from a store that does not fence
  int64_t stored_ms;       // the ceiling in the store, by its last reply; only of a store that fences
  int64_t offered_ms;      // the highest ceiling in renewals since then, which were not answered; 0: none
  // What is known of the store, whether or not there is a lease.
  int64_t revision;  // the highest of its replies; 0 from a store that has none
  uint64_t cluster;  // that leases are taken from; 0: unknown, or a store without one
};

// The initial state of a worker process that finds `memo`, and perhaps an identity, of an earlier process. That one's
// source was `from`; the settings name `wanted` now. A token without an identity is dropped: its lease expires.
inline Origin OriginOf(LeaseMemo& memo, bool has_identity, uint64_t from, uint64_t wanted, bool leased) noexcept {
  const bool same = from == wanted && (!leased || (memo.token[0] != '\0' && memo.worker_known));
  if (!has_identity || !same) {
    const LeaseMemo old = memo;
    memo = LeaseMemo();
    if (from == wanted) memo.revision = old.revision, memo.cluster = old.cluster;
  }
  return {.source = wanted, .leased = leased, .of_identity = same};
}

struct LeaseRules {
  uint64_t source = 0;  // the number of store and prefix
  int64_t ttl_ms = 30000;
  int64_t release_within_us = 0;  // a release that takes longer is given up: the lease expires
};

// The lease's status.
struct LeaseView {
  int64_t expiry_ms = 0;                          // by the store's clock; 0 before the first answer
  int64_t renewed_at_ms = 0;                      // by this server's wall clock; 0 if never
  int64_t latency_us = 0;                         // of the last reply
  int64_t store_lags_us = 0;                      // this server's wall clock less the store's, as of the last reply
  int failures = 0;                               // in a row
  int64_t failing_since_ms = 0;                   // by the wall clock; 0 if the last request succeeded
  StoreReply::Why busy = StoreReply::Why::kNone;  // why no worker id is available
  int64_t busy_until_ms = 0;                      // by the store's clock
  StoreReply::Why lost = StoreReply::Why::kNone;  // why the last lease was lost
  StoreMemory memory = StoreMemory::kUnknown;     // as of the last reply that says
  RivalView rival;                                // a server that has the leased worker id as its static one
  int64_t fence = 0;                              // of the lease; 0: none, or a store that does not fence
  uint64_t cluster = 0;                           // of the store that leases are taken from; 0: unknown, or none
  uint64_t other_cluster = 0;                     // that answers in place of it; 0: none
  int64_t other_until_ms = 0;                     // no lease is taken from that one before; by the store's clock
  char problem[512] = {};                         // the last failure
};

class LeaseSource final : public IdentitySource {
 public:
  using TokenMaker = void (*)(char (&text)[kTokenBytes + 1]) noexcept;

  LeaseSource(LeaseStore& store, LeaseMemo& memo, TokenMaker make_token) noexcept
      : store_(store), memo_(memo), make_token_(make_token) {}

  // If the source changes, what is known of the former store is forgotten.
  void SetRules(const LeaseRules& rules) noexcept;
  // The store was replaced: repeats the request that it has not answered.
  void Resubmit(const core::Instant& now) noexcept;

  void Submit(const SourceRequest& request, const core::Instant& now) noexcept override;
  bool Poll(const core::Instant& now, SourceAnswer* answer) noexcept override;
  // What the request under way waits for.
  io::Wants wants(int64_t now_us) const noexcept;
  const LeaseView& view() const noexcept { return view_; }

  // The renewal interval: 2 s, or less with a short TTL or window.
  static constexpr int64_t RenewEveryUs(int64_t ttl_ms, int64_t window_ms) noexcept {
    return std::min({2 * core::kUsPerSecond, ttl_ms * core::kUsPerMs / 15, window_ms * core::kUsPerMs / 4});
  }

 private:
  static constexpr int64_t kFirstBackoffUs = 20 * core::kUsPerMs;
  static constexpr int64_t kMaxBackoffUs = core::kUsPerSecond;
  static constexpr int64_t kSettledUs =
      10 * core::kUsPerSecond;  // losing a lease that lasted longer starts a new series of losses
  static constexpr int64_t kBusyRetryUs = core::kUsPerSecond;  // while no worker id is available

  void BeginRelease(int64_t now_us) noexcept;
  void Conclude(const StoreReply& reply, const core::Instant& now, SourceAnswer* answer) noexcept;
  void NoteCluster(const StoreReply& reply, const core::Instant& now) noexcept;
  void NoteRevision(const StoreReply& reply) noexcept;
  uint64_t TrustedCluster(int64_t now_us) const noexcept;
  int64_t TrustsOtherAtUs() const noexcept { return met_at_us_ + rules_.ttl_ms * core::kUsPerMs; }
  void NoteFailure(const core::Instant& now) noexcept;
  int64_t BackoffUs(int times) noexcept;
  int64_t BusyForUs(const StoreReply& reply) noexcept;
  int64_t Jittered(int64_t us) noexcept;

  LeaseStore& store_;
  LeaseMemo& memo_;
  TokenMaker make_token_;
  LeaseRules rules_;
  LeaseView view_;
  Rivals rivals_;
  SourceRequest request_;
  bool asked_ = false;  // a request was sent to the store, which has not replied
  bool nothing_to_release_ = false;
  int64_t began_at_us_ = 0;
  int losses_ = 0;  // consecutive
  int64_t acquired_at_us_ = 0;
  int64_t met_at_us_ = 0;  // since when view_.other_cluster answers
  uint64_t jitter_ = 0x9e3779b97f4a7c15;
};

}  // namespace idgen::lease
