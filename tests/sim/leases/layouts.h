// The bit layouts that simulated servers issue ids of.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/layout.h"
#include "leases/world.h"

namespace idgen::sim {

inline constexpr int kLayouts = 4;

// Ticks of 1 ms and of 10 ms, so that rounding errors show; two more lines are made while the server runs, the last for
// a layout whose epoch is in the future.
inline constexpr core::Layout kSimLayouts[kLayouts] = {
    core::kDefaultLayout,
    {.epoch_ms = 1704067200000,
     .unit_ms = 10,
     .time = {.shift = 24, .width = 39},
     .region = {},
     .app = {},
     .worker = {.shift = 8, .width = 16},
     .sequence = {.shift = 0, .width = 8}},
    {.epoch_ms = 1704067200007,
     .unit_ms = 1000,
     .time = {.shift = 31, .width = 32},
     .region = {},
     .app = {},
     .worker = {.shift = 15, .width = 16},
     .sequence = {.shift = 0, .width = 15}},
    {.epoch_ms = kBeginUs / kMs + 60000,
     .unit_ms = 1,
     .time = {.shift = 22, .width = 41},
     .region = {},
     .app = {},
     .worker = {.shift = 12, .width = 10},
     .sequence = {.shift = 0, .width = 12}},
};

inline int LayoutOf(const core::Layout& layout) noexcept {
  int index = 0;
  while (!(kSimLayouts[index] == layout)) ++index;
  return index;
}

// In the ledger.
inline size_t LineOf(uint32_t worker, int layout) noexcept {
  return size_t{worker} * kLayouts + static_cast<size_t>(layout);
}

}  // namespace idgen::sim
