// The table idgen_generator: validation of its rows; creating, dropping and commenting on generators.
#include "pg/generators/generators.h"

#include "io/clock.h"
#include "pg/base/row.h"
#include "pg/base/settings.h"
#include "pg/base/shared_memory.h"
#include "pg/base/timestamp.h"
#include "pg/generators/definition.h"
#include "pg/generators/describe_layout.h"

#include <algorithm>

using namespace idgen;

namespace {

// Fills in what was omitted and writes the layout in its canonical form.
HeapTuple ValidateNew(HeapTuple row, TupleDesc descriptor, bool* is_default) {
  const core::GeneratorDefinition definition = pg::DefinitionOfRow(row, descriptor);
  *is_default = definition == core::GeneratorDefinition{};
  char layout[core::kLayoutTextBytes];
  core::WriteLayout(definition.layout, layout);
  const auto fixed = [&definition](const core::Field& field) {
    return Int32GetDatum(static_cast<int32>(field.Get(definition.layout.fixed)));
  };
  int columns[] = {pg::kLayoutColumn, pg::kEpochColumn, pg::kUnitColumn, pg::kRegionColumn, pg::kAppColumn};
  Datum values[] = {CStringGetTextDatum(layout), TimestampTzGetDatum(pg::TimestampOfUnixMs(definition.layout.epoch_ms)),
                    pg::IntervalOfUs(definition.unit_us), fixed(definition.layout.region),
                    fixed(definition.layout.app)};
  bool nulls[] = {false, false, false, !definition.layout.region.Present(), !definition.layout.app.Present()};
  return heap_modify_tuple_by_cols(row, descriptor, lengthof(columns), columns, values, nulls);
}

// The corresponding row of the view idgen_generators.
Datum RowOfView(FunctionCallInfo fcinfo, HeapTuple row, TupleDesc descriptor) {
  const pg::LayoutFacts facts = pg::FactsOf(pg::DefinitionOfRow(row, descriptor));
  pg::Row<12> result;
  for (int column = pg::kNameColumn; column <= pg::kAppColumn; ++column) result.AddColumn(row, column, descriptor);
  result.AddInt(facts.ids_per_second);
  result.AddInt(facts.workers);
  result.AddTime(facts.runs_out_at);
  result.AddInt(facts.example_id);
  result.AddText(facts.note);
  result.AddColumn(row, pg::kCommentColumn, descriptor);
  return result.Make(fcinfo);
}

bool IsSame(FunctionCallInfo fcinfo, HeapTuple row, TupleDesc descriptor) {
  return pg::DefinitionOfArguments(fcinfo, 1) == pg::DefinitionOfRow(row, descriptor);
}

// Raises if the table's layouts would exceed the database's share, so that every generator can issue ids after a
// restart. The table may still have any number of rows, because a restored dump may insert them.
void CheckShare(FunctionCallInfo fcinfo, const core::Layout& line_layout) {
  int count;
  const pg::Generator* all = pg::AllGenerators(fcinfo, &count);
  const int share = pg::MaxGeneratorsPerDatabase();
  auto* used = static_cast<core::Layout*>(palloc(sizeof(core::Layout) * static_cast<Size>(share)));
  int used_count = 0;
  for (int i = 0; i < count; ++i) {
    CHECK_FOR_INTERRUPTS();
    const core::Layout other = core::LineLayout(all[i].definition.layout);
    if (other == line_layout) return;
    const bool is_counted = used_count == share || other == core::LineLayout(core::kDefaultLayout) ||
                            std::find(used, used + used_count, other) != used + used_count;
    if (!is_counted) used[used_count++] = other;
  }
  if (used_count < share) return;
  ereport(ERROR,
          (errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
           errmsg("too many layouts in database \"%s\"", get_database_name(MyDatabaseId)),
           errdetail("Its generators already use the %d layouts, besides the built-in one, that "
                     "\"idgen.max_generators_per_database\" allows.",
                     share),
           errhint("Generators with the same layout, epoch, unit, region and app count once. A superuser can raise the "
                   "setting for the database with ALTER DATABASE.")));
}

void CheckCapacity(FunctionCallInfo fcinfo, const core::Layout& layout) {
  const core::Layout line_layout = core::LineLayout(layout);
  if (line_layout == core::LineLayout(core::kDefaultLayout)) return;
  CheckShare(fcinfo, line_layout);
  pg::Shared* shared = pg::SharedState();
  if (shared == nullptr || core::FindLine<core::PlainMemory>(shared->server, line_layout) != nullptr) return;
  if (shared->server.line_count.load() >= static_cast<uint64>(pg::MaxGenerators()))
    ereport(ERROR,
            (errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED), errmsg("too many layouts on this server"),
             errdetail("%d layouts have been used since the server started, including those of dropped generators "
                       "and of other databases.",
                       pg::MaxGenerators()),
             errhint("Raise \"idgen.max_generators\" and restart the server.")));
}

void CheckNew(FunctionCallInfo fcinfo) { CheckCapacity(fcinfo, pg::DefinitionOfArguments(fcinfo, 1).layout); }

constexpr pg::NamedTrigger kTrigger = {
    .validate_new = ValidateNew,
    .why_fixed = " Changing it would change the meaning of issued ids.",
    .instead = "Create a new generator with idgen_create_generator() and use it from now on."};

constexpr pg::NamedCreation kCreation = {
    .insert =
        "INSERT INTO idgen_catalog.idgen_generator (name, layout, epoch, unit, region_id, app_id, comment) "
        "VALUES ($1, coalesce($2, 'snowflake'), $3, $4, $5, $6, $7)",
    .check_new = CheckNew,
    .is_same = IsSame,
    .make_result = RowOfView};

}  // namespace

extern "C" {

PG_FUNCTION_INFO_V1(idgen_sql_generator_changed);
PGDLLEXPORT Datum idgen_sql_generator_changed(PG_FUNCTION_ARGS) {
  return pg::RunNamedTrigger(fcinfo, pg::generators, kTrigger);
}

PG_FUNCTION_INFO_V1(idgen_sql_create_generator);
PGDLLEXPORT Datum idgen_sql_create_generator(PG_FUNCTION_ARGS) {
  pg::NameArgument(fcinfo, pg::generators);
  const core::GeneratorDefinition definition = pg::DefinitionOfArguments(fcinfo, 1);
  pg::CheckIssuable(definition);
  pg::CheckServerCanIssue(definition);
  if (definition.layout.epoch_ms >= core::MsOf(io::WallUs()))
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("generator epoch must be in the past"),
                    errdetail("The epoch is %s.", pg::TimeText(definition.layout.epoch_ms))));
  if (const std::optional<int64_t> end_us = core::EndUs(definition); end_us && *end_us <= io::WallUs())
    ereport(ERROR,
            (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("the layout's time field has already run out"),
             errdetail("Its %d bits end at %s.", definition.layout.time.width, pg::TimeText(core::MsOf(*end_us))),
             errhint("Give the field more bits, or use a later epoch.")));
  return pg::CreateNamed(fcinfo, pg::generators, kCreation);
}

PG_FUNCTION_INFO_V1(idgen_sql_drop_generator);
PGDLLEXPORT Datum idgen_sql_drop_generator(PG_FUNCTION_ARGS) { return pg::DropNamed(fcinfo, pg::generators); }

PG_FUNCTION_INFO_V1(idgen_sql_comment_on_generator);
PGDLLEXPORT Datum idgen_sql_comment_on_generator(PG_FUNCTION_ARGS) {
  return pg::CommentOnNamed(fcinfo, pg::generators);
}

}  // extern "C"
