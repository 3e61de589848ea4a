// Says to the store again and again that a server with a static worker id is there, and learns who else has that worker
// id. Advice and no more: nobody waits for it, and ids flow without it. No I/O of its own, as in lease_source.h.
#pragma once

#include "lease/rivals.h"
#include "lease/store.h"

namespace idgen::lease {

struct PresenceRules {
  int64_t ttl_ms = 30000;
  int64_t every_us = 2 * core::kUsPerSecond;
};

struct PresenceView {
  bool answered = false;  // the store has answered since this server has had the worker id
  int failures = 0;       // in a row
  RivalView rival;
  char problem[512] = {};  // the last failure
};

class Presence {
 public:
  using TokenMaker = void (*)(char (&text)[kTokenBytes + 1]) noexcept;

  // `token` is in shared memory: empty at every start of the server, so that a copy of the server has another, and kept
  // when only the worker process was started again.
  Presence(LeaseStore& store, char (&token)[kTokenBytes + 1], TokenMaker make_token) noexcept
      : store_(store), token_(token), make_token_(make_token) {}

  void SetRules(const PresenceRules& rules) noexcept { rules_ = rules; }

  // One turn, while ids are issued under the static worker id `worker`, up to `ceiling_ms`.
  void Turn(const core::Instant& now, uint32_t worker, int64_t ceiling_ms) noexcept;
  // There is no static worker id now, or no store to say it to: what was said runs out by itself.
  void Stop() noexcept;

  io::Wants wants(int64_t now_us) const noexcept;
  const PresenceView& view() const noexcept { return view_; }

 private:
  void Begin(const core::Instant& now, int64_t ceiling_ms) noexcept;
  void Take(const StoreReply& reply, const core::Instant& now) noexcept;

  LeaseStore& store_;
  char (&token_)[kTokenBytes + 1];
  TokenMaker make_token_;
  PresenceRules rules_;
  PresenceView view_;
  Rivals rivals_;
  bool present_ = false;
  bool asked_ = false;
  uint32_t worker_ = 0;
  int64_t due_at_us_ = 0;
};

}  // namespace idgen::lease
