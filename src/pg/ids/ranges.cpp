// idgen_min_id() and idgen_max_id(): bounds of the ids of a time, for indexes and partitions.
#include "pg/base/pg.h"

#include "pg/base/timestamp.h"
#include "pg/generators/definition.h"
#include "pg/generators/generators.h"

using namespace idgen;

namespace {

constexpr core::GeneratorDefinition kDefault = {};

Datum MinIdOrRaise(const core::GeneratorDefinition& definition, TimestampTz time) {
  const std::optional<int64_t> id = core::MinId(definition, pg::UnixUs(time));
  if (!id)
    ereport(ERROR, (errcode(ERRCODE_DATETIME_FIELD_OVERFLOW),
                    errmsg("no bigint is above all ids before %s", timestamptz_to_str(time)),
                    errdetail("The layout's time field ends at %s.",
                              timestamptz_to_str(pg::TimestampOfUnixUs(core::EndUs(definition).value()))),
                    errhint("All ids are earlier, so omit the upper bound.")));
  return Int64GetDatum(*id);
}

}  // namespace

extern "C" {

PG_FUNCTION_INFO_V1(idgen_sql_min_id);
PGDLLEXPORT Datum idgen_sql_min_id(PG_FUNCTION_ARGS) { return MinIdOrRaise(kDefault, PG_GETARG_TIMESTAMPTZ(0)); }

PG_FUNCTION_INFO_V1(idgen_sql_max_id);
PGDLLEXPORT Datum idgen_sql_max_id(PG_FUNCTION_ARGS) {
  PG_RETURN_INT64(core::MaxId(kDefault, pg::UnixUs(PG_GETARG_TIMESTAMPTZ(0))));
}

PG_FUNCTION_INFO_V1(idgen_sql_min_id_generator);
PGDLLEXPORT Datum idgen_sql_min_id_generator(PG_FUNCTION_ARGS) {
  return MinIdOrRaise(pg::GeneratorOf(fcinfo, 1, false).generator.definition, PG_GETARG_TIMESTAMPTZ(0));
}

PG_FUNCTION_INFO_V1(idgen_sql_max_id_generator);
PGDLLEXPORT Datum idgen_sql_max_id_generator(PG_FUNCTION_ARGS) {
  const core::GeneratorDefinition& definition = pg::GeneratorOf(fcinfo, 1, false).generator.definition;
  PG_RETURN_INT64(core::MaxId(definition, pg::UnixUs(PG_GETARG_TIMESTAMPTZ(0))));
}

}  // extern "C"
