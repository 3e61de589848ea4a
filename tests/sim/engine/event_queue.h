// Events, earliest first; those of the same time in the order in which they were pushed. A heap with four children per
// node, half as deep as a binary one: apart from the code that ships, a simulation spends most of its time here.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace idgen::sim {

enum class EventKind : uint8_t {
  kTurn,
  kOp,
  kArrive,
  kReply,
  kWaitOver,
  kFault,
  kResume,
  kStart,
  kWorkerStart,
  kEnd,
  kSnapshot,
  kDo,
  kPromote,
};

struct Event {
  int64_t at_us;
  uint64_t tag;
  int who;
  EventKind kind;
};

class EventQueue {
 public:
  explicit EventQueue(int64_t begin_us) noexcept : begin_us_(begin_us) {}

  bool empty() const noexcept { return heap_.empty(); }

  void Push(const Event& event) {
    const Item item{static_cast<uint64_t>(event.at_us - begin_us_) << kOrderBits | (++order_ & kOrderMask),
                    event.tag << kWhoBits << kKindBits | static_cast<uint64_t>(event.who) << kKindBits |
                        static_cast<uint64_t>(event.kind)};
    size_t at = heap_.size();
    heap_.push_back(item);
    while (at > 0) {
      const size_t above = (at - 1) / kChildren;
      if (heap_[above].key <= item.key) break;
      heap_[at] = heap_[above];
      at = above;
    }
    heap_[at] = item;
  }

  Event Pop() {
    const Item first = heap_.front();
    const Item last = heap_.back();
    heap_.pop_back();
    if (!heap_.empty()) Sink(last);
    return {.at_us = begin_us_ + static_cast<int64_t>(first.key >> kOrderBits),
            .tag = first.what >> kKindBits >> kWhoBits,
            .who = static_cast<int>(first.what >> kKindBits & ((1u << kWhoBits) - 1)),
            .kind = static_cast<EventKind>(first.what & ((1u << kKindBits) - 1))};
  }

 private:
  // Two words, so that four of them fill a cache line: time (12 days of it) and order, which may wrap, in which case
  // two events of one microsecond change places; and what happens.
  struct Item {
    uint64_t key;
    uint64_t what;
  };
  static constexpr unsigned kOrderBits = 24, kKindBits = 4, kWhoBits = 12;
  static constexpr uint64_t kOrderMask = (uint64_t{1} << kOrderBits) - 1;
  static constexpr size_t kChildren = 4;

  void Sink(const Item& item) {
    const size_t size = heap_.size();
    size_t at = 0;
    for (size_t child; (child = at * kChildren + 1) < size; at = child) {
      const size_t end = std::min(child + kChildren, size);
      uint64_t least = heap_[child].key;
      for (size_t other = child + 1; other < end; ++other) {
        const uint64_t key = heap_[other].key;
        child = key < least ? other : child;  // without a branch, which nobody could predict
        least = key < least ? key : least;
      }
      if (item.key <= least) break;
      heap_[at] = heap_[child];
    }
    heap_[at] = item;
  }

  int64_t begin_us_;
  uint64_t order_ = 0;
  std::vector<Item> heap_;
};

}  // namespace idgen::sim
