// idgen_wait_ready(): for deployments and tests that must not begin before the server issues ids.
#include "pg/base/pg.h"

#include "core/server_state.h"
#include "io/clock.h"
#include "pg/base/preload.h"
#include "pg/base/shared_memory.h"
#include "pg/worker/worker.h"

using namespace idgen;

namespace {

constexpr int64 kPollMs = 10;

bool IsReady(const pg::Shared& shared) {
  const core::Identity identity(shared.server.identity.load());
  const int64 id_clock_us = io::BootUs() + core::ClockOffsetUs<core::PlainMemory>(shared.server);
  return identity && core::MsOf(id_clock_us) < identity.ceiling_ms();
}

}  // namespace

extern "C" {

PG_FUNCTION_INFO_V1(idgen_sql_wait_ready);
PGDLLEXPORT Datum idgen_sql_wait_ready(PG_FUNCTION_ARGS) {
  const Interval* timeout = PG_GETARG_INTERVAL_P(0);
  pg::Shared* shared = pg::SharedState();
  if (shared == nullptr) pg::RaiseNotPreloaded();
  constexpr int64 kUsPerDay = core::kMsPerDay * core::kUsPerMs;
  if (timeout->month != 0 || timeout->day > 1000000 || timeout->day < -1000000)
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("timeout must not contain months or more than 1000000 days")));
  constexpr int64 kMaxUs = 1000000 * kUsPerDay;
  const int64 time_us = Max(Min(timeout->time, kMaxUs), -kMaxUs);
  const int64 until_us = io::BootUs() + timeout->day * kUsPerDay + time_us;
  const uint32 wait_event = pg::NewWaitEvent("IdgenWaitReady");
  while (!IsReady(*shared)) {
    const int64 left_ms = (until_us - io::BootUs()) / core::kUsPerMs;
    if (left_ms <= 0) PG_RETURN_BOOL(false);
    pg::AskWorker();
    WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, static_cast<long>(Min(kPollMs, left_ms)),
              wait_event);
    ResetLatch(MyLatch);
    CHECK_FOR_INTERRUPTS();
  }
  PG_RETURN_BOOL(true);
}

}  // extern "C"
