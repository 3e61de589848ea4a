// A host of the sequence protocol whose store gives the answers that a test wants, and whose operations are counted.
// One process: waiting ends at once, and time passes only when somebody waits.
#pragma once

#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "sequencer/prefetch.h"

namespace idgen::sequencer {

struct CallFailed {
  const char* why;
};

class TestHost {
 public:
  using Memory = core::PlainMemory;

  explicit TestHost(int32_t slots = 16, uint32_t queue = 8, size_t mark_count = 64)
      : slot_bytes_(Zeros(SlotTable::Bytes(slots, queue)), &free),
        table_(SlotTable::Make(slot_bytes_.get(), slots, queue)),
        mark_bytes_(Marks::Bytes(mark_count) / 8 + 1),
        marks_(mark_bytes_.data(), mark_count) {}

  Session& session() noexcept { return own_session; }
  uint64_t self() const noexcept { return 7; }
  int64_t NowUs() const noexcept { return now_us; }
  void CheckCancel() {
    if (is_cancelled) throw CallFailed{"cancelled"};
  }

  uint64_t AskStore(const Operation& operation, const StoreKey* keys, Answer* answers, int count, int64_t) {
    if (locks != 0) abort();
    if (on_ask) on_ask(operation);
    if (operation.only_over != 0 && operation.only_over != connection) return connection;
    asked.push_back(operation);
    for (int i = 0; i < count; ++i) answers[i] = answer(operation, keys[i]);
    return connection;
  }

  bool has_marks() const noexcept { return true; }
  bool may_forget() const noexcept { return store_forgets; }
  KeyHash HashOf(const StoreKey& key) noexcept { return sequencer::HashOf(key.value()); }
  uint64_t owner() const noexcept { return 1; }
  Marks LockMarks() {
    LockSlots();
    return marks_;
  }
  void UnlockMarks() { --locks; }
  Marks BeginMarkChange() { return LockMarks(); }
  void EndMarkChange() { UnlockMarks(); }
  void AwaitMark(uint64_t write) { awaited = std::max(awaited, write); }
  void LogLoss(const StoreKey&, const Known&, Loss loss, int64_t) { losses.push_back(loss); }
  void PauseBeforeRaise(const StoreKey&, int64_t value, int times, int64_t) { pauses.emplace_back(value, times); }

  MarkProgress& mark_progress() noexcept { return progress; }
  void OpenMarkFile() {
    if (is_disk_broken) throw CallFailed{"open"};
  }
  bool WriteMark(size_t, const MarkRecord& record) {
    if (writes_that_fail-- > 0) return false;
    written.push_back(record);
    return true;
  }
  [[noreturn]] void FailWrite() { throw CallFailed{"write"}; }
  void SyncMarkFile() { ++syncs; }
  void WaitForKeeper(const Word&, uint64_t, int64_t) {
    ++keeper_waits;
    progress.keeper.store(0);
  }
  void WakeKeepers() { ++keeper_wakes; }
  bool RequestSync() { return has_prefetcher; }

  SlotTable& slots() noexcept { return *table_; }
  // No two locks are ever held together.
  void LockSlots() {
    if (locks++ != 0) abort();
  }
  void LockSlotsShared() { LockSlots(); }
  void UnlockSlots() { --locks; }
  uint64_t store() const noexcept { return store_identity; }
  uint64_t marks_synced() const noexcept { return progress.synced.load(); }
  void AddRange(const Range& range) {
    for (int64_t i = 0; i < range.count; ++i) values.push_back(range.first + i * step);
  }
  void PrepareToWait(const Slot&, int64_t until_us) {
    if (now_us >= until_us) throw CallFailed{"no segment"};
  }
  void WaitForFetch(const Slot&, int64_t) {
    if (locks != 0) abort();
    now_us += 1000;
    if (on_wait) on_wait();
  }
  void EndWait(const Slot&) {}
  void WakeFetchWaiters(const Slot&) { ++fetch_wakes; }
  void WaitForSlot(int64_t until_us) {
    if (now_us >= until_us) throw CallFailed{"no slot"};
    now_us += 1000;
    if (on_wait) on_wait();
  }
  void StartPrefetcher() { has_prefetcher = true; }
  void WakePrefetcher() { ++prefetcher_wakes; }
  template <class Body>
  bool Attempt(const Body& body) {
    try {
      body();
      return true;
    } catch (const CallFailed&) {
      return false;
    }
  }

  void OnFound(const StoreKey*, const Known*, int) {}
  void OnNoted(const StoreKey&) {}
  void OnTaken(const Slot&, const Range&) {}
  void OnFetched(const Slot&, const Answer&) {}
  void OnPut(const Slot&) {}
  void OnClosed(const Slot&, const ReturnedRemainder&) {}

  // A store that gives values from `next` on, up to `max_value`, under one generation.
  Answer Count(const Operation& operation) {
    Answer answer;
    answer.outcome = Answer::Outcome::kOk;
    answer.generation = generation;
    answer.writer = writer;
    if (operation.kind == Operation::Kind::kReturn || operation.kind == Operation::Kind::kWriter) return answer;
    if (operation.kind == Operation::Kind::kSet || operation.kind == Operation::Kind::kDrop) {
      next = operation.kind == Operation::Kind::kSet ? operation.value + step : 1;
      answer.generation = ++generation;
      answer.had = true;
      return answer;
    }
    if (operation.kind == Operation::Kind::kRaise) next = std::max(next, operation.mark.value + step);
    if (next + (operation.count - 1) * step > operation.definition.max_value) {
      answer.outcome = Answer::Outcome::kFull;
      answer.had = true;
      answer.last = next - step;
      return answer;
    }
    answer.had = operation.kind == Operation::Kind::kRaise;
    answer.grant = {.first = next, .step = step, .count = operation.count, .unbroken = operation.count};
    answer.number_before = number;
    answer.number = ++number;
    next += operation.count * step;
    return answer;
  }

  Session own_session;
  int64_t now_us = 1000000;
  bool is_cancelled = false;
  std::function<Answer(const Operation&, const StoreKey&)> answer =
      [this](const Operation& operation, const StoreKey&) { return Count(operation); };
  std::function<void(const Operation&)> on_ask;
  std::function<void()> on_wait;
  uint64_t connection = 1, writer = 11, store_identity = 5;
  bool store_forgets = true;
  int64_t next = 1, step = 1, generation = 3, number = 0;
  std::vector<Operation> asked;
  std::vector<Loss> losses;
  std::vector<std::pair<int64_t, int>> pauses;
  std::vector<int64_t> values;
  uint64_t awaited = 0;
  MarkProgress progress = {};
  std::vector<MarkRecord> written;
  int writes_that_fail = 0;
  bool is_disk_broken = false, has_prefetcher = false;
  int syncs = 0, keeper_waits = 0, keeper_wakes = 0, fetch_wakes = 0, prefetcher_wakes = 0;
  int locks = 0;

 private:
  static void* Zeros(size_t size) { return memset(aligned_alloc(64, size), 0, size); }

  std::unique_ptr<void, decltype(&free)> slot_bytes_;
  SlotTable* table_;
  std::vector<uint64_t> mark_bytes_;
  Marks marks_;
};

// A key's name in the store, with the memory for it.
struct TestKey {
  explicit TestKey(const char* name, const Definition& its_definition)
      : definition(its_definition), key(WriteStoreKey("p:", name, bytes)) {}
  SlotName name() const { return {.key = key, .store = 5, .hash = HashOf(key.value()).low, .definition = &definition}; }

  Definition definition;
  char bytes[kMaxStoreKeyBytes];
  StoreKey key;
};

}  // namespace idgen::sequencer
