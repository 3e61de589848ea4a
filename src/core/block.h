// A backend's block of reserved positions and its counters, in cache lines of its own in shared memory. Only the
// backend writes its slot; others read it for statistics, so the members are atomics, accessed without ordering.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <limits>

#include "core/check.h"
#include "core/reservation.h"

namespace idgen::core {

// A block older than this is dropped, so that an idle session does not issue ids from its past.
inline constexpr int64_t kMaxBlockAgeNs = 4 * kUsPerMs * 1000;
inline constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

struct alignas(64) BackendSlot {
  std::atomic<uint64_t> cur;  // the next position to hand out
  std::atomic<uint64_t> end;  // one past the block's last
  int64_t expires_ns;         // on the coarse clock
  uint32_t worker;            // under which the block was reserved
  uint32_t line;              // index of the block's line
  int64_t reserved_at_us;     // id clock at the reservation
  uint64_t block_size;        // of the last reservation
  std::atomic<int32_t> pid;   // 0: the slot is free

  // What the backend has done since it moved to `line`. `reserved` includes ids still in the block.
  alignas(64) std::atomic<uint64_t> reserved;
  std::atomic<uint64_t> blocks;
  std::atomic<uint64_t> lost;
  std::atomic<uint64_t> waits;
  std::atomic<uint64_t> waited_us;
  std::atomic<uint64_t> max_drift_ms;      // how far ahead of the id clock it has reserved
  std::atomic<uint64_t> waiting_since_us;  // boot time; 0 when not waiting
};
static_assert(sizeof(BackendSlot) == 128);

inline uint64_t Get(const std::atomic<uint64_t>& counter) noexcept { return counter.load(std::memory_order_relaxed); }
inline void Set(std::atomic<uint64_t>& counter, uint64_t value) noexcept {
  counter.store(value, std::memory_order_relaxed);
}
inline void Add(std::atomic<uint64_t>& counter, uint64_t by) noexcept { Set(counter, Get(counter) + by); }

inline bool HasPosition(const BackendSlot& slot, uint32_t line) noexcept {
  return Get(slot.cur) < Get(slot.end) && slot.line == line;
}

// The next position, however old the block: for a block that was reserved or checked just now, and has one.
inline Position TakePosition(BackendSlot& slot) noexcept {
  const Position position = Get(slot.cur);
  IDGEN_CHECK(position < Get(slot.end));
  Set(slot.cur, position + 1);
  return position;
}

// The next position of the block on `line`; false if the block is used up, too old or on another line. The coarse clock
// is not read for a block that is used up.
template <class CoarseNs>
bool TakeFromBlock(BackendSlot& slot, uint32_t line, CoarseNs&& coarse_ns, Position* position) noexcept {
  if (!HasPosition(slot, line) || coarse_ns() >= slot.expires_ns) return false;
  *position = TakePosition(slot);
  return true;
}

inline void DropBlock(BackendSlot& slot) noexcept {
  IDGEN_CHECK(Get(slot.cur) <= Get(slot.end));
  Add(slot.lost, Get(slot.end) - Get(slot.cur));
  Set(slot.cur, Get(slot.end));
}

inline uint64_t IdsIssued(const BackendSlot& slot) noexcept {
  const uint64_t unused = Get(slot.end) - Get(slot.cur);
  const uint64_t gone = Get(slot.lost) + unused;
  const uint64_t reserved = Get(slot.reserved);
  return reserved > gone ? reserved - gone : 0;  // a reader may see the counters half updated
}

inline void RaiseTo(std::atomic<uint64_t>& max, uint64_t value) noexcept {
  uint64_t seen = Get(max);
  while (seen < value && !max.compare_exchange_weak(seen, value)) {
  }
}

// Moves the backend's counters to its line's totals, when it leaves the line or ends.
inline void SettleCounters(BackendSlot& slot, LineTotals& totals) noexcept {
  DropBlock(slot);
  totals.ids.fetch_add(IdsIssued(slot));
  totals.blocks.fetch_add(Get(slot.blocks));
  totals.lost_ids.fetch_add(Get(slot.lost));
  totals.waits.fetch_add(Get(slot.waits));
  totals.waited_us.fetch_add(Get(slot.waited_us));
  RaiseTo(totals.max_drift_ms, Get(slot.max_drift_ms));
  for (auto* counter : {&slot.reserved, &slot.blocks, &slot.lost, &slot.waits, &slot.waited_us, &slot.max_drift_ms})
    Set(*counter, 0);
}

// Blocks start at 1 and double while a backend uses them up within a tick's length; a slower backend starts again at 1.
inline uint64_t NextBlockSize(const BackendSlot& slot, const Layout& layout, int64_t now_us, uint64_t max) noexcept {
  const bool used_up = Get(slot.cur) == Get(slot.end);
  const bool at_once = now_us - slot.reserved_at_us <= layout.unit_ms * kUsPerMs;
  return used_up && at_once ? std::min(slot.block_size * 2, max) : 1;
}

// Replaces the slot's block with a new one of at least `need` positions on the slot's line. If that is refused, the
// slot has no block. For a single position, which the caller takes at once, the coarse clock is not read and the block
// does not expire.
template <class Memory, class CoarseNs, class IdClockUs>
Reservation Refill(ServerState& server, BackendSlot& slot, uint64_t need, CoarseNs&& coarse_ns,
                   IdClockUs&& id_clock_us) noexcept {
  IDGEN_CHECK(slot.line < kMaxLines);
  Line& line = server.lines[slot.line];
  const uint64_t max = server.block_size.load(std::memory_order_relaxed);
  const Reservation reservation = Reserve<Memory>(
      server, line, need, [&](int64_t now_us) { return NextBlockSize(slot, line.layout, now_us, max); }, id_clock_us);
  DropBlock(slot);
  if (reservation.outcome != ReservationOutcome::kOk) return reservation;
  slot.worker = reservation.worker;
  slot.block_size = reservation.count;
  slot.reserved_at_us = reservation.now_us;
  slot.expires_ns = reservation.count > 1 ? coarse_ns() + kMaxBlockAgeNs : kNever;
  Add(slot.reserved, reservation.count);
  Add(slot.blocks, 1);
  const int64_t drift_ms = TimeOf(line.layout, reservation.start + reservation.count - 1) - MsOf(reservation.now_us);
  if (drift_ms > static_cast<int64_t>(Get(slot.max_drift_ms))) Set(slot.max_drift_ms, static_cast<uint64_t>(drift_ms));
  Set(slot.cur, reservation.start);
  Set(slot.end, reservation.start + reservation.count);
  return reservation;
}

// Clears a free slot for a new process. The previous process has settled its counters.
inline void ClaimSlot(BackendSlot& slot, int32_t pid, uint32_t line) noexcept {
  IDGEN_CHECK(slot.pid.load(std::memory_order_relaxed) == 0);
  for (auto* word : {&slot.cur, &slot.end, &slot.reserved, &slot.blocks, &slot.lost, &slot.waits, &slot.waited_us,
                     &slot.max_drift_ms, &slot.waiting_since_us})
    Set(*word, 0);
  slot.expires_ns = 0;
  slot.worker = 0;
  slot.line = line;
  slot.reserved_at_us = 0;
  slot.block_size = 0;
  slot.pid.store(pid, std::memory_order_relaxed);
}

}  // namespace idgen::core
