// The lease as an identity source: tokens, retries, time limits. It decides what the store is asked and when to try
// again; what may be issued is the keeper's. No I/O of its own: time, tokens and the store are passed in.
#pragma once

#include <algorithm>

#include "lease/identity_source.h"
#include "lease/keeper.h"
#include "lease/rivals.h"
#include "lease/store.h"

namespace idgen::lease {

// What a worker process that takes over goes on with; in shared memory, written before a token is sent. Forgotten with
// it after a crash, so that nobody goes on with a lease whose lines are gone.
struct LeaseMemo {
  char token[kTokenBytes + 1];  // empty: none
  bool worker_known;            // the acquisition was answered
  uint32_t worker;
  int64_t last_expiry_ms;  // by the store's clock
  int64_t floor_ms;        // of the acquisition
};

// Where a worker process begins that finds `memo`, and perhaps an identity, from a process before it, whose source was
// `from`; the settings point to `wanted` now. A token without an identity is not gone on with: what it got runs out.
inline Origin OriginOf(LeaseMemo& memo, bool has_identity, uint64_t from, uint64_t wanted, bool leased) noexcept {
  const bool same = from == wanted && (!leased || (memo.token[0] != '\0' && memo.worker_known));
  if (!has_identity || !same) memo = LeaseMemo();
  return {.source = wanted, .leased = leased, .of_identity = same};
}

struct LeaseRules {
  int64_t ttl_ms = 30000;
  int64_t release_within_us = 0;  // a release that takes longer is given up: the lease runs out by itself
};

// What there is to tell of the lease.
struct LeaseView {
  int64_t expiry_ms = 0;                          // by the store's clock; 0 before the first answer
  int64_t renewed_at_ms = 0;                      // by this server's wall clock; 0 where it never was
  int64_t latency_us = 0;                         // of the last answer
  int64_t store_lags_us = 0;                      // this server's wall clock less the store's, as of the last answer
  int failures = 0;                               // in a row
  int64_t failing_since_ms = 0;                   // by the wall clock; 0 where nothing fails
  StoreReply::Why busy = StoreReply::Why::kNone;  // why no worker id is to be had
  int64_t busy_until_ms = 0;                      // by the store's clock
  StoreReply::Why lost = StoreReply::Why::kNone;  // why the last lease was lost
  StoreMemory memory = StoreMemory::kUnknown;     // as it last said
  RivalView rival;                                // a server that has the leased worker id as its static one
  char problem[512] = {};                         // the last failure
};

class LeaseSource final : public IdentitySource {
 public:
  using TokenMaker = void (*)(char (&text)[kTokenBytes + 1]) noexcept;

  LeaseSource(LeaseStore& store, LeaseMemo& memo, TokenMaker make_token) noexcept
      : store_(store), memo_(memo), make_token_(make_token) {}

  void SetRules(const LeaseRules& rules) noexcept { rules_ = rules; }
  // The store was set up anew: what it was asked is asked again.
  void AskAgain(const core::Instant& now) noexcept;

  void Submit(const SourceRequest& request, const core::Instant& now) noexcept override;
  bool Poll(const core::Instant& now, SourceAnswer* answer) noexcept override;
  // Of the request that is under way.
  io::Wants wants(int64_t now_us) const noexcept;
  const LeaseView& view() const noexcept { return view_; }

  // A lease is renewed so often: every 2 s, oftener with a short TTL or window.
  static constexpr int64_t RenewEveryUs(int64_t ttl_ms, int64_t window_ms) noexcept {
    return std::min({2 * core::kUsPerSecond, ttl_ms * core::kUsPerMs / 15, window_ms * core::kUsPerMs / 4});
  }

 private:
  static constexpr int64_t kFirstBackoffUs = 20 * core::kUsPerMs;
  static constexpr int64_t kMaxBackoffUs = core::kUsPerSecond;
  static constexpr int64_t kSettledUs =
      10 * core::kUsPerSecond;                                // a lease that lasted longer is none of a row of losses
  static constexpr int64_t kAskAgainUs = core::kUsPerSecond;  // while no worker id is to be had

  void BeginRelease(int64_t now_us) noexcept;
  void Conclude(const StoreReply& reply, const core::Instant& now, SourceAnswer* answer) noexcept;
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
  bool asked_ = false;  // the store was asked, and has not answered
  bool nothing_to_release_ = false;
  int64_t began_at_us_ = 0;
  int losses_ = 0;  // in a row
  int64_t acquired_at_us_ = 0;
  uint64_t jitter_ = 0x9e3779b97f4a7c15;
};

}  // namespace idgen::lease
