// What the prefetcher does: a process that fetches segments before they are used up, and gives back the remainders when
// the server stops. Without it, sessions fetch for themselves.
//
// Its host has one operation more:
//
//   bool Attempt(body)  runs body(); false if that left with an error, which the host has logged
#pragma once

#include "sequencer/take_values.h"

namespace idgen::sequencer {

// When a prefetcher starts: its predecessor may have taken slots out of the queue and ended, and sessions do not ask
// again for what is marked as wanted. The caller holds the lock.
template <SlotHost Host>
void RefillQueue(Host& host) {
  SlotTable& table = host.slots();
  table.ClearQueue();
  for (int32_t i = 0; i < table.used_count(); ++i) {
    Slot& slot = table.slot(i);
    const bool is_wanted = IsLow<typename Host::Memory>(slot.segments) && table.Enqueue(slot);
    slot.wanted.store(is_wanted ? 1 : 0);
  }
}

// nullptr if no segment is wanted.
template <SlotHost Host>
Slot* NextWanted(Host& host) {
  host.LockSlots();
  Slot* slot = host.slots().Dequeue();
  host.UnlockSlots();
  return slot;
}

// Fetches the slot's next segment if it is still wanted. False if the store does not answer: the slot is in the queue
// again.
template <SlotHost Host>
bool Prefetch(Host& host, Slot& slot, int64_t until_us) {
  host.LockSlots();
  const bool is_wanted =
      slot.store == host.store() && IsLow<typename Host::Memory>(slot.segments) && BeginFetch(host, slot);
  if (!is_wanted) slot.wanted.store(0);
  host.UnlockSlots();
  if (!is_wanted || host.Attempt([&] { FetchSegment(host, slot, 0, true, until_us); })) return true;
  Abandon(host);
  host.LockSlots();
  slot.wanted.store(host.slots().Enqueue(slot) ? 1 : 0);
  host.UnlockSlots();
  return false;
}

// When the server stops. What cannot be given back in time is lost.
template <SlotHost Host>
void GiveAllBack(Host& host, int64_t until_us) {
  SlotTable& table = host.slots();
  for (int32_t i = 0; i < table.used_count() && host.NowUs() < until_us; ++i) {
    ReturnedRemainder remainder;
    host.LockSlots();
    CloseSlot<typename Host::Memory>(table.slot(i), &remainder);
    host.OnClosed(table.slot(i), remainder);
    host.UnlockSlots();
    if (!host.Attempt([&] { GiveBack(host, remainder, until_us); })) return;
  }
}

}  // namespace idgen::sequencer
