// Another running server with this server's worker id, as reported by the store, and for how long the report counts.
#pragma once

#include <cstdint>

#include "core/time.h"
#include "lease/store.h"
#include "wire/printable.h"

namespace idgen::lease {

struct RivalView {
  StoreReply::Rival kind = StoreReply::Rival::kNone;  // how it got the worker id
  uint32_t worker = 0;
  int64_t since_ms = 0;            // by the wall clock
  char holder[kHolderBytes] = {};  // host|port|directory, in printable ASCII

  bool seen() const noexcept { return kind != StoreReply::Rival::kNone; }
};

class Rivals {
 public:
  // For each reply of the store. Two servers that write in turn do not see each other every time, so a rival counts
  // until it has not been seen for one TTL. While the store does not reply, nothing changes.
  void Note(const StoreReply& reply, uint32_t worker, int64_t ttl_ms, const core::Instant& now,
            RivalView* view) noexcept {
    if (reply.rival == StoreReply::Rival::kNone) {
      if (view->seen() && now.boot_us - seen_at_boot_us_ >= ttl_ms * core::kUsPerMs) Forget(view);
      return;
    }
    if (!view->seen()) view->since_ms = core::MsOf(now.wall_us);
    seen_at_boot_us_ = now.boot_us;
    view->kind = reply.rival;
    view->worker = worker;
    wire::WritePrintable(reply.rival_holder, view->holder);
  }

  void Forget(RivalView* view) noexcept { *view = RivalView(); }

 private:
  int64_t seen_at_boot_us_ = 0;
};

}  // namespace idgen::lease
