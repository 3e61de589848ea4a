// The functions behind the idgen_stat_ views, and their reset.
#include "pg/base/locks.h"
#include "pg/base/pg.h"

#include "io/clock.h"
#include "pg/base/preload.h"
#include "pg/base/row.h"
#include "pg/generators/generators.h"
#include "pg/status/counter_totals.h"
#include "pg/status/diagnosis.h"

using namespace idgen;

namespace {

void AddLineRow(FunctionCallInfo fcinfo, const pg::Shared& shared, uint32 line, const char* generator) {
  pg::AcquireLock(&shared.lock, LW_SHARED);
  const pg::Totals totals = pg::TotalsSinceReset(shared, line);
  const TimestampTz reset_at = shared.status.stats_reset;
  LWLockRelease(&shared.lock);
  pg::Row<9> row;
  row.AddText(generator);
  row.AddInt(static_cast<int64>(totals.ids));
  row.AddInt(static_cast<int64>(totals.blocks));
  row.AddInt(static_cast<int64>(totals.lost_ids));
  row.AddInt(static_cast<int64>(totals.waits));
  row.Add(pg::IntervalOfUs(static_cast<int64>(totals.waited_us)));
  row.Add(pg::IntervalOfUs(pg::DriftUs(shared.server, line)));
  row.Add(pg::IntervalOfUs(static_cast<int64>(totals.max_drift_ms) * core::kUsPerMs));
  row.AddTime(reset_at);
  row.Store(fcinfo);
}

}  // namespace

extern "C" {

PG_FUNCTION_INFO_V1(idgen_sql_stat_get_backends);
PGDLLEXPORT Datum idgen_sql_stat_get_backends(PG_FUNCTION_ARGS) {
  InitMaterializedSRF(fcinfo, 0);
  const pg::Shared* shared = pg::SharedState();
  if (shared == nullptr) return static_cast<Datum>(0);
  const int64 boot_us = io::BootUs();
  for (int i = 0; i < shared->slot_count; ++i) {
    const core::BackendSlot& slot = shared->slots[i];
    const int32 pid = slot.pid.load(std::memory_order_relaxed);
    if (pid == 0) continue;
    const auto waiting_since_us = static_cast<int64>(core::Get(slot.waiting_since_us));
    pg::Row<8> row;
    row.Add(Int32GetDatum(pid));
    row.AddInt(static_cast<int64>(core::IdsIssued(slot)));
    row.AddInt(static_cast<int64>(core::Get(slot.blocks)));
    row.AddInt(static_cast<int64>(core::Get(slot.lost)));
    row.AddInt(static_cast<int64>(core::Get(slot.waits)));
    row.Add(pg::IntervalOfUs(static_cast<int64>(core::Get(slot.waited_us))));
    row.Add(BoolGetDatum(waiting_since_us != 0));
    waiting_since_us != 0 ? row.Add(pg::IntervalOfUs(boot_us - waiting_since_us)) : row.AddNull();
    row.Store(fcinfo);
  }
  return static_cast<Datum>(0);
}

PG_FUNCTION_INFO_V1(idgen_sql_stat_get_generators);
PGDLLEXPORT Datum idgen_sql_stat_get_generators(PG_FUNCTION_ARGS) {
  InitMaterializedSRF(fcinfo, 0);
  pg::Shared* shared = pg::SharedState();
  if (shared == nullptr) return static_cast<Datum>(0);
  int count;
  const pg::Generator* generators = pg::AllGenerators(fcinfo, &count);
  const auto lines = static_cast<uint32>(shared->server.line_count.load());
  for (uint32 line = 0; line < lines; ++line) {
    // Counters are kept per layout: generators that share one show the same numbers, and a layout that only other
    // databases use has no name here.
    bool named = false;
    for (int i = 0; i < count; ++i) {
      if (core::LineLayout(generators[i].definition.layout) != shared->server.lines[line].layout) continue;
      AddLineRow(fcinfo, *shared, line, generators[i].name);
      named = true;
    }
    if (!named) AddLineRow(fcinfo, *shared, line, line == pg::kDefaultLine ? "default" : nullptr);
  }
  return static_cast<Datum>(0);
}

PG_FUNCTION_INFO_V1(idgen_sql_stat_get_clock);
PGDLLEXPORT Datum idgen_sql_stat_get_clock(PG_FUNCTION_ARGS) {
  InitMaterializedSRF(fcinfo, 0);
  pg::Shared* shared = pg::SharedState();
  if (shared == nullptr) return static_cast<Datum>(0);
  const pg::WorkerStatus status = pg::CopyStatus(*shared);
  const int64 ahead_us = status.view.clock_ahead_us;
  pg::Row<5> row;
  row.Add(pg::IntervalOfUs(ahead_us));
  row.AddTime(ahead_us > core::kUsPerMs ? pg::ClockRightAt(ahead_us) : 0);
  row.AddInt(status.steps_back);
  row.Add(pg::IntervalOfUs(status.largest_step_back_us));
  row.AddTime(status.stats_reset);
  row.Store(fcinfo);
  return static_cast<Datum>(0);
}

PG_FUNCTION_INFO_V1(idgen_sql_stat_reset);
PGDLLEXPORT Datum idgen_sql_stat_reset(PG_FUNCTION_ARGS) {
  (void)fcinfo;
  pg::Shared* shared = pg::SharedState();
  if (shared == nullptr) pg::RaiseNotPreloaded();
  pg::AcquireLock(&shared->lock, LW_EXCLUSIVE);
  pg::ResetTotals(*shared);
  LWLockRelease(&shared->lock);
  PG_RETURN_VOID();
}

}  // extern "C"
