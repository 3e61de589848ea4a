// PostgreSQL's microseconds since 2000 and Unix' since 1970.
#pragma once

#include "pg/base/pg.h"

namespace idgen::pg {

inline constexpr int64 kPostgresEpochUs = int64{POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE} * USECS_PER_DAY;

// Times past what 64 bits of Unix microseconds hold, infinity among them, are at the end.
inline int64 UnixUs(TimestampTz time) noexcept {
  int64 unix_us;
  return __builtin_add_overflow(time, kPostgresEpochUs, &unix_us) ? PG_INT64_MAX : unix_us;
}

inline TimestampTz TimestampOfUnixUs(int64 unix_us) noexcept { return unix_us - kPostgresEpochUs; }

// Whether a timestamptz can say it.
inline bool FitsTimestamp(int64 unix_us) noexcept {
  int64 time;
  return !__builtin_sub_overflow(unix_us, kPostgresEpochUs, &time) && IS_VALID_TIMESTAMP(time);
}

}  // namespace idgen::pg
