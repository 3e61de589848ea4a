// The fields of an id.
#pragma once

#include <cstdint>

#include "core/layout.h"

namespace idgen::core {

struct Decoded {
  int64_t unix_ms = 0;  // when the id's tick began
  uint64_t region = 0;
  uint64_t app = 0;
  uint64_t worker = 0;
  uint64_t sequence = 0;
};

constexpr int64_t TimestampMs(const Layout& layout, uint64_t id) noexcept {
  return layout.epoch_ms + static_cast<int64_t>(layout.time.Get(id)) * layout.unit_ms;
}

constexpr Decoded Decode(const Layout& layout, uint64_t id) noexcept {
  return {.unix_ms = TimestampMs(layout, id),
          .region = layout.region.Get(id),
          .app = layout.app.Get(id),
          .worker = layout.worker.Get(id),
          .sequence = layout.sequence.Get(id)};
}

}  // namespace idgen::core
