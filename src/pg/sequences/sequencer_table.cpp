// The table idgen_sequencer: validation of its rows; creating and dropping sequencers.
#include "pg/sequences/key_prefix.h"
#include "pg/base/row.h"
#include "pg/sequences/sequencers.h"

#include <cstring>

using namespace idgen;

namespace {

HeapTuple ValidateNew(HeapTuple row, TupleDesc descriptor, bool* is_default) {
  *is_default = pg::DefinitionOfSequencerRow(row, descriptor) == sequencer::Definition{};
  // This also covers restored and replicated rows. idgen_create_sequencer() inserts as the owner of the function, a
  // superuser, after it has checked the caller's right.
  bool is_null;
  const Datum prefix = heap_getattr(row, pg::kSequencerPrefix, descriptor, &is_null);
  if (!is_null) pg::CheckMayUsePrefix(DatumGetTextPP(prefix));
  return row;
}

// The corresponding row of the view idgen_sequencers.
Datum RowOfView(FunctionCallInfo fcinfo, HeapTuple row, TupleDesc descriptor) {
  pg::Row<10> result;
  result.AddColumn(row, pg::kNameColumn, descriptor);
  char prefix[sequencer::kPrefixBuffer];
  pg::PrefixOfRow(row, descriptor, prefix);
  result.AddText(prefix);
  for (int column = pg::kSequencerStart; column <= pg::kSequencerComment; ++column)
    result.AddColumn(row, column, descriptor);
  return result.Make(fcinfo);
}

constexpr pg::NamedTrigger kTrigger = {
    .validate_new = ValidateNew,
    .why_fixed = "",
    .instead = "Drop it and create it again. A sequencer of the same name continues with the values in the store."};

// Validates before a row is inserted, so that errors have no context of an internal query.
sequencer::Definition DefinitionOfArguments(FunctionCallInfo fcinfo) {
  const auto given = [fcinfo](int n) { return !PG_ARGISNULL(n); };
  const int64 start = given(2) ? PG_GETARG_INT64(2) : 0, step = given(3) ? PG_GETARG_INT64(3) : 0,
              max_value = given(4) ? PG_GETARG_INT64(4) : 0;
  const bool cycle = given(5) && PG_GETARG_BOOL(5);
  const int32 cache = given(8) ? PG_GETARG_INT32(8) : 1;
  return pg::ParseSequencer({.prefix = given(1) ? PG_GETARG_TEXT_PP(1) : nullptr,
                             .start = given(2) ? &start : nullptr,
                             .step = given(3) ? &step : nullptr,
                             .max_value = given(4) ? &max_value : nullptr,
                             .cycle = &cycle,
                             .ttl = given(6) ? PG_GETARG_INTERVAL_P(6) : nullptr,
                             .ttl_mode = given(7) ? PG_GETARG_TEXT_PP(7) : nullptr,
                             .cache = &cache});
}

void CheckNew(FunctionCallInfo fcinfo) {
  if (!PG_ARGISNULL(1)) pg::CheckMayUsePrefix(PG_GETARG_TEXT_PP(1));
}

bool IsSame(FunctionCallInfo fcinfo, HeapTuple row, TupleDesc descriptor) {
  bool has_none;
  const Datum prefix = heap_getattr(row, pg::kSequencerPrefix, descriptor, &has_none);
  const bool same_prefix = has_none || PG_ARGISNULL(1)
                               ? has_none && PG_ARGISNULL(1)
                               : strcmp(TextDatumGetCString(prefix), text_to_cstring(PG_GETARG_TEXT_PP(1))) == 0;
  return same_prefix && DefinitionOfArguments(fcinfo) == pg::DefinitionOfSequencerRow(row, descriptor);
}

constexpr pg::NamedCreation kCreation = {
    .insert =
        "INSERT INTO idgen_catalog.idgen_sequencer "
        "(name, key_prefix, start, step, max_value, cycle, ttl, ttl_mode, cache, comment) "
        "VALUES ($1, $2, coalesce($3, 1), coalesce($4, 1), coalesce($5, 9223372036854775807), "
        "coalesce($6, false), $7, coalesce($8, 'from first use'), coalesce($9, 1), $10)",
    .check_new = CheckNew,
    .is_same = IsSame,
    .make_result = RowOfView};

}  // namespace

extern "C" {

PG_FUNCTION_INFO_V1(idgen_sql_sequencer_changed);
PGDLLEXPORT Datum idgen_sql_sequencer_changed(PG_FUNCTION_ARGS) {
  return pg::RunNamedTrigger(fcinfo, pg::sequencers, kTrigger);
}

PG_FUNCTION_INFO_V1(idgen_sql_create_sequencer);
PGDLLEXPORT Datum idgen_sql_create_sequencer(PG_FUNCTION_ARGS) {
  pg::NameArgument(fcinfo, pg::sequencers);
  DefinitionOfArguments(fcinfo);
  return pg::CreateNamed(fcinfo, pg::sequencers, kCreation);
}

PG_FUNCTION_INFO_V1(idgen_sql_drop_sequencer);
PGDLLEXPORT Datum idgen_sql_drop_sequencer(PG_FUNCTION_ARGS) { return pg::DropNamed(fcinfo, pg::sequencers); }

PG_FUNCTION_INFO_V1(idgen_sql_comment_on_sequencer);
PGDLLEXPORT Datum idgen_sql_comment_on_sequencer(PG_FUNCTION_ARGS) {
  return pg::CommentOnNamed(fcinfo, pg::sequencers);
}

}  // extern "C"
