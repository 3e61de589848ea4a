// idgen_status(): whether the server issues ids and, if not, what to do about it.
#include "pg/base/locks.h"
#include "pg/base/pg.h"

#include "pg/base/monitor_role.h"
#include "pg/base/row.h"
#include "pg/base/settings.h"
#include "pg/lease/settings.h"
#include "pg/status/counter_totals.h"
#include "pg/status/diagnosis.h"

#include "io/clock.h"

using namespace idgen;

namespace {

struct Status {
  bool preloaded;
  pg::WorkerStatus worker;
  pg::Diagnosis diagnosis;
  bool in_full;
  core::Identity identity;
};

Status ReadStatus() {
  const pg::Shared* shared = pg::SharedState();
  Status status = {};
  status.preloaded = shared != nullptr;
  status.in_full = pg::MaySeeServer();
  if (!status.preloaded) {
    status.diagnosis = {"not preloaded", "The library is not in \"shared_preload_libraries\".",
                        "Add idgen to \"shared_preload_libraries\" in postgresql.conf and restart the server."};
    return status;
  }
  status.worker = pg::CopyStatus(*shared);
  status.diagnosis = pg::Diagnose(status.worker, status.in_full);
  status.identity = core::Identity(shared->server.identity.load());
  if (!status.identity && RecoveryInProgress())
    status.identity = core::Identity(shared->server.withheld.load());
  return status;
}

// Whether the worker id is read from the host: its source then names the host, an address or a variable.
bool IsFromHost() {
  const lease::NumberSource source = pg::WorkerNumberSource();
  return source != lease::NumberSource::kStatic && source != lease::NumberSource::kLease;
}

template <int N>
void AddHead(pg::Row<N>& row, const Status& status) {
  row.AddText(status.diagnosis.state);
  row.AddText(status.diagnosis.reason);
  row.AddText(status.diagnosis.advice);
  if (status.identity) {
    row.Add(Int32GetDatum(static_cast<int32>(status.identity.worker())));
    row.AddText(status.in_full || !IsFromHost() ? status.worker.worker_id.source : "the host");
    row.AddTime(pg::TimestampOfUnixMs(status.identity.ceiling_ms()));
  } else {
    for (int i = 0; i < 3; ++i) row.AddNull();
  }
}

template <int N>
void AddClock(pg::Row<N>& row, const Status& status) {
  const pg::Shared* shared = pg::SharedState();
  if (status.identity) {
    row.Add(pg::IntervalOfUs(pg::LargestDriftUs(shared->server)));
    row.Add(pg::IntervalOfUs(status.worker.view.clock_ahead_us));
  } else {
    row.AddNull();
    row.AddNull();
  }
  if (!status.preloaded) return row.AddNull();
  pg::AcquireLock(&shared->lock, LW_SHARED);
  const uint64 ids = pg::TotalsOfAll(*shared).ids;
  LWLockRelease(&shared->lock);
  row.AddInt(static_cast<int64>(ids));
}

template <int N>
void AddLease(pg::Row<N>& row, const Status& status) {
  const lease::LeaseView& view = status.worker.lease;
  pg::LeaseConfig config;
  char problem[256];
  const bool leased = status.worker.leased && status.identity;
  const bool known = leased && pg::ReadLeaseConfig(&config, problem, sizeof problem);
  known&& status.in_full ? row.AddPrintable(config.holder) : row.AddNull();
  leased&& view.fence != 0 ? row.AddInt(view.fence) : row.AddNull();
  row.AddTime(leased && view.expiry_ms != 0 ? pg::TimestampOfUnixMs(view.expiry_ms) : 0);
  row.AddTime(view.renewed_at_ms != 0 ? pg::TimestampOfUnixMs(view.renewed_at_ms) : 0);
  view.latency_us != 0 ? row.Add(pg::IntervalOfUs(view.latency_us)) : row.AddNull();
  // Never NULL: exporters would turn that into NaN.
  row.Add(Int32GetDatum(status.worker.leased ? view.failures : 0));
}

template <int N>
void AddTail(pg::Row<N>& row, const Status& status) {
  row.AddText(status.worker.last_error_at != 0 && status.in_full ? pstrdup(status.worker.last_error) : nullptr);
  row.AddTime(status.worker.last_error_at);
  status.worker.pid != 0 ? row.Add(Int32GetDatum(status.worker.pid)) : row.AddNull();
  row.AddText(GetConfigOption("server_version", false, false));
  row.AddText(IDGEN_VERSION);
}

}  // namespace

extern "C" {

PG_FUNCTION_INFO_V1(idgen_sql_status);
PGDLLEXPORT Datum idgen_sql_status(PG_FUNCTION_ARGS) {
  const Status status = ReadStatus();
  pg::Row<21> row;
  AddHead(row, status);
  if (status.identity) {
    const int64 id_clock_us = io::WallUs() + status.worker.view.clock_ahead_us;
    row.Add(pg::IntervalOfUs(status.identity.ceiling_ms() * core::kUsPerMs - id_clock_us));
  } else {
    row.AddNull();
  }
  AddClock(row, status);
  AddLease(row, status);
  AddTail(row, status);
  return row.Make(fcinfo);
}

}  // extern "C"
