// The id functions' errors.
#include "pg/ids/errors.h"

#include "core/generator_definition.h"
#include "io/clock.h"
#include "pg/base/monitor_role.h"
#include "pg/base/settings.h"
#include "pg/base/shared_memory.h"
#include "pg/generators/generators.h"
#include "pg/status/diagnosis.h"

namespace idgen::pg {
namespace {

using core::Reservation;
using core::ReservationOutcome;

[[noreturn]] void RaiseNoIdentity(int64 waited_ms) {
  const WorkerStatus status = CopyStatus(*SharedState());
  const Diagnosis diagnosis = Diagnose(status, MaySeeServer()), logged = Diagnose(status, true);
  constexpr const char* kLate = "It came too late.";
  if (RecoveryInProgress())
    ereport(ERROR, (errcode(ERRCODE_READ_ONLY_SQL_TRANSACTION), errmsg("no id can be given during recovery"),
                    errdetail("%s", diagnosis.reason), errhint("%s", diagnosis.advice)));
  ereport(ERROR,
          (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
           errmsg("no id can be given: the server has no worker identity"),
           errdetail("%s Waited %lld ms.", diagnosis.reason != nullptr ? diagnosis.reason : kLate,
                     static_cast<long long>(waited_ms)),
           errdetail_log("%s Waited %lld ms.", logged.reason != nullptr ? logged.reason : kLate,
                         static_cast<long long>(waited_ms)),
           errhint("%s%sSELECT * FROM idgen_status() shows more.", diagnosis.advice != nullptr ? diagnosis.advice : "",
                   diagnosis.advice != nullptr ? " " : "")));
}

[[noreturn]] void RaiseTooFarAhead(const Reservation& refused, const core::Layout& layout, int64 waited_ms) {
  const int64 ids_per_second = core::IdsPerSecond({.layout = layout, .unit_us = layout.unit_ms * core::kUsPerMs});
  ereport(
      ERROR,
      (errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
       errmsg("no id can be given: ids have run too far ahead of the clock"),
       errdetail(
           "The next id would be %lld ms past the limit of \"idgen.max_ahead\" ahead of the id clock. Waited %lld ms.",
           static_cast<long long>(refused.start_ms - refused.limit_ms), static_cast<long long>(waited_ms)),
       errhint("Ask for fewer than %lld ids a second over time, or raise \"idgen.max_wait\".",
               static_cast<long long>(ids_per_second))));
}

[[noreturn]] void RaiseAtCeiling(const Reservation& refused, const core::Layout& layout, int64 waited_ms) {
  // Where the settings have changed since the line was made.
  CheckServerCanIssue({.layout = layout, .unit_us = layout.unit_ms * core::kUsPerMs});
  const WorkerStatus status = CopyStatus(*SharedState());
  const Diagnosis diagnosis = Diagnose(status, MaySeeServer()), logged = Diagnose(status, true);
  const auto detail = [&](const Diagnosis& told) {
    return psprintf("The ceiling is %s, and the background worker has not raised it. Waited %lld ms.%s%s",
                    TimeText(refused.limit_ms), static_cast<long long>(waited_ms), told.reason != nullptr ? " " : "",
                    told.reason != nullptr ? told.reason : "");
  };
  ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                  errmsg("no id can be given: the durable ceiling is reached"), errdetail("%s", detail(diagnosis)),
                  errdetail_log("%s", detail(logged)),
                  errhint("%s", diagnosis.reason != nullptr && diagnosis.advice != nullptr
                                    ? diagnosis.advice
                                    : "See last_error of idgen_status(), and the server log.")));
}

}  // namespace

void RaiseRunOut(const core::Layout& layout) {
  const core::GeneratorDefinition definition{.layout = layout, .unit_us = layout.unit_ms * core::kUsPerMs};
  const int64 id_clock_us = io::BootUs() + core::ClockOffsetUs<core::PlainMemory>(SharedState()->server);
  ereport(ERROR, (errcode(ERRCODE_SEQUENCE_GENERATOR_LIMIT_EXCEEDED),
                  errmsg("no id can be given: the layout's time field has run out"),
                  errdetail("Its %d bits end at %s; the id clock says %s.", layout.time.width,
                            TimeText(core::MsOf(core::EndUs(definition).value_or(PG_INT64_MAX))),
                            TimeText(core::MsOf(id_clock_us))),
                  errhint("If the clock is wrong, set it; else use another generator.")));
}

void RaiseRefused(const Reservation& refused, const core::Layout& layout, int64 waited_ms) {
  switch (refused.outcome) {
    case ReservationOutcome::kNoIdentity: RaiseNoIdentity(waited_ms);
    case ReservationOutcome::kTooFarAhead: RaiseTooFarAhead(refused, layout, waited_ms);
    case ReservationOutcome::kAtCeiling: RaiseAtCeiling(refused, layout, waited_ms);
    case ReservationOutcome::kBeforeEpoch:
      ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                      errmsg("no id can be given: the clock is before the layout's epoch"),
                      errdetail("The id clock says %s, the epoch is %s.", TimeText(core::MsOf(refused.now_us)),
                                TimeText(layout.epoch_ms)),
                      errhint("Set the server's clock.")));
    case ReservationOutcome::kExhausted: RaiseRunOut(layout);
    case ReservationOutcome::kWorkerTooLarge:
      ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                      errmsg("no id can be given: worker id %u does not fit the layout", refused.worker),
                      errdetail("The layout's worker field has %d bits, for worker ids from 0 to %llu.",
                                layout.worker.width, static_cast<unsigned long long>(layout.worker.MaxValue())),
                      errhint("Lease or set a worker id in this range: see \"idgen.worker_source\".")));
    case ReservationOutcome::kOk: break;
  }
  elog(ERROR, "idgen: a reservation that was granted was raised as an error");
}

}  // namespace idgen::pg
