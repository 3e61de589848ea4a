// uuid_v7(), uuid_v7(timestamptz), uuid_v7_min(), uuid_v7_max(), uuid_v7_timestamp(), uuid_v7_decode().
#include "pg/base/pg.h"

#include "io/clock.h"
#include "pg/base/row.h"
#include "pg/base/shared_memory.h"
#include "pg/base/timestamp.h"
#include "pg/ids/uuid_entropy.h"

#include <cstring>

using namespace idgen;

namespace {

static_assert(sizeof(core::Uuid) == UUID_LEN);

// Used by a session without shared memory, which cannot order its UUIDs with those of other sessions.
core::Word session_line;

core::DecodedUuid7 DecodeOrRaise(const pg_uuid_t* datum) {
  core::Uuid uuid;
  memcpy(uuid.bytes, datum->data, sizeof uuid.bytes);
  const int version = core::UuidVersion(uuid);
  if (version < 0)
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("UUID is not version 7"),
                    errdetail("Its variant is not the one defined in RFC 9562.")));
  if (version != 7)
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("UUID is not version 7"),
                    errdetail("Its version is %d.", version)));
  return core::DecodeUuid7(uuid);
}

// The id clock if there is one, because it does not go back when the wall clock is set back; otherwise the wall clock.
// Reading the fine clock each time would be half the cost of a UUID.
int64 UuidClockMs(const pg::Shared* shared) {
  using core::PlainMemory;
  static io::TickClock clock;
  if (shared == nullptr || PlainMemory::Load(shared->server.clock_state, core::Step::kReadClock) == 0)
    return core::MsOf(io::WallUs());
  return core::MsOf(clock.BootUs() + core::ClockOffsetUs<PlainMemory>(shared->server));
}

Datum UuidDatum(const core::Uuid& uuid) {
  auto* result = static_cast<pg_uuid_t*>(palloc(sizeof(pg_uuid_t)));
  memcpy(result->data, uuid.bytes, sizeof uuid.bytes);
  return UUIDPGetDatum(result);
}

}  // namespace

extern "C" {

PG_FUNCTION_INFO_V1(idgen_sql_uuid_v7);
PGDLLEXPORT Datum idgen_sql_uuid_v7(PG_FUNCTION_ARGS) {
  (void)fcinfo;
  const core::UuidEntropy entropy = pg::DrawUuidEntropy();
  pg::Shared* shared = pg::SharedState();
  core::Word& line = shared != nullptr ? shared->server.uuid_next : session_line;
  const uint64 position = core::NextUuidPosition<core::PlainMemory>(line, UuidClockMs(shared), entropy.counter);
  return UuidDatum(core::ComposeUuid7(position, entropy.tail));
}

// For a given time there is no counter: all 74 bits are random.
PG_FUNCTION_INFO_V1(idgen_sql_uuid_v7_at);
PGDLLEXPORT Datum idgen_sql_uuid_v7_at(PG_FUNCTION_ARGS) {
  const TimestampTz at = PG_GETARG_TIMESTAMPTZ(0);
  const int64 ms = core::MsOf(pg::UnixUs(at));
  if (ms < 0 || ms > core::kMaxUuidMs)
    ereport(ERROR, (errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
                    errmsg("timestamp %s is out of range for UUID version 7", timestamptz_to_str(at)),
                    errdetail("The range is 0 to %lld ms since 1970-01-01 00:00 UTC, until %s.",
                              static_cast<long long>(core::kMaxUuidMs), pg::TimeText(core::kMaxUuidMs))));
  const core::UuidEntropy entropy = pg::DrawUuidEntropy();
  const uint64 position = static_cast<uint64>(ms) << core::kUuidCounterBits | entropy.counter;
  return UuidDatum(core::ComposeUuid7(position, entropy.tail));
}

PG_FUNCTION_INFO_V1(idgen_sql_uuid_v7_min);
PGDLLEXPORT Datum idgen_sql_uuid_v7_min(PG_FUNCTION_ARGS) {
  return UuidDatum(core::Uuid7Min(pg::UnixUs(PG_GETARG_TIMESTAMPTZ(0))));
}

PG_FUNCTION_INFO_V1(idgen_sql_uuid_v7_max);
PGDLLEXPORT Datum idgen_sql_uuid_v7_max(PG_FUNCTION_ARGS) {
  return UuidDatum(core::Uuid7Max(pg::UnixUs(PG_GETARG_TIMESTAMPTZ(0))));
}

PG_FUNCTION_INFO_V1(idgen_sql_uuid_v7_timestamp);
PGDLLEXPORT Datum idgen_sql_uuid_v7_timestamp(PG_FUNCTION_ARGS) {
  PG_RETURN_TIMESTAMPTZ(pg::TimestampOfUnixMs(DecodeOrRaise(PG_GETARG_UUID_P(0)).unix_ms));
}

PG_FUNCTION_INFO_V1(idgen_sql_uuid_v7_decode);
PGDLLEXPORT Datum idgen_sql_uuid_v7_decode(PG_FUNCTION_ARGS) {
  const core::DecodedUuid7 decoded = DecodeOrRaise(PG_GETARG_UUID_P(0));
  Datum values[] = {TimestampTzGetDatum(pg::TimestampOfUnixMs(decoded.unix_ms)),
                    Int32GetDatum(static_cast<int32>(decoded.rand_a)),
                    Int64GetDatum(static_cast<int64>(decoded.rand_b))};
  bool nulls[] = {false, false, false};
  return pg::RowOf(pg::RowDescriptor(fcinfo), values, nulls);
}

}  // extern "C"
