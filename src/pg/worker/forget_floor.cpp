// idgen_forget_floor(): lets an operator give up a floor that is too far ahead to wait for.
#include "pg/base/pg.h"

#include "pg/base/preload.h"
#include "pg/base/shared_memory.h"
#include "pg/status/diagnosis.h"
#include "pg/worker/worker.h"

using namespace idgen;

namespace {

constexpr int kPollMs = 20;

bool WaitsForFloor(const lease::View& view) {
  return (view.phase == lease::Phase::kWaiting && view.verdict == lease::Verdict::kFloorAhead) ||
         view.phase == lease::Phase::kRefused;
}

}  // namespace

extern "C" {

PG_FUNCTION_INFO_V1(idgen_sql_forget_floor);
PGDLLEXPORT Datum idgen_sql_forget_floor(PG_FUNCTION_ARGS) {
  (void)fcinfo;
  pg::Shared* shared = pg::SharedState();
  if (shared == nullptr) pg::RaiseNotPreloaded();
  const lease::View view = pg::CopyStatus(*shared).view;
  if (!WaitsForFloor(view))
    ereport(ERROR,
            (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE), errmsg("idgen is not waiting for a floor"),
             errdetail("The server is in state \"%s\".", pg::Diagnose(pg::CopyStatus(*shared), false).state),
             errhint("Use this function only if idgen_status() shows \"refused\" or \"waiting\" because earlier ids "
                     "are ahead of the clock.")));
  const uint32 wait_event = pg::NewWaitEvent("IdgenForgetFloor");
  while (WaitsForFloor(pg::CopyStatus(*shared).view)) {
    // Set repeatedly: a worker that has just started may read it before it knows of the floor.
    shared->forget_floor.store(1);
    pg::WakeWorker();
    WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, kPollMs, wait_event);
    ResetLatch(MyLatch);
    CHECK_FOR_INTERRUPTS();
  }
  shared->forget_floor.store(0);
  if (pg::CopyStatus(*shared).view.forgotten_floor_ms != view.floor_ms)
    ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE), errmsg("could not forget the floor"),
                    errdetail("The wait for it has ended by itself.")));
  ereport(WARNING,
          (errmsg("floor %s was forgotten", pg::TimeText(view.floor_ms)),
           errdetail("If ids up to that time were issued, they may be issued again when the clock reaches it.")));
  PG_RETURN_TIMESTAMPTZ(pg::TimestampOfUnixMs(view.floor_ms));
}

}  // extern "C"
