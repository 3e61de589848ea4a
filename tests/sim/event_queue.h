// What is to happen, earliest first; at one time in the order in which it was put in. A heap of four children a node:
// half as deep as one of two, and most of a simulation's time that is not the code that ships goes through here.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
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
};

struct Event {
  int64_t at_us;
  uint64_t order;
  uint64_t tag;
  int32_t who;
  EventKind kind;
};

class EventQueue {
 public:
  bool empty() const noexcept { return heap_.empty(); }
  const Event& first() const noexcept { return heap_.front(); }

  void Push(const Event& event) {
    size_t at = heap_.size();
    heap_.push_back(event);
    while (at > 0) {
      const size_t above = (at - 1) / kChildren;
      if (KeyOf(heap_[above]) <= KeyOf(event)) break;
      heap_[at] = heap_[above];
      at = above;
    }
    heap_[at] = event;
  }

  void Pop() {
    const Event last = heap_.back();
    heap_.pop_back();
    const size_t size = heap_.size();
    if (size == 0) return;
    size_t at = 0;
    for (size_t child; (child = at * kChildren + 1) < size; at = child) {
      const size_t end = std::min(child + kChildren, size);
      Key least = KeyOf(heap_[child]);
      for (size_t other = child + 1; other < end; ++other) {
        const Key key = KeyOf(heap_[other]);
        child = key < least ? other : child;
        least = key < least ? key : least;
      }
      if (KeyOf(last) <= least) break;
      heap_[at] = heap_[child];
    }
    heap_[at] = last;
  }

 private:
  // Compared without a branch, which nobody could predict.
  using Key = unsigned __int128;
  static Key KeyOf(const Event& event) noexcept { return Key{static_cast<uint64_t>(event.at_us)} << 64 | event.order; }
  static constexpr size_t kChildren = 4;

  std::vector<Event> heap_;
};

}  // namespace idgen::sim
