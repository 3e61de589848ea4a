// Announces a server with a static worker id to the store at intervals, and learns which other server has that worker
// id. It is only advice: nothing waits for it, and ids are issued without it. No I/O of its own, as in lease_source.h.
#pragma once

#include "lease/rivals.h"
#include "lease/store.h"

namespace idgen::lease {

struct PresenceRules {
  int64_t ttl_ms = 30000;
  int64_t every_us = 2 * core::kUsPerSecond;
};

struct PresenceView {
  bool answered = false;  // the store has replied since this server has had the worker id
  int failures = 0;       // consecutive
  RivalView rival;
  char problem[512] = {};  // the last failure
};

class Presence {
 public:
  using TokenMaker = void (*)(char (&text)[kTokenBytes + 1]) noexcept;

  // `token` is in shared memory: empty when the server starts, so that a copy of the server gets another one, and kept
  // when only the worker process restarts.
  Presence(LeaseStore& store, char (&token)[kTokenBytes + 1], TokenMaker make_token) noexcept
      : store_(store), token_(token), make_token_(make_token) {}

  void SetRules(const PresenceRules& rules) noexcept { rules_ = rules; }

  // One turn, while ids are issued under the static worker id `worker`, up to `ceiling_ms`.
  void Turn(const core::Instant& now, uint32_t worker, int64_t ceiling_ms) noexcept;
  // There is no static worker id any more, or no store: the last announcement expires.
  void Stop() noexcept;

  io::Wants wants(int64_t now_us) const noexcept;
  const PresenceView& view() const noexcept { return view_; }

 private:
  void Begin(const core::Instant& now, int64_t ceiling_ms) noexcept;
  void Receive(const StoreReply& reply, const core::Instant& now) noexcept;

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
