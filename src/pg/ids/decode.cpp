// idgen_decode() and idgen_timestamp(): read ids of the default generator, of a named one, and of any layout.
#include "pg/base/pg.h"

#include "core/decode.h"
#include "pg/base/row.h"
#include "pg/base/timestamp.h"
#include "pg/generators/definition.h"
#include "pg/generators/generators.h"

using namespace idgen;

namespace {

uint64 CheckedId(int64 id) {
  if (unlikely(id < 0))
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("%lld is not an id of the default generator", static_cast<long long>(id)),
                    errdetail("Ids of the default generator are never negative.")));
  return static_cast<uint64>(id);
}

// Raises if the id has bits that the layout has not. In 64-bit layouts half the ids are negative bigints.
uint64 CheckedId(const core::Layout& layout, int64 id) {
  const auto bits = static_cast<uint64>(id);
  if (unlikely((bits & ~core::IdMask(layout)) != 0))
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("%lld is not an id of this layout", static_cast<long long>(id)),
                    errdetail("Ids of this layout have %u bits and range from 0 to %llu.", core::TotalBits(layout),
                              static_cast<unsigned long long>(core::IdMask(layout)))));
  return bits;
}

TimestampTz TimestampOfId(const core::GeneratorDefinition& definition, uint64 id) {
  const std::optional<int64_t> unix_us = core::TimestampUs(definition, id);
  if (unlikely(!unix_us || !pg::FitsTimestamp(*unix_us)))
    ereport(ERROR, (errcode(ERRCODE_DATETIME_FIELD_OVERFLOW), errmsg("time of id is out of range"),
                    errdetail("It is %llu ticks of %lld us after %s.",
                              static_cast<unsigned long long>(definition.layout.time.Get(id)),
                              static_cast<long long>(definition.unit_us), pg::TimeText(definition.layout.epoch_ms))));
  return pg::TimestampOfUnixUs(*unix_us);
}

// State of a call site of a function that takes a layout: the definition, kept if the arguments are constants.
struct LayoutSite {
  bool constant;
  core::GeneratorDefinition definition;
  TupleDesc row;
};

// Arguments 1 to 3 are layout, epoch and unit; the layout is not NULL.
LayoutSite* SiteOfLayout(FunctionCallInfo fcinfo) {
  auto* site = static_cast<LayoutSite*>(fcinfo->flinfo->fn_extra);
  if (likely(site != nullptr && site->constant)) return site;
  const core::GeneratorDefinition definition = pg::DefinitionOfArguments(fcinfo, 1);
  if (site == nullptr) {
    site = static_cast<LayoutSite*>(MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(LayoutSite)));
    site->constant = true;
    for (int i = 1; i < PG_NARGS(); ++i) site->constant = site->constant && pg::IsConstant(fcinfo, i);
    fcinfo->flinfo->fn_extra = site;
  }
  site->definition = definition;
  return site;
}

Datum DecodedRow(TupleDesc row, const core::Layout& layout, TimestampTz time, const core::Decoded& decoded) {
  Datum values[] = {TimestampTzGetDatum(time), Int32GetDatum(static_cast<int32>(decoded.region)),
                    Int32GetDatum(static_cast<int32>(decoded.app)), Int32GetDatum(static_cast<int32>(decoded.worker)),
                    Int64GetDatum(static_cast<int64>(decoded.sequence))};
  bool nulls[] = {false, !layout.region.Present(), !layout.app.Present(), !layout.worker.Present(),
                  !layout.sequence.Present()};
  return pg::RowOf(row, values, nulls);
}

Datum DecodeBy(const core::GeneratorDefinition& definition, TupleDesc row, int64 argument) {
  const uint64 id = CheckedId(definition.layout, argument);
  return DecodedRow(row, definition.layout, TimestampOfId(definition, id), core::Decode(definition.layout, id));
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
  const core::Decoded decoded = core::Decode(core::kDefaultLayout, CheckedId(PG_GETARG_INT64(0)));
  return DecodedRow(pg::RowDescriptor(fcinfo), core::kDefaultLayout, pg::TimestampOfUnixMs(decoded.unix_ms), decoded);
}

PG_FUNCTION_INFO_V1(idgen_sql_timestamp_generator);
PGDLLEXPORT Datum idgen_sql_timestamp_generator(PG_FUNCTION_ARGS) {
  const core::GeneratorDefinition& definition = pg::GeneratorOf(fcinfo, 1, false).generator.definition;
  PG_RETURN_TIMESTAMPTZ(TimestampOfId(definition, CheckedId(definition.layout, PG_GETARG_INT64(0))));
}

PG_FUNCTION_INFO_V1(idgen_sql_decode_generator);
PGDLLEXPORT Datum idgen_sql_decode_generator(PG_FUNCTION_ARGS) {
  pg::GeneratorSite& site = pg::GeneratorOf(fcinfo, 1, false);
  if (unlikely(site.row == nullptr)) site.row = pg::MakeRowDescriptor(fcinfo);
  return DecodeBy(site.generator.definition, site.row, PG_GETARG_INT64(0));
}

PG_FUNCTION_INFO_V1(idgen_sql_timestamp_layout);
PGDLLEXPORT Datum idgen_sql_timestamp_layout(PG_FUNCTION_ARGS) {
  if (PG_ARGISNULL(0) || PG_ARGISNULL(1)) PG_RETURN_NULL();
  const core::GeneratorDefinition& definition = SiteOfLayout(fcinfo)->definition;
  PG_RETURN_TIMESTAMPTZ(TimestampOfId(definition, CheckedId(definition.layout, PG_GETARG_INT64(0))));
}

PG_FUNCTION_INFO_V1(idgen_sql_decode_layout);
PGDLLEXPORT Datum idgen_sql_decode_layout(PG_FUNCTION_ARGS) {
  if (PG_ARGISNULL(0) || PG_ARGISNULL(1)) PG_RETURN_NULL();
  LayoutSite* site = SiteOfLayout(fcinfo);
  if (unlikely(site->row == nullptr)) site->row = pg::MakeRowDescriptor(fcinfo);
  return DecodeBy(site->definition, site->row, PG_GETARG_INT64(0));
}

}  // extern "C"
