// What the processes of one server share, and the worker's steps on it. One line per bit layout; whoever makes a line
// or folds a floor holds the lines lock, which is the caller's (an LWLock in PostgreSQL).
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

#include "core/identity.h"
#include "core/layout.h"
#include "core/memory.h"
#include "core/position.h"

namespace idgen::core {

inline constexpr uint32_t kMaxLines = 256;

// Counters of backends that have ended or left the line; those of live ones are in their slots.
struct LineTotals {
  Word ids;
  Word blocks;
  Word lost_ids;  // reserved, but dropped unused
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
  kFollowsWall,  // no floor is known yet: the id clock is the wall clock
  kEstablished,  // raised to a floor and followed since
};

struct ServerState {
  // Read at every reservation, written a few times a minute at the most.
  alignas(64) Word identity;
  Word clock_offset_us;  // signed: id clock = boot-time clock + offset
  Word clock_state;      // a ClockState
  Word max_ahead_ms;     // the judged settings: what the worker accepted, not what a session sees
  Word block_size;
  Word floor_ms;
  Word line_count;

  alignas(64) Word uuid_next;  // uuid_v7's own line: see uuid7.h

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

// Moves `next` up to `to`; leaves it where it is further along.
template <class Memory>
void RaiseNext(Line& line, Position to, Step step) noexcept {
  uint64_t next = Memory::Load(line.next, step);
  while (next < to && !Memory::Swap(line.next, next, to, step)) {
  }
}

// The line for `layout`; nullptr where there is none.
template <class Memory>
Line* FindLine(ServerState& server, const Layout& layout) noexcept {
  const uint64_t count = Memory::Load(server.line_count, Step::kLoadFloor);
  for (uint64_t i = 0; i < count; ++i)
    if (server.lines[i].layout == layout) return &server.lines[i];
  return nullptr;
}

// The same, made where there is none; nullptr when `most` are taken. Holds: the lines lock.
template <class Memory>
Line* FindOrMakeLine(ServerState& server, const Layout& layout, uint64_t most = kMaxLines) noexcept {
  if (Line* line = FindLine<Memory>(server, layout)) return line;
  const uint64_t count = Memory::Load(server.line_count, Step::kLoadFloor);
  if (count >= most) return nullptr;
  Line& line = server.lines[count];
  line.layout = layout;
  const int64_t floor_ms = static_cast<int64_t>(Memory::Load(server.floor_ms, Step::kLoadFloor));
  Memory::Store(line.next, PositionAt(layout, floor_ms), Step::kFold);
  Memory::Store(server.line_count, count + 1, Step::kFold);
  return &line;
}

// Sets the floor and folds it into every line, before an identity is published and after the id clock was raised to
// it. A line made later starts at the floor by itself. Holds: the lines lock.
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

// Giving up or changing an identity is Withdraw, then Seal, and only then release or Publish.
template <class Memory>
void Withdraw(ServerState& server) noexcept {
  Memory::Store(server.identity, 0, Step::kWithdraw);
}

// Moves every `next` on to a tick that nobody has reserved in, and always moves it: a reservation that loaded `next`
// before the withdrawal then fails to swap it. After Withdraw it needs no lock: a line made meanwhile has no positions.
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

// After Seal: the earliest time that no reserved position reaches, at most `ceiling_ms`, which bounds them all. A line
// whose epoch the id clock has not reached has issued nothing.
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
