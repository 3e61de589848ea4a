// How core reaches a word of shared memory. Everything that shares words is a template over this policy: production
// uses PlainMemory, which is the atomic instruction and nothing else; a test puts in a policy that hands the turn to
// another thread of execution at every access, and so explores the interleavings of the code that ships.
#pragma once

#include <atomic>
#include <cstdint>

namespace idgen::core {

using Word = std::atomic<uint64_t>;
static_assert(Word::is_always_lock_free && sizeof(Word) == 8, "shared memory holds bare 64-bit words");

// Which step of the protocol an access is: the yield points of a test.
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

// Sequentially consistent throughout: the order "next, then identity, then clock" of a reservation against "withdraw,
// then seal" of the worker is what the proof rests on. (On x86 only the rare stores cost more for it.)
struct PlainMemory {
  static uint64_t Load(const Word& word, Step) noexcept { return word.load(); }
  static void Store(Word& word, uint64_t value, Step) noexcept { word.store(value); }
  static bool Swap(Word& word, uint64_t& expected, uint64_t desired, Step) noexcept {
    return word.compare_exchange_strong(expected, desired);
  }
};

}  // namespace idgen::core
