// The meaning of an id's bits. Layouts are in shared memory: plain data, no pointers.
#pragma once

#include <cstdint>

namespace idgen::core {

// `width` bits, starting `shift` bits above the lowest. Width 0: the layout does not have the field.
struct Field {
  uint8_t shift = 0;
  uint8_t width = 0;

  constexpr uint64_t MaxValue() const noexcept { return (uint64_t{1} << width) - 1; }
  constexpr bool Present() const noexcept { return width != 0; }
  constexpr bool Fits(uint64_t value) const noexcept { return value <= MaxValue(); }
  constexpr uint64_t Get(uint64_t id) const noexcept { return (id >> shift) & MaxValue(); }
  constexpr uint64_t Put(uint64_t value) const noexcept { return value << shift; }

  constexpr bool operator==(const Field&) const noexcept = default;
};

struct Layout {
  int64_t epoch_ms = 0;  // Unix time of tick 0, in milliseconds
  int64_t unit_ms = 1;   // length of a tick, in milliseconds, at least 1
  Field time;
  Field region;
  Field app;
  Field worker;
  Field sequence;
  uint64_t fixed = 0;  // the values of region and app, shifted into place: part of every id

  constexpr bool operator==(const Layout&) const noexcept = default;
};

// The default generator's layout. It must never change: the functions that decode its ids are IMMUTABLE.
// 41 bits of milliseconds since 2024-01-01 00:00 UTC (until 2093-09-06), 1,024 workers, 4,096 ids a millisecond.
inline constexpr Layout kDefaultLayout = {
    .epoch_ms = 1704067200000,
    .unit_ms = 1,
    .time = {.shift = 22, .width = 41},
    .region = {},
    .app = {},
    .worker = {.shift = 12, .width = 10},
    .sequence = {.shift = 0, .width = 12},
};

}  // namespace idgen::core
