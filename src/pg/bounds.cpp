// idgen_min_id() and idgen_max_id(): a time as a range of ids, for indexes and partitions.
#include "pg/pg.h"

#include "pg/definition.h"
#include "pg/describe.h"
#include "pg/generators.h"

using namespace idgen;

namespace {

constexpr core::Definition kDefault = {};
constexpr int64 kForEver = PG_INT64_MAX;

// Past every tick of every layout lie 'infinity', '-infinity', and the years from 294247 on, which end after 2^63 Unix
// microseconds.
int64 UnixUs(TimestampTz time) {
  if (TIMESTAMP_IS_NOBEGIN(time)) return PG_INT64_MIN;
  return time > kForEver - pg::UnixUsOfTimestamp(0) ? kForEver : pg::UnixUsOfTimestamp(time);
}

Datum MinIdOrRaise(const core::Definition& definition, TimestampTz time) {
  const std::optional<int64_t> id = core::MinId(definition, UnixUs(time));
  if (!id)
    ereport(ERROR, (errcode(ERRCODE_DATETIME_FIELD_OVERFLOW),
                    errmsg("no bigint is larger than all ids before %s", timestamptz_to_str(time)),
                    errdetail("The layout's time ends at %s.",
                              timestamptz_to_str(pg::TimestampOfUnixUs(core::EndUs(definition).value()))),
                    errhint("Leave the bound out: every id is earlier.")));
  return Int64GetDatum(*id);
}

}  // namespace

extern "C" {

PG_FUNCTION_INFO_V1(idgen_sql_min_id);
PGDLLEXPORT Datum idgen_sql_min_id(PG_FUNCTION_ARGS) { return MinIdOrRaise(kDefault, PG_GETARG_TIMESTAMPTZ(0)); }

PG_FUNCTION_INFO_V1(idgen_sql_max_id);
PGDLLEXPORT Datum idgen_sql_max_id(PG_FUNCTION_ARGS) {
  PG_RETURN_INT64(core::MaxId(kDefault, UnixUs(PG_GETARG_TIMESTAMPTZ(0))));
}

PG_FUNCTION_INFO_V1(idgen_sql_min_id_generator);
PGDLLEXPORT Datum idgen_sql_min_id_generator(PG_FUNCTION_ARGS) {
  return MinIdOrRaise(pg::GeneratorOf(fcinfo, 1, false).generator.definition, PG_GETARG_TIMESTAMPTZ(0));
}

PG_FUNCTION_INFO_V1(idgen_sql_max_id_generator);
PGDLLEXPORT Datum idgen_sql_max_id_generator(PG_FUNCTION_ARGS) {
  const core::Definition& definition = pg::GeneratorOf(fcinfo, 1, false).generator.definition;
  PG_RETURN_INT64(core::MaxId(definition, UnixUs(PG_GETARG_TIMESTAMPTZ(0))));
}

}  // extern "C"
