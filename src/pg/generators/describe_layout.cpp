// idgen_describe_layout(): what a layout offers, before a generator is created.
#include "pg/generators/describe_layout.h"

#include "io/clock.h"
#include "pg/base/row.h"
#include "pg/base/timestamp.h"
#include "pg/generators/definition.h"

using namespace idgen;

namespace {

// Limitations worth knowing; nullptr if there are none.
const char* NoteOf(const core::GeneratorDefinition& definition) {
  switch (core::Issuable(definition)) {
    case core::Obstacle::kNone: break;
    case core::Obstacle::kTimeNotFirst: return "for reading only: time is not its first field";
    case core::Obstacle::kNoWorker: return "for reading only: it has no worker field";
    case core::Obstacle::kUnit: return "for reading only: its ticks are not whole milliseconds";
    case core::Obstacle::kEndsTooLate: return "for reading only: its time ends after the year 294246";
  }
  if (core::TotalBits(definition.layout) == 64)
    return "uses 64 bits: no ids are issued once the highest bit would be needed";
  return nullptr;
}

int64 ExampleOf(const core::GeneratorDefinition& definition) {
  const core::Layout& layout = definition.layout;
  const int64 since_us = Max(io::WallUs() - layout.epoch_ms * core::kUsPerMs, int64{0});
  const uint64 tick = Min(static_cast<uint64>(since_us / definition.unit_us), core::LastTick(layout));
  return static_cast<int64>(layout.time.Put(tick) | layout.fixed | layout.worker.Put(layout.worker.Present() ? 1 : 0));
}

}  // namespace

namespace idgen::pg {

LayoutFacts FactsOf(const core::GeneratorDefinition& definition) {
  const std::optional<int64_t> end_us = core::EndUs(definition);
  return {.ids_per_second = core::IdsPerSecond(definition),
          .workers = int64{1} << definition.layout.worker.width,
          .runs_out_at = end_us && FitsTimestamp(*end_us) ? TimestampOfUnixUs(*end_us) : 0,
          .example_id = ExampleOf(definition),
          .note = NoteOf(definition)};
}

}  // namespace idgen::pg

extern "C" {

PG_FUNCTION_INFO_V1(idgen_sql_describe_layout);
PGDLLEXPORT Datum idgen_sql_describe_layout(PG_FUNCTION_ARGS) {
  const core::GeneratorDefinition definition = pg::DefinitionOfArguments(fcinfo, 0);
  char fields[core::kLayoutTextBytes];
  core::WriteLayout(definition.layout, fields);
  const pg::LayoutFacts facts = pg::FactsOf(definition);
  pg::Row<9> row;
  row.AddText(fields);
  row.Add(TimestampTzGetDatum(pg::TimestampOfUnixMs(definition.layout.epoch_ms)));
  row.Add(pg::IntervalOfUs(definition.unit_us));
  row.Add(Int32GetDatum(static_cast<int32>(core::TotalBits(definition.layout))));
  row.AddInt(facts.ids_per_second);
  row.AddInt(facts.workers);
  row.AddTime(facts.runs_out_at);
  row.AddInt(facts.example_id);
  row.AddText(facts.note);
  return row.Make(fcinfo);
}

}  // extern "C"
