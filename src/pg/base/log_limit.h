// Limits how often one kind of line is logged.
#pragma once

#include "pg/base/pg.h"

#include "core/time.h"

namespace idgen::pg {

// At most one line per minute.
class LogLimit {
 public:
  bool Allows(int64 boot_us) noexcept {
    if (last_us_ != 0 && boot_us - last_us_ < 60 * core::kUsPerSecond) return false;
    last_us_ = boot_us;
    return true;
  }

 private:
  int64 last_us_ = 0;
};

}  // namespace idgen::pg
