// Alarms of table guards: replicated rows with ids that this server may have issued.
#pragma once

#include "pg/base/pg.h"

namespace idgen::pg {

struct GuardAlarm {
  Oid database;  // InvalidOid: none
  Oid table;
  uint32 worker;
  int64 id;  // in the latest such row
  TimestampTz at;
};

// The latest alarm of each database, so that many tables in one do not displace another's. If all are used, the oldest
// is replaced.
inline constexpr int kGuardAlarms = 16;

// How long an alarm lasts without another such row.
inline constexpr int64 kGuardAlarmUs = int64{3600} * 1000 * 1000;

// The alarm of this session's database; nullptr if there is none. Alarms of other databases are not shown: their owners
// may be able to raise them at will.
const GuardAlarm* AlarmOfDatabase(const GuardAlarm (&alarms)[kGuardAlarms]);

}  // namespace idgen::pg
