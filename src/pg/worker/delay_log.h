// Logs ids that run ahead of the id clock, and callers that wait for ids.
#pragma once

#include "pg/base/log_limit.h"
#include "pg/base/shared_memory.h"
#include "pg/status/counter_totals.h"

namespace idgen::pg {

class DelayLog {
 public:
  // Called at every turn of the worker.
  void Check(const Shared& shared);

 private:
  void CheckDrift(const Shared& shared, int64 boot_us);
  void CheckWaits(const Totals& totals, int64 boot_us);

  LogLimit drift_limit_;
  LogLimit waits_limit_;
  int64 ahead_since_us_ = 0;  // since when ids have run ahead of the id clock; 0: they do not
  bool drift_logged_ = false;
  bool has_logged_totals_ = false;
  Totals logged_totals_ = {};  // as of the last line about waits
};

}  // namespace idgen::pg
