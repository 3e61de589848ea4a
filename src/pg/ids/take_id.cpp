// Refills a block and waits for positions: the only place where a caller of an id function sleeps.
#include "pg/ids/take_id.h"

#include "pg/base/settings.h"
#include "pg/ids/errors.h"
#include "pg/worker/worker.h"

namespace idgen::pg {
namespace {

using core::PlainMemory;
using core::Reservation;
using core::ReservationOutcome;

constexpr int64 kMaxSleepMs = 10;  // nothing wakes those who wait for an identity

// Whether only the worker can resolve it.
bool NeedsWorker(ReservationOutcome outcome) noexcept { return outcome == ReservationOutcome::kNoIdentity || outcome == ReservationOutcome::kAtCeiling; }

bool IsTemporary(ReservationOutcome outcome) noexcept { return NeedsWorker(outcome) || outcome == ReservationOutcome::kTooFarAhead; }

// How long to sleep before the next attempt.
int64 SleepMs(const Reservation& refused, int64 tries) noexcept {
  if (refused.outcome == ReservationOutcome::kTooFarAhead) return Max(refused.start_ms - refused.limit_ms, int64{1});
  return Min(int64{1} << Min(tries, int64{8}), kMaxSleepMs);
}

void Sleep(core::BackendSlot& slot, int64 ms, uint32 wait_event) {
  const int64 since_us = io::BootUs();
  core::Set(slot.waiting_since_us, static_cast<uint64>(since_us));
  WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, static_cast<long>(ms), wait_event);
  core::Set(slot.waiting_since_us, 0);
  core::Add(slot.waited_us, static_cast<uint64>(io::BootUs() - since_us));
  ResetLatch(MyLatch);
  CHECK_FOR_INTERRUPTS();
}

}  // namespace

int64 RefillAndTakeId(core::BackendSlot& slot) {
  RefillOrRaise(slot, kDefaultLine, 1);
  const core::Position position = core::TakePosition(slot);
  return core::Compose(core::kDefaultLayout, position, slot.worker);
}

core::Position RefillAndTakePosition(core::BackendSlot& slot, uint32 line) {
  RefillOrRaise(slot, line, 1);
  return core::TakePosition(slot);
}

void RefillOrRaise(core::BackendSlot& slot, uint32 line, uint64 need) {
  static uint32 wait_event = 0;
  Shared& shared = *SharedState();
  if (unlikely(slot.line != line)) MoveOwnSlot(line);
  // Without blocks every id costs a reservation, and the fine clock would be half of it. A slightly old boot time is
  // only ever low, and the offset is always current, so ids lag by up to a tick of the coarse clock and no rule is
  // broken.
  static io::TickClock tick_clock;
  const bool without_blocks = shared.server.block_size.load(std::memory_order_relaxed) == 1;
  const auto id_clock_us = [&shared, without_blocks] {
    return (without_blocks ? tick_clock.BootUs() : io::BootUs()) + core::ClockOffsetUs<PlainMemory>(shared.server);
  };
  int64 first_refused_us = 0;
  for (int64 tries = 0;; ++tries) {
    const Reservation reservation = core::Refill<PlainMemory>(shared.server, slot, need, io::CoarseNs, id_clock_us);
    if (reservation.outcome == ReservationOutcome::kOk) return;
    tick_clock.Forget();
    const int64 now_us = io::BootUs();
    if (tries == 0) {
      first_refused_us = now_us;
      core::Add(slot.waits, 1);
    }
    if (NeedsWorker(reservation.outcome)) {
      AskWorker();
      if (tries == 0 && !IsUnderPostmaster) continue;  // AskWorker() has just done the worker's turn
    }
    const int64 waited_ms = core::MsOf(now_us - first_refused_us);
    const int64 left_ms = MaxWaitMs() - waited_ms;
    const bool is_pointless = reservation.outcome == ReservationOutcome::kNoIdentity && NobodyWillServe();
    if (!IsTemporary(reservation.outcome) || left_ms <= 0 || is_pointless)
      RaiseRefused(reservation, shared.server.lines[line].layout, waited_ms);
    if (wait_event == 0) wait_event = NewWaitEvent("IdgenId");
    Sleep(slot, Min(SleepMs(reservation, tries), left_ms), wait_event);
  }
}

}  // namespace idgen::pg
