// The state that the processes of one server share, and the worker's operations on it. There is one line per bit
// layout. Making a line and folding a floor require the server lock, which belongs to the caller (an LWLock in
// PostgreSQL).
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

#include "core/check.h"
#include "core/identity.h"
#include "core/layout.h"
#include "core/memory.h"
#include "core/position.h"

namespace idgen::core {

inline constexpr uint32_t kMaxLines = 256;

// Counters of backends that have ended or left the line; those of running backends are in their slots.
struct LineTotals {
  Word ids;
  Word blocks;
  Word lost_ids;  // reserved, and dropped unused
  Word waits;
  Word waited_us;
  Word max_drift_ms;
};

struct alignas(64) Line {
  Word next;  // the first position not yet reserved
  Layout layout;
  alignas(64) LineTotals totals;
};

enum class ClockState : uint64_t {
  kUnset,        // no worker has run: there is no id clock
  kFollowsWall,  // no floor is known yet: the id clock equals the wall clock
  kEstablished,  // has been raised to a floor and follows the wall clock since
};

struct ServerState {
  // Read at every reservation, written a few times a minute at most.
  alignas(64) Word identity;
  Word clock_offset_us;  // signed: id clock = boot-time clock + offset
  Word clock_state;      // a ClockState
  Word max_ahead_ms;     // this and block_size: the settings as the worker validated them, not as a session sees them
  Word block_size;
  Word floor_ms;
  Word line_count;
  Word withheld;  // the identity that a standby holds and does not publish, or 0

  alignas(64) Word uuid_next;  // the line of uuid_v7(): see uuid7.h

  Line lines[kMaxLines];
};

template <class Memory>
int64_t ClockOffsetUs(const ServerState& server) noexcept {
  return static_cast<int64_t>(Memory::Load(server.clock_offset_us, Step::kReadClock));
}

template <class Memory>
void SetClock(ServerState& server, int64_t offset_us, ClockState state) noexcept {
  Memory::Store(server.clock_offset_us, static_cast<uint64_t>(offset_us), Step::kSetClock);
  Memory::Store(server.clock_state, static_cast<uint64_t>(state), Step::kSetClock);
}

// Raises `next` to `to`, unless it is higher already.
template <class Memory>
void RaiseNext(Line& line, Position to, Step step) noexcept {
  uint64_t next = Memory::Load(line.next, step);
  while (next < to && !Memory::Swap(line.next, next, to, step)) {
  }
}

// nullptr if there is no line for `layout`.
template <class Memory>
Line* FindLine(ServerState& server, const Layout& layout) noexcept {
  const uint64_t count = Memory::Load(server.line_count, Step::kLoadFloor);
  for (uint64_t i = 0; i < count; ++i)
    if (server.lines[i].layout == layout) return &server.lines[i];
  return nullptr;
}

// Makes the line if there is none; nullptr if there are `max` lines already. The caller holds the server lock.
template <class Memory>
Line* FindOrMakeLine(ServerState& server, const Layout& layout, uint64_t max = kMaxLines) noexcept {
  IDGEN_CHECK(max <= kMaxLines);
  if (Line* line = FindLine<Memory>(server, layout)) return line;
  const uint64_t count = Memory::Load(server.line_count, Step::kLoadFloor);
  if (count >= max) return nullptr;
  Line& line = server.lines[count];
  line.layout = layout;
  const int64_t floor_ms = static_cast<int64_t>(Memory::Load(server.floor_ms, Step::kLoadFloor));
  Memory::Store(line.next, PositionAt(layout, floor_ms), Step::kFold);
  Memory::Store(server.line_count, count + 1, Step::kFold);
  return &line;
}

// Sets the floor and folds it into every line, after the id clock was raised to it and before an identity is published.
// A line made later starts at the floor. The caller holds the server lock.
template <class Memory>
void FoldFloor(ServerState& server, int64_t floor_ms) noexcept {
  Memory::Store(server.floor_ms, static_cast<uint64_t>(std::max<int64_t>(floor_ms, 0)), Step::kSetFloor);
  const uint64_t count = Memory::Load(server.line_count, Step::kLoadFloor);
  for (uint64_t i = 0; i < count; ++i)
    RaiseNext<Memory>(server.lines[i], PositionAt(server.lines[i].layout, floor_ms), Step::kFold);
}

template <class Memory>
void Publish(ServerState& server, Identity identity) noexcept {
  Memory::Store(server.identity, identity.word(), Step::kPublish);
}

// To give up or change an identity: Withdraw, then Seal, then release or Publish.
template <class Memory>
void Withdraw(ServerState& server) noexcept {
  Memory::Store(server.identity, 0, Step::kWithdraw);
}

// Raises every `next` to the first tick without reservations, and always by at least one position: a reservation that
// loaded `next` before Withdraw then fails to swap it. Needs no lock: a line made after Withdraw has no reservations.
template <class Memory>
void Seal(ServerState& server) noexcept {
  const uint64_t count = Memory::Load(server.line_count, Step::kLoadFloor);
  for (uint64_t i = 0; i < count; ++i) {
    Line& line = server.lines[i];
    uint64_t next = Memory::Load(line.next, Step::kSeal);
    while (!Memory::Swap(line.next, next, NextTick(line.layout, next + 1), Step::kSeal)) {
    }
  }
}

// After Seal: the earliest time later than all reserved positions, at most `ceiling_ms`, below which they all are. A
// line whose epoch is later than the id clock has no reservations.
template <class Memory>
int64_t SealedTimeMs(const ServerState& server, int64_t ceiling_ms,
                     int64_t id_clock_ms = std::numeric_limits<int64_t>::max()) noexcept {
  int64_t sealed_ms = static_cast<int64_t>(Memory::Load(server.floor_ms, Step::kLoadFloor));
  const uint64_t count = Memory::Load(server.line_count, Step::kLoadFloor);
  for (uint64_t i = 0; i < count; ++i) {
    const Layout& layout = server.lines[i].layout;
    const Position next = Memory::Load(server.lines[i].next, Step::kLoadNext);
    if (next > 0 && layout.epoch_ms <= id_clock_ms) sealed_ms = std::max(sealed_ms, TimeOf(layout, next));
  }
  return std::min(sealed_ms, ceiling_ms);
}

}  // namespace idgen::core
