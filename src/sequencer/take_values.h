// Taking values of a key from its slot, and fetching a segment when the slot runs out: one process fetches for a key,
// the others wait for it. No lock is held while the store is asked. Setting and dropping a key, which closes its slots.
#pragma once

#include "core/check.h"
#include "sequencer/above_marks.h"
#include "sequencer/protocol.h"

namespace idgen::sequencer {

// Asks the prefetcher for the slot's next segment, once.
template <SlotHost Host>
void RequestSegment(Host& host, Slot& slot, uint64_t tenure) {
  host.LockSlots();
  const bool is_new = slot.segments.tenure.load() == tenure && slot.wanted.load() == 0;
  if (is_new && host.slots().Enqueue(slot)) slot.wanted.store(1);
  host.WakePrefetcher();
  host.UnlockSlots();
}

// Takes up to `max` values that the slot has; all that idgen_sequence_next() does as long as a segment lasts.
template <SlotHost Host>
inline Range TakeFromSlot(Host& host, Slot& slot, uint64_t tenure, int64_t step, int64_t max) {
  const Range range = Take<typename Host::Memory>(slot.segments, tenure, step, max);
  if (range.result != Range::Result::kTaken) return range;
  host.OnTaken(slot, range);
  host.slots().NoteUse(slot);
  // The slot's mark is that of these values or of later ones.
  const uint64_t mark = slot.mark.load(std::memory_order_relaxed);
  if (mark > host.marks_synced()) [[unlikely]]
    host.AwaitMark(mark);
  if (range.is_low && slot.wanted.load(std::memory_order_relaxed) == 0) [[unlikely]]
    RequestSegment(host, slot, tenure);
  return range;
}

// Gives values back that nobody took, if the store has given none after them. (leaves)
template <SlotHost Host>
void GiveBack(Host& host, const ReturnedRemainder& remainder, int64_t until_us) {
  if (remainder.operation.count == 0 || remainder.store != host.store()) return;
  const StoreKey key = remainder.store_key();
  LowerMark(host, remainder.operation, key, until_us);
  Answer answer;
  host.AskStore(remainder.operation, &key, &answer, 1, until_us);
}

// Makes the slot of the key the session's. False if there is no room for one now. (leaves)
template <SlotHost Host>
bool FindOrMakeSlot(Host& host, const SlotName& name, int64_t until_us) {
  Session& session = host.session();
  SlotTable& table = host.slots();
  host.LockSlotsShared();
  session.slot = table.Find(name);
  if (session.slot != nullptr) session.tenure = session.slot->segments.tenure.load();
  host.UnlockSlots();
  if (session.slot != nullptr) return true;
  ReturnedRemainder remainder;
  remainder.operation.count = 0;
  host.LockSlots();
  session.slot = table.Find(name);
  if (session.slot == nullptr) {
    session.slot = table.MakeSlot<typename Host::Memory>(name, &remainder);
    if (session.slot != nullptr) host.OnClosed(*session.slot, remainder);
  }
  if (session.slot != nullptr) session.tenure = session.slot->segments.tenure.load();
  host.UnlockSlots();
  GiveBack(host, remainder, until_us);
  return session.slot != nullptr;
}

// Makes this process the only one that fetches for the slot; false if another one does. The caller holds the lock.
template <SlotHost Host>
bool BeginFetch(Host& host, Slot& slot) {
  if (slot.fetcher != 0) return false;
  IDGEN_CHECK(host.session().own_fetch == nullptr);
  slot.fetcher = host.self();
  host.session().own_fetch = &slot;
  return true;
}

// Lets others fetch for the slot, whether a segment was put or not. The caller holds the lock.
template <SlotHost Host>
void EndFetch(Host& host) {
  host.session().own_fetch->fetcher = 0;
  host.session().own_fetch = nullptr;
}

// Puts the segment that the store gave, unless the key was set or dropped since it was requested.
template <SlotHost Host>
void PutSegment(Host& host, Slot& slot, const Answer& answer, uint64_t changes, int64_t size, int64_t began_us,
                uint64_t mark) {
  host.LockSlots();
  IDGEN_CHECK(host.session().own_fetch == &slot && slot.fetcher == host.self());
  if (answer.outcome == Answer::Outcome::kOk && slot.changes == changes) {
    IDGEN_CHECK(!HasReady<core::PlainMemory>(slot.segments));
    slot.mark.store(std::max<uint64_t>(slot.mark.load(), mark));
    host.OnPut(slot);
    const uint64_t serial = Put<typename Host::Memory>(slot.segments, answer.grant.Value(0), answer.grant.count);
    slot.generations[serial & 1] = answer.generation;
    slot.follows = answer.number_before != 0 && answer.number_before == slot.numbers[(serial - 1) & 1];
    slot.numbers[serial & 1] = answer.number;
    ++slot.fetches;
    slot.size = size;
    slot.fetched_at_us = began_us;
    slot.wanted.store(0);
  }
  EndFetch(host);
  host.UnlockSlots();
  host.WakeFetchWaiters(slot);
}

// Fetches one segment for a slot of which this process is the fetcher, until it returns; if it leaves, Abandon() ends
// the fetch. `need`: how many values it has at least, if there are so many. `ahead`: nobody waits for it, so its mark
// is synced before it is put; otherwise, and if the store does not forget, every transaction that uses it waits for the
// mark when it commits. The answer is kOk also if the key was set or dropped meanwhile, and nothing was put. (leaves)
template <SlotHost Host>
Answer FetchSegment(Host& host, Slot& slot, int64_t need, bool ahead, int64_t until_us) {
  const int64_t now_us = host.NowUs();
  // Nobody else writes the size or passes the slot to another key while it is being fetched for.
  host.LockSlotsShared();
  const uint64_t changes = slot.changes;
  host.UnlockSlots();
  const int64_t size = NextSegmentSize(slot.size, now_us - slot.fetched_at_us, slot.definition.cache);
  Operation operation = {.kind = Operation::Kind::kSegment,
                         .definition = slot.definition,
                         .count = std::max(size, std::min(need, kMaxSegment))};
  const StoreKey key = slot.store_key();
  Answer answer;
  Known known;
  uint64_t mark;
  while (true) {
    answer = Answer();
    mark = AskAboveMarks(host, operation, &key, &answer, 1, &known, until_us);
    if (answer.outcome != Answer::Outcome::kFull) break;
    // Near the maximum: ask for what is left, which other servers may be taking as well.
    const int64_t left = answer.had ? LeftAfter(operation.definition, answer.last) : CountOf(operation.definition);
    if (left == 0) break;
    operation.count = std::min(left, operation.count);
    host.CheckCancel();
  }
  if (answer.outcome == Answer::Outcome::kOk) host.OnFetched(slot, answer);
  if (ahead && host.may_forget()) SyncMarks(host, mark, until_us);
  PutSegment(host, slot, answer, changes, size, now_us, mark);
  return answer;
}

// Until the fetch for the slot has ended, or earlier. (leaves)
template <SlotHost Host>
void WaitForFetch(Host& host, Slot& slot, int64_t until_us) {
  host.PrepareToWait(slot, until_us);
  host.LockSlotsShared();
  const bool is_fetched_for = slot.fetcher != 0;
  host.UnlockSlots();
  if (is_fetched_for) host.WaitForFetch(slot, until_us);
  host.EndWait(slot);
}

// What the slot lacks for a call that still needs `missing` values.
struct Shortage {
  bool is_gone = false;    // the slot belongs to another key now
  bool is_short = false;   // and a segment can be put
  bool may_fetch = false;  // this process has become the fetcher
  int64_t need = 0;
};

template <SlotHost Host>
Shortage BeginFetchIfShort(Host& host, Slot& slot, uint64_t tenure, int64_t missing, bool has_waited) {
  using Memory = typename Host::Memory;
  Shortage shortage;
  host.LockSlots();
  shortage.is_gone = slot.segments.tenure.load() != tenure;
  if (!shortage.is_gone && !HasReady<Memory>(slot.segments)) {
    shortage.need = missing - CountLeft<Memory>(slot.segments);
    shortage.is_short = shortage.need > 0;
    shortage.may_fetch = shortage.is_short && BeginFetch(host, slot);
    if (shortage.is_short && !has_waited) slot.waits.fetch_add(1);
  }
  host.UnlockSlots();
  return shortage;
}

// Takes `count` values of the key, in order, and hands them to host.AddRange(); `*taken`: how many. Near the maximum
// these are fewer. If there are none at all, the answer says so, or says what else the store refused. (leaves)
template <SlotHost Host>
Answer TakeValues(Host& host, const SlotName& name, int64_t count, int64_t until_us, int64_t* taken) {
  using Memory = typename Host::Memory;
  using Outcome = Answer::Outcome;
  Session& session = host.session();
  session.slot = nullptr;
  *taken = 0;
  Answer answer;
  answer.outcome = Outcome::kOk;
  bool is_full = false, has_waited = false;
  while (*taken < count) {
    if (session.slot == nullptr && !FindOrMakeSlot(host, name, until_us)) {
      host.WaitForSlot(until_us);
      continue;
    }
    Slot& slot = *session.slot;
    const int64_t missing = count - *taken;
    // A batch that the slot cannot fill fetches before it takes: if the fetch fails, no value is lost.
    if (missing == 1 || is_full || CountLeft<Memory>(slot.segments) >= missing || HasReady<Memory>(slot.segments)) {
      const Range range = TakeFromSlot(host, slot, session.tenure, name.definition->step, missing);
      if (range.result == Range::Result::kTaken) {
        host.AddRange(range);
        *taken += range.count;
        continue;
      }
      if (range.result == Range::Result::kGone) {
        session.slot = nullptr;
        continue;
      }
      if (is_full) break;
    }
    const Shortage shortage = BeginFetchIfShort(host, slot, session.tenure, missing, has_waited);
    if (shortage.is_gone) session.slot = nullptr;
    if (!shortage.is_short) continue;
    has_waited = true;
    if (!shortage.may_fetch) {
      WaitForFetch(host, slot, until_us);
      continue;
    }
    answer = FetchSegment(host, slot, shortage.need, false, until_us);
    is_full = answer.outcome == Outcome::kFull;
    if (slot.size > 1) host.StartPrefetcher();
    if (answer.outcome != Outcome::kOk && !is_full) return answer;
  }
  if (*taken > 0) answer.outcome = Outcome::kOk;
  return answer;
}

// Ends a set or drop: this server's segments of the key were fetched before it.
template <SlotHost Host>
void EndKeyChange(Host& host, bool has_changed) {
  KeyChange& change = host.session().change;
  change.is_open = false;
  if (!has_changed) return;
  host.LockSlots();
  host.slots().template Forget<typename Host::Memory>({change.key, change.key_bytes}, change.store, change.hash);
  host.UnlockSlots();
}

// Sets or drops a key. (leaves)
template <SlotHost Host>
Answer ChangeKey(Host& host, const Operation& operation, const StoreKey& key, uint64_t hash, int64_t until_us) {
  KeyChange& change = host.session().change;
  IDGEN_CHECK(!change.is_open && key.size <= sizeof change.key);
  change.store = host.store();
  change.hash = hash;
  change.key_bytes = key.size;
  memcpy(change.key, key.bytes, key.size);
  change.is_open = true;
  const Answer answer = AskForChange(host, operation, key, until_us);
  const bool was_refused = answer.outcome == Answer::Outcome::kOk && !answer.had;
  EndKeyChange(host, operation.kind != Operation::Kind::kSetIfNone || !was_refused);
  return answer;
}

// For the boundary, when the protocol was left in the middle, and for a process that ends: others can fetch for the
// slot and keep the marks, and segments from before a change that the store may have carried out are closed.
template <SlotHost Host>
void Abandon(Host& host) {
  Session& session = host.session();
  if (Slot* slot = session.own_fetch; slot != nullptr) {
    host.LockSlots();
    EndFetch(host);
    host.UnlockSlots();
    host.WakeFetchWaiters(*slot);
  }
  if (session.change.is_open) EndKeyChange(host, true);
  EndKeeping(host);
}

}  // namespace idgen::sequencer
