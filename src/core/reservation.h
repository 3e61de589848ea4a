// Reserving positions on a line: the one place where positions come from.
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/server_state.h"

namespace idgen::core {

enum class ReservationOutcome : uint8_t {
  kOk,
  kNoIdentity,      // none published: starting, withdrawn, or the server has none
  kTooFarAhead,     // ids would run ahead of the id clock by more than max_ahead: wait
  kAtCeiling,       // the durable ceiling is reached: wait for the worker to raise it
  kBeforeEpoch,     // the id clock is before the layout's epoch
  kExhausted,       // the layout's time field has run out
  kWorkerTooLarge,  // the worker does not fit the layout's field
};

struct Reservation {
  ReservationOutcome outcome = ReservationOutcome::kNoIdentity;
  uint32_t worker = 0;
  Position start = 0;
  uint64_t count = 0;
  int64_t now_us = 0;    // the id clock as read
  int64_t limit_ms = 0;  // when refused: the time of the limit that was met (ceiling or id clock + max_ahead)
  int64_t start_ms = 0;  // when refused: the time of the first position that was wanted
};

// Reserves at least `need` positions and up to what `like(now_us)` says: a block that doesn't fit shrinks to what is
// there before it is refused. `next` is loaded before the identity: the other way round a reservation that began before
// an identity was given up could end after it, and an exhaustive search finds duplicates. `id_clock_us` is called after
// both, so that ids keep within max_ahead of the id clock also when it has just been set right.
template <class Memory, class Like, class IdClockUs>
Reservation Reserve(ServerState& server, Line& line, uint64_t need, Like&& like, IdClockUs&& id_clock_us) noexcept {
  const Layout& layout = line.layout;
  uint64_t next = Memory::Load(line.next, Step::kLoadNext);
  for (;;) {
    Reservation result;
    const Identity identity(Memory::Load(server.identity, Step::kLoadIdentity));
    result.now_us = id_clock_us();
    if (!identity) return result;
    result.worker = identity.worker();
    const auto refuse = [&result](ReservationOutcome why) {
      result.outcome = why;
      return result;
    };
    if (!layout.worker.Fits(identity.worker())) return refuse(ReservationOutcome::kWorkerTooLarge);

    const int64_t now_ms = MsOf(result.now_us);
    const int64_t tick = TickAt(layout, now_ms);
    if (tick < 0) return refuse(ReservationOutcome::kBeforeEpoch);
    const Position start = std::max(next, PositionOfTick(layout, tick));
    const Position end_of_line = EndOfLine(layout);
    if (start >= end_of_line || end_of_line - start < need) return refuse(ReservationOutcome::kExhausted);

    const int64_t ahead_ms = static_cast<int64_t>(server.max_ahead_ms.load(std::memory_order_relaxed));
    const Position ahead = PositionOfTick(layout, TickAt(layout, now_ms + ahead_ms) + 1);
    const Position ceiling = PositionAt(layout, identity.ceiling_ms());
    const Position limit = std::min({end_of_line, ahead, ceiling});
    if (limit < start || limit - start < need) {
      result.start_ms = TimeOf(layout, start);
      result.limit_ms = ceiling <= ahead ? identity.ceiling_ms() : now_ms + ahead_ms;
      return refuse(ceiling <= ahead ? ReservationOutcome::kAtCeiling : ReservationOutcome::kTooFarAhead);
    }
    const uint64_t count = std::min(std::max(need, like(result.now_us)), limit - start);
    // A failed swap leaves the newer value in `next`: the same as loading it again, in the same order.
    if (Memory::Swap(line.next, next, start + count, Step::kSwapNext)) {
      result.outcome = ReservationOutcome::kOk;
      result.start = start;
      result.count = count;
      return result;
    }
  }
}

}  // namespace idgen::core
