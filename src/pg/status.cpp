// idgen_status(): is it healthy, and if not, what do I do?
#include "pg/pg.h"

#include "pg/describe.h"
#include "pg/row.h"
#include "pg/totals.h"

using namespace idgen;

extern "C" {

PG_FUNCTION_INFO_V1(idgen_sql_status);
PGDLLEXPORT Datum idgen_sql_status(PG_FUNCTION_ARGS) {
  const pg::Shared* shared = pg::SharedState();
  const bool preloaded = shared != nullptr;
  pg::WorkerStatus status = {};
  pg::Diagnosis diagnosis = {"not preloaded", "The library is not in \"shared_preload_libraries\".",
                             "Add idgen to \"shared_preload_libraries\" in postgresql.conf and restart the server."};
  if (preloaded) {
    status = pg::CopyStatus(*shared);
    diagnosis = pg::Diagnose(status);
  }
  const core::Identity identity(preloaded ? shared->server.identity.load() : 0);

  pg::Row<14> row;
  row.AddText(diagnosis.state);
  row.AddText(diagnosis.reason);
  row.AddText(diagnosis.advice);
  if (identity) {
    row.Add(Int32GetDatum(static_cast<int32>(identity.worker())));
    row.AddText(status.worker_id.source);
    row.AddTime(pg::TimestampOfUnixMs(identity.ceiling_ms()));
    row.Add(pg::IntervalOfUs(pg::DriftUs(shared->server, pg::kDefaultLine)));
    row.Add(pg::IntervalOfUs(status.view.clock_ahead_us));
  } else {
    for (int i = 0; i < 5; ++i) row.AddNull();
  }
  if (preloaded) {
    LWLockAcquire(shared->lock, LW_SHARED);
    const uint64 ids = pg::TotalsOf(*shared, pg::kDefaultLine).ids;
    LWLockRelease(shared->lock);
    row.AddInt(static_cast<int64>(ids));
  } else {
    row.AddNull();
  }
  row.AddText(status.last_error_at != 0 ? status.last_error : nullptr);
  row.AddTime(status.last_error_at);
  status.pid != 0 ? row.Add(Int32GetDatum(status.pid)) : row.AddNull();
  row.AddText(GetConfigOption("server_version", false, false));
  row.AddText(IDGEN_VERSION);
  return row.Make(fcinfo);
}

}  // extern "C"
