// The position line: `tick << sequence bits | sequence`, one number that only increases. Times are converted to
// positions here and nowhere else, so that clocks, floors and ceilings are rounded the same way: if a floor were
// rounded down and a ceiling up, the tick between them would be issued twice.
#pragma once

#include <cstdint>

#include "core/check.h"
#include "core/layout.h"
#include "core/time.h"

namespace idgen::core {

using Position = uint64_t;

// One past the last position that has an id.
constexpr Position EndOfLine(const Layout& layout) noexcept {
  return Position{1} << (layout.time.width + layout.sequence.width);
}

// The tick that `unix_ms` lies in; negative before the epoch.
constexpr int64_t TickAt(const Layout& layout, int64_t unix_ms) noexcept {
  const int64_t since_epoch = unix_ms - layout.epoch_ms;
  return layout.unit_ms == 1 ? since_epoch : FloorDiv(since_epoch, layout.unit_ms);
}

// The first position of a tick, clamped to [0, EndOfLine]: the shift could overflow.
constexpr Position PositionOfTick(const Layout& layout, int64_t tick) noexcept {
  if (tick <= 0) return 0;
  if (tick > static_cast<int64_t>(layout.time.MaxValue())) return EndOfLine(layout);
  return static_cast<Position>(tick) << layout.sequence.width;
}

constexpr Position PositionAt(const Layout& layout, int64_t unix_ms) noexcept {
  return PositionOfTick(layout, TickAt(layout, unix_ms));
}

// Unix milliseconds at which the tick of `position` begins: the inverse of PositionAt for first positions of a tick.
constexpr int64_t TimeOf(const Layout& layout, Position position) noexcept {
  return layout.epoch_ms + static_cast<int64_t>(position >> layout.sequence.width) * layout.unit_ms;
}

// The first position of the next tick, or `position` itself if it is the first of its tick.
constexpr Position NextTick(const Layout& layout, Position position) noexcept {
  const Position mask = layout.sequence.MaxValue();
  return (position + mask) & ~mask;
}

// The id of a position. The worker must fit its field and the position must be on the line.
constexpr int64_t Compose(const Layout& layout, Position position, uint32_t worker) noexcept {
  IDGEN_CHECK(layout.worker.Fits(worker) && position < EndOfLine(layout));
  return static_cast<int64_t>(layout.time.Put(position >> layout.sequence.width) | layout.fixed |
                              layout.worker.Put(worker) | layout.sequence.Put(position & layout.sequence.MaxValue()));
}

}  // namespace idgen::core
