// Access to words of shared memory. All code that shares words is a template over this policy: production uses
// PlainMemory, which is the atomic instruction and nothing else; a test uses a policy that switches to another thread
// of execution at every access, and so explores the interleavings of the code that ships.
#pragma once

#include <atomic>
#include <cstdint>

namespace idgen::core {

using Word = std::atomic<uint64_t>;
static_assert(Word::is_always_lock_free && sizeof(Word) == 8, "shared memory holds bare 64-bit words");

// The step of the protocol that an access belongs to: a test's yield points.
enum class Step : uint8_t {
  kLoadNext,
  kLoadIdentity,
  kReadClock,
  kSwapNext,
  kSeal,
  kFold,
  kSetFloor,
  kLoadFloor,
  kWithdraw,
  kPublish,
  kSetClock,
  kLoadCursor,
  kLoadTenure,
  kLoadSegment,
  kLoadReady,
  kSwapCursor,
  kSetSegment,
  kSetReady,
  kSetTenure,
};

// Sequentially consistent throughout: the proof depends on the order "next, then identity, then clock" in a reservation
// and "withdraw, then seal" in the worker. (On x86 only stores cost more, and they are rare.)
struct PlainMemory {
  static uint64_t Load(const Word& word, Step) noexcept { return word.load(); }
  static void Store(Word& word, uint64_t value, Step) noexcept { word.store(value); }
  static bool Swap(Word& word, uint64_t& expected, uint64_t desired, Step) noexcept {
    return word.compare_exchange_strong(expected, desired);
  }
};

}  // namespace idgen::core
