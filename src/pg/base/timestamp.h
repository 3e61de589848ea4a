// Conversions between Unix time and timestamptz, which counts microseconds since 2000.
#pragma once

#include "pg/base/pg.h"

namespace idgen::pg {

inline constexpr int64 kPostgresEpochUs = int64{POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE} * USECS_PER_DAY;

// Saturates: infinity and other times past 64 bits of Unix microseconds give the largest value.
inline int64 UnixUs(TimestampTz time) noexcept {
  int64 unix_us;
  return __builtin_add_overflow(time, kPostgresEpochUs, &unix_us) ? PG_INT64_MAX : unix_us;
}

inline TimestampTz TimestampOfUnixUs(int64 unix_us) noexcept { return unix_us - kPostgresEpochUs; }

inline TimestampTz TimestampOfUnixMs(int64 unix_ms) noexcept { return TimestampOfUnixUs(unix_ms * 1000); }

// Unix milliseconds as the server log writes times; palloc'ed.
inline const char* TimeText(int64 unix_ms) { return pstrdup(timestamptz_to_str(TimestampOfUnixMs(unix_ms))); }

// Whether a timestamptz can hold it.
inline bool FitsTimestamp(int64 unix_us) noexcept {
  int64 time;
  return !__builtin_sub_overflow(unix_us, kPostgresEpochUs, &time) && IS_VALID_TIMESTAMP(time);
}

}  // namespace idgen::pg
