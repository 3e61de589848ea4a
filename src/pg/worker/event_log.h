// The background worker's log of what happens to the server's identity.
#pragma once

#include "lease/presence.h"
#include "pg/base/log_limit.h"
#include "pg/base/shared_memory.h"

namespace idgen::pg {

// Sets last_error of idgen_status().
void RememberError(Shared& shared, const char* text);

class EventLog {
 public:
  // `path`: of the local file. It must outlive the log.
  EventLog(Shared& shared, const char* path) noexcept : shared_(shared), path_(path) {}

  // Called for each event, after the status has been updated.
  void Log(const lease::Event& event);
  // Called at every turn of the worker: another server with this one's worker id, and a store that cannot be reached.
  void LogPresence(const lease::PresenceView& view);
  // Called at every turn of the worker: a lease that lasts, after losses that were not logged.
  void LogLastingLease();
  // Called at every turn of the worker: another etcd cluster than the one that leases are taken from.
  void LogCluster(const lease::LeaseView& view);

 private:
  void LogLoss(const lease::Event& event);
  bool MayLogStep(lease::Event::Kind kind) noexcept;
  bool MayLogRival(bool is_seen) noexcept;

  Shared& shared_;
  const char* path_;
  LogLimit step_limits_[4];  // one for each kind of clock step
  LogLimit loss_limit_;
  uint64 losses_not_logged_ = 0;
  int64 lost_at_us_ = 0;          // the last of them
  int64 rival_logged_at_us_ = 0;  // 0: there is none
  bool presence_fails_ = false;
  uint64 other_cluster_ = 0;
};

}  // namespace idgen::pg
