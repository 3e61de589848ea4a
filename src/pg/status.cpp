// idgen_status(): is it healthy, and if not, what do I do?
#include "pg/pg.h"

#include "core/block.h"
#include "io/clock.h"
#include "pg/describe.h"
#include "pg/row.h"
#include "pg/shmem.h"

using namespace idgen;

namespace {

enum Column {
  kState,
  kReason,
  kAdvice,
  kWorkerId,
  kWorkerSource,
  kCeiling,
  kDrift,
  kClockAhead,
  kIdsIssued,
  kLastError,
  kLastErrorAt,
  kWorkerPid,
  kServerVersion,
  kLibraryVersion,
  kColumns
};

Datum IntervalOfUs(int64 us) {
  auto* interval = static_cast<Interval*>(palloc0(sizeof(Interval)));
  interval->time = us;
  return IntervalPGetDatum(interval);
}

uint64 IdsIssued(const pg::Shared& shared) {
  uint64 ids = 0;
  for (const core::Line& line : shared.server.lines) ids += core::Get(line.totals.ids);
  for (int i = 0; i < shared.slot_count; ++i)
    if (shared.slots[i].pid.load(std::memory_order_relaxed) != 0) ids += core::IdsIssued(shared.slots[i]);
  return ids;
}

// How far the default line's next id is ahead of the id clock.
int64 DriftUs(const core::ServerState& server) {
  const core::Line& line = server.lines[pg::kDefaultLine];
  const int64 next_ms = core::TimeOf(line.layout, line.next.load());
  const int64 now_us = io::BootUs() + core::ClockOffsetUs<core::PlainMemory>(server);
  return Max(next_ms * core::kUsPerMs - now_us, int64{0});
}

class Row {
 public:
  Row() {
    for (bool& null : nulls_) null = true;
  }
  void Set(Column column, Datum value) {
    values_[column] = value;
    nulls_[column] = false;
  }
  void SetText(Column column, const char* text) {
    if (text != nullptr) Set(column, CStringGetTextDatum(text));
  }
  Datum Make(FunctionCallInfo fcinfo) { return pg::RowOf(pg::RowDescriptor(fcinfo), values_, nulls_); }

 private:
  Datum values_[kColumns] = {};
  bool nulls_[kColumns];
};

void SetDiagnosis(Row& row, const pg::Diagnosis& diagnosis) {
  row.SetText(kState, diagnosis.state);
  row.SetText(kReason, diagnosis.reason);
  row.SetText(kAdvice, diagnosis.advice);
}

}  // namespace

extern "C" {

PG_FUNCTION_INFO_V1(idgen_sql_status);
PGDLLEXPORT Datum idgen_sql_status(PG_FUNCTION_ARGS) {
  Row row;
  row.SetText(kServerVersion, GetConfigOption("server_version", false, false));
  row.SetText(kLibraryVersion, IDGEN_VERSION);
  pg::Shared* shared = pg::SharedState();
  if (shared == nullptr) {
    SetDiagnosis(row, {"not preloaded", "The library is not in \"shared_preload_libraries\".",
                       "Add idgen to \"shared_preload_libraries\" in postgresql.conf and restart the server."});
    return row.Make(fcinfo);
  }
  const pg::WorkerStatus status = pg::CopyStatus(*shared);
  SetDiagnosis(row, pg::Diagnose(status));
  const core::Identity identity(shared->server.identity.load());
  if (identity) {
    row.Set(kWorkerId, Int32GetDatum(static_cast<int32>(identity.worker())));
    row.SetText(kWorkerSource, status.worker_id_chosen ? "idgen.worker_id" : "built-in default");
    row.Set(kCeiling, TimestampTzGetDatum(pg::TimestampOfUnixMs(identity.ceiling_ms())));
    row.Set(kDrift, IntervalOfUs(DriftUs(shared->server)));
    row.Set(kClockAhead, IntervalOfUs(status.view.clock_ahead_us));
  }
  row.Set(kIdsIssued, Int64GetDatum(static_cast<int64>(IdsIssued(*shared))));
  if (status.last_error_at != 0) {
    row.SetText(kLastError, status.last_error);
    row.Set(kLastErrorAt, TimestampTzGetDatum(status.last_error_at));
  }
  if (status.pid != 0) row.Set(kWorkerPid, Int32GetDatum(status.pid));
  return row.Make(fcinfo);
}

}  // extern "C"
