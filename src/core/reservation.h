// Reserving positions on a line: the only source of positions.
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/check.h"
#include "core/server_state.h"

namespace idgen::core {

enum class ReservationOutcome : uint8_t {
  kOk,
  kNoIdentity,      // none is published: the server is starting, has withdrawn it or has no worker id
  kTooFarAhead,     // ids would run ahead of the id clock by more than max_ahead: wait
  kAtCeiling,       // the durable ceiling is reached: wait for the worker to raise it
  kBeforeEpoch,     // the id clock is earlier than the layout's epoch
  kExhausted,       // the layout's time field has run out
  kWorkerTooLarge,  // the worker does not fit the layout's field
};

struct Reservation {
  ReservationOutcome outcome = ReservationOutcome::kNoIdentity;
  uint32_t worker = 0;
  Position start = 0;
  uint64_t count = 0;
  int64_t now_us = 0;    // the id clock as read
  int64_t limit_ms = 0;  // if refused: the time of the limit (ceiling or id clock + max_ahead)
  int64_t start_ms = 0;  // if refused: the time of the first position requested
};

// Reserves at least `need` positions, and up to `like(now_us)` if that many are available. `next` is loaded before the
// identity: in the other order a reservation that begins before an identity is withdrawn could end after that, and an
// exhaustive search finds duplicates. `id_clock_us` is called after both, so that ids stay within max_ahead of the id
// clock even if it has just been lowered.
template <class Memory, class Like, class IdClockUs>
Reservation Reserve(ServerState& server, Line& line, uint64_t need, Like&& like, IdClockUs&& id_clock_us) noexcept {
  IDGEN_CHECK(need > 0);
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
    IDGEN_CHECK(start >= next && count >= need && count <= end_of_line - start);
    // A failed swap sets `next` to the current value, as if it were loaded again, in the same order.
    if (Memory::Swap(line.next, next, start + count, Step::kSwapNext)) {
      result.outcome = ReservationOutcome::kOk;
      result.start = start;
      result.count = count;
      return result;
    }
  }
}

}  // namespace idgen::core
