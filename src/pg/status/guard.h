// What the guards of tables have found: ids that this server may have issued, in rows that came by replication.
#pragma once

#include "pg/base/pg.h"

namespace idgen::pg {

struct GuardAlarm {
  Oid database;  // InvalidOid: none
  Oid table;
  uint32 worker;
  int64 id;  // of the latest such row
  TimestampTz at;
};

// One for each database, its latest: many tables of one don't drive out another's. The oldest makes room.
inline constexpr int kGuardAlarms = 16;

// How long an alarm lasts without another such row.
inline constexpr int64 kGuardAlarmUs = int64{3600} * 1000 * 1000;

// The alarm of this session's database; nullptr where there is none. Those of other databases are not shown: who
// owns one of them may be able to raise it at will.
const GuardAlarm* AlarmOfDatabase(const GuardAlarm (&alarms)[kGuardAlarms]);

}  // namespace idgen::pg
