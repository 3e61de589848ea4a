// idgen_decode(), idgen_timestamp(): ids of the default generator, read.
#include "pg/pg.h"

#include "core/decode.h"
#include "pg/describe.h"
#include "pg/row.h"

using namespace idgen;

namespace {

uint64 CheckedId(int64 id) {
  if (unlikely(id < 0))
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("%lld is not an id of the default generator", static_cast<long long>(id)),
                    errdetail("Its ids are never negative.")));
  return static_cast<uint64>(id);
}

}  // namespace

extern "C" {

PG_FUNCTION_INFO_V1(idgen_sql_timestamp);
PGDLLEXPORT Datum idgen_sql_timestamp(PG_FUNCTION_ARGS) {
  const uint64 id = CheckedId(PG_GETARG_INT64(0));
  PG_RETURN_TIMESTAMPTZ(pg::TimestampOfUnixMs(core::TimestampMs(core::kDefaultLayout, id)));
}

PG_FUNCTION_INFO_V1(idgen_sql_decode);
PGDLLEXPORT Datum idgen_sql_decode(PG_FUNCTION_ARGS) {
  constexpr const core::Layout& layout = core::kDefaultLayout;
  const core::Decoded decoded = core::Decode(layout, CheckedId(PG_GETARG_INT64(0)));
  Datum values[] = {TimestampTzGetDatum(pg::TimestampOfUnixMs(decoded.unix_ms)),
                    Int32GetDatum(static_cast<int32>(decoded.region)), Int32GetDatum(static_cast<int32>(decoded.app)),
                    Int32GetDatum(static_cast<int32>(decoded.worker)),
                    Int64GetDatum(static_cast<int64>(decoded.sequence))};
  bool nulls[] = {false, !layout.region.Present(), !layout.app.Present(), !layout.worker.Present(),
                  !layout.sequence.Present()};
  return pg::RowOf(pg::RowDescriptor(fcinfo), values, nulls);
}

}  // extern "C"
