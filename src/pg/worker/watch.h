// What the background worker sees of the backends' troubles, and says in the log: once per event, and not often.
#pragma once

#include "pg/base/log_limit.h"
#include "pg/base/shared_memory.h"
#include "pg/status/counter_totals.h"

namespace idgen::pg {

class Watch {
 public:
  // At every turn of the worker.
  void Look(const Shared& shared);
  // Whether the loss of a lease is to be logged: at most once a minute. Of one that is not, neither is the next lease.
  bool MayLogLoss(int64 boot_us) noexcept;
  uint64 losses_passed_over() const noexcept { return losses_passed_over_; }
  // Of the events of clock steps: each kind at most once a minute.
  bool MayLogStep(lease::Event::Kind kind) noexcept;
  // Whether another server with this one's worker id is to be told of: when it appears, every ten minutes while it is
  // seen, and when it is gone.
  bool MayTellRival(bool is_seen) noexcept;
  // Whether the store, which is told of a static worker id, has begun or ceased to fail.
  bool PresenceChanged(bool fails) noexcept;

 private:
  void LookAtLease(const Shared& shared, int64 boot_us);
  void LookAtDrift(const Shared& shared, int64 boot_us);
  void LookAtWaits(const Totals& totals, int64 boot_us);

  LogLimit drift_limit_;
  LogLimit waits_limit_;
  LogLimit step_limits_[4];
  int64 rival_told_us_ = 0;  // 0: there is none
  bool presence_fails_ = false;
  LogLimit loss_limit_;
  uint64 losses_passed_over_ = 0;
  int64 lost_at_us_ = 0;      // the last of them
  int64 ahead_since_us_ = 0;  // ids have run ahead of the id clock since then; 0: they don't
  bool drift_told_ = false;
  bool began_ = false;
  Totals told_ = {};
};

}  // namespace idgen::pg
