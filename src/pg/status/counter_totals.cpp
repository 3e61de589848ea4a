// Sums the counters of a line. Those of live backends are read while they change, so a sum may miss what is just
// happening.
#include "pg/status/counter_totals.h"

#include "io/clock.h"

namespace idgen::pg {

Totals TotalsOf(const Shared& shared, uint32 line) {
  const core::LineTotals& ended = shared.server.lines[line].totals;
  Totals totals = {.ids = core::Get(ended.ids),
                   .blocks = core::Get(ended.blocks),
                   .lost_ids = core::Get(ended.lost_ids),
                   .waits = core::Get(ended.waits),
                   .waited_us = core::Get(ended.waited_us),
                   .max_drift_ms = core::Get(ended.max_drift_ms)};
  for (int i = 0; i < shared.slot_count; ++i) {
    const core::BackendSlot& slot = shared.slots[i];
    if (slot.pid.load(std::memory_order_relaxed) == 0 || slot.line != line) continue;
    totals.ids += core::IdsIssued(slot);
    totals.blocks += core::Get(slot.blocks);
    totals.lost_ids += core::Get(slot.lost);
    totals.waits += core::Get(slot.waits);
    totals.waited_us += core::Get(slot.waited_us);
    totals.max_drift_ms = Max(totals.max_drift_ms, core::Get(slot.max_drift_ms));
  }
  return totals;
}

Totals TotalsOfAll(const Shared& shared) {
  Totals all = {};
  const auto lines = static_cast<uint32>(shared.server.line_count.load());
  for (uint32 line = 0; line < lines; ++line) {
    const Totals one = TotalsOf(shared, line);
    all.ids += one.ids;
    all.blocks += one.blocks;
    all.lost_ids += one.lost_ids;
    all.waits += one.waits;
    all.waited_us += one.waited_us;
    all.max_drift_ms = Max(all.max_drift_ms, one.max_drift_ms);
  }
  return all;
}

Totals TotalsSinceReset(const Shared& shared, uint32 line) {
  Totals totals = TotalsOf(shared, line);
  const core::LineTotals& base = shared.totals_at_reset[line];
  const auto less = [](uint64& total, const core::Word& since) { total -= Min(total, core::Get(since)); };
  less(totals.ids, base.ids);
  less(totals.blocks, base.blocks);
  less(totals.lost_ids, base.lost_ids);
  less(totals.waits, base.waits);
  less(totals.waited_us, base.waited_us);
  return totals;
}

void ResetTotals(Shared& shared) {
  const uint64 lines = shared.server.line_count.load();
  for (uint32 line = 0; line < lines; ++line) {
    const Totals totals = TotalsOf(shared, line);
    core::LineTotals& base = shared.totals_at_reset[line];
    core::Set(base.ids, totals.ids);
    core::Set(base.blocks, totals.blocks);
    core::Set(base.lost_ids, totals.lost_ids);
    core::Set(base.waits, totals.waits);
    core::Set(base.waited_us, totals.waited_us);
    core::Set(shared.server.lines[line].totals.max_drift_ms, 0);
  }
  for (int i = 0; i < shared.slot_count; ++i) core::Set(shared.slots[i].max_drift_ms, 0);
  shared.status.steps_back = 0;
  shared.status.largest_step_back_us = 0;
  shared.status.stats_reset = GetCurrentTimestamp();
}

int64 DriftUs(const core::ServerState& server, uint32 line) {
  const core::Line& l = server.lines[line];
  const int64 next_ms = core::TimeOf(l.layout, l.next.load());
  const int64 now_us = io::BootUs() + core::ClockOffsetUs<core::PlainMemory>(server);
  return Max(next_ms * core::kUsPerMs - now_us, int64{0});
}

int64 LargestDriftUs(const core::ServerState& server) {
  int64 largest_us = 0;
  const auto lines = static_cast<uint32>(server.line_count.load());
  for (uint32 line = 0; line < lines; ++line) largest_us = Max(largest_us, DriftUs(server, line));
  return largest_us;
}

}  // namespace idgen::pg
