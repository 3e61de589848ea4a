// Errors of the id functions.
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
  constexpr const char* kLate = "The server became ready too late.";
  if (RecoveryInProgress())
    ereport(ERROR, (errcode(ERRCODE_READ_ONLY_SQL_TRANSACTION), errmsg("cannot issue ids during recovery"),
                    errdetail("%s", diagnosis.reason), errhint("%s", diagnosis.advice)));
  ereport(ERROR,
          (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE), errmsg("could not issue an id: the server is not ready"),
           errdetail("%s The caller waited %lld ms.", diagnosis.reason != nullptr ? diagnosis.reason : kLate,
                     static_cast<long long>(waited_ms)),
           errdetail_log("%s The caller waited %lld ms.", logged.reason != nullptr ? logged.reason : kLate,
                         static_cast<long long>(waited_ms)),
           errhint("%s%sFor more, run SELECT * FROM idgen_status().",
                   diagnosis.advice != nullptr ? diagnosis.advice : "", diagnosis.advice != nullptr ? " " : "")));
}

[[noreturn]] void RaiseTooFarAhead(const Reservation& refused, const core::Layout& layout, int64 waited_ms) {
  const int64 ids_per_second = core::IdsPerSecond({.layout = layout, .unit_us = layout.unit_ms * core::kUsPerMs});
  ereport(ERROR,
          (errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
           errmsg("could not issue an id: ids are too far ahead of the clock"),
           errdetail("The next id would exceed \"idgen.max_ahead\" by %lld ms. The caller waited %lld ms.",
                     static_cast<long long>(refused.start_ms - refused.limit_ms), static_cast<long long>(waited_ms)),
           errhint("Request fewer than %lld ids per second on average, or raise \"idgen.max_wait\".",
                   static_cast<long long>(ids_per_second))));
}

[[noreturn]] void RaiseAtCeiling(const Reservation& refused, const core::Layout& layout, int64 waited_ms) {
  // The settings may have changed since the line was created.
  CheckServerCanIssue({.layout = layout, .unit_us = layout.unit_ms * core::kUsPerMs});
  const WorkerStatus status = CopyStatus(*SharedState());
  const Diagnosis diagnosis = Diagnose(status, MaySeeServer()), logged = Diagnose(status, true);
  const auto detail = [&](const Diagnosis& shown) {
    return psprintf("The ceiling is %s, and the background worker has not raised it. The caller waited %lld ms.%s%s",
                    TimeText(refused.limit_ms), static_cast<long long>(waited_ms), shown.reason != nullptr ? " " : "",
                    shown.reason != nullptr ? shown.reason : "");
  };
  ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                  errmsg("could not issue an id: the durable ceiling is reached"), errdetail("%s", detail(diagnosis)),
                  errdetail_log("%s", detail(logged)),
                  errhint("%s", diagnosis.reason != nullptr && diagnosis.advice != nullptr
                                    ? diagnosis.advice
                                    : "See last_error of idgen_status() and the server log.")));
}

}  // namespace

void RaiseRunOut(const core::Layout& layout) {
  const core::GeneratorDefinition definition{.layout = layout, .unit_us = layout.unit_ms * core::kUsPerMs};
  const int64 id_clock_us = io::BootUs() + core::ClockOffsetUs<core::PlainMemory>(SharedState()->server);
  ereport(ERROR, (errcode(ERRCODE_SEQUENCE_GENERATOR_LIMIT_EXCEEDED),
                  errmsg("could not issue an id: the layout's time field has run out"),
                  errdetail("Its %d bits end at %s; the id clock reads %s.", layout.time.width,
                            TimeText(core::MsOf(core::EndUs(definition).value_or(PG_INT64_MAX))),
                            TimeText(core::MsOf(id_clock_us))),
                  errhint("If the clock is wrong, set it. Otherwise use another generator.")));
}

void RaiseRefused(const Reservation& refused, const core::Layout& layout, int64 waited_ms) {
  switch (refused.outcome) {
    case ReservationOutcome::kNoIdentity: RaiseNoIdentity(waited_ms);
    case ReservationOutcome::kTooFarAhead: RaiseTooFarAhead(refused, layout, waited_ms);
    case ReservationOutcome::kAtCeiling: RaiseAtCeiling(refused, layout, waited_ms);
    case ReservationOutcome::kBeforeEpoch:
      ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                      errmsg("could not issue an id: the clock is before the layout's epoch"),
                      errdetail("The id clock reads %s; the epoch is %s.", TimeText(core::MsOf(refused.now_us)),
                                TimeText(layout.epoch_ms)),
                      errhint("Set the server's clock.")));
    case ReservationOutcome::kExhausted: RaiseRunOut(layout);
    case ReservationOutcome::kWorkerTooLarge:
      ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                      errmsg("could not issue an id: worker id %u does not fit the layout", refused.worker),
                      errdetail("The layout's worker field has %d bits and holds worker ids from 0 to %llu.",
                                layout.worker.width, static_cast<unsigned long long>(layout.worker.MaxValue())),
                      errhint("Lease or set a worker id in this range; see \"idgen.worker_source\".")));
    case ReservationOutcome::kOk: break;
  }
  elog(ERROR, "idgen: a granted reservation was raised as an error");
}

}  // namespace idgen::pg
