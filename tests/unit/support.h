// What the unit tests share: layouts, a server with a line, and a memory policy that gives the turn to a test at every
// access of a shared word.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <utility>

#include "core/reservation.h"
#include "core/server_state.h"

namespace idgen {

inline constexpr int64_t kNowMs = 1767225600000;  // 2026-01-01 00:00 UTC

// Ticks of 10 ms, as Sonyflake has them, and of a second; `kTiny` runs out of everything soon.
inline constexpr core::Layout kTenMs = {.epoch_ms = 1409529600000,
                                        .unit_ms = 10,
                                        .time = {.shift = 24, .width = 39},
                                        .region = {},
                                        .app = {},
                                        .worker = {.shift = 8, .width = 16},
                                        .sequence = {.shift = 0, .width = 8}};
inline constexpr core::Layout kOneSecond = {.epoch_ms = 1735689600000,
                                            .unit_ms = 1000,
                                            .time = {.shift = 31, .width = 32},
                                            .region = {},
                                            .app = {},
                                            .worker = {.shift = 15, .width = 16},
                                            .sequence = {.shift = 0, .width = 15}};
inline constexpr core::Layout kTiny = {.epoch_ms = 0,
                                       .unit_ms = 1,
                                       .time = {.shift = 6, .width = 10},
                                       .region = {},
                                       .app = {},
                                       .worker = {.shift = 3, .width = 3},
                                       .sequence = {.shift = 0, .width = 3}};

// Calls a test's hook before every access. One thread at a time.
struct HookMemory {
  static inline std::function<void(core::Step)> hook;

  static void Yield(core::Step step) {
    if (hook) hook(step);
  }
  static uint64_t Load(const core::Word& word, core::Step step) {
    Yield(step);
    return word.load();
  }
  static void Store(core::Word& word, uint64_t value, core::Step step) {
    Yield(step);
    word.store(value);
  }
  static bool Swap(core::Word& word, uint64_t& expected, uint64_t desired, core::Step step) {
    Yield(step);
    return word.compare_exchange_strong(expected, desired);
  }
};

class Hook {
 public:
  explicit Hook(std::function<void(core::Step)> hook) { HookMemory::hook = std::move(hook); }
  Hook(const Hook&) = delete;
  Hook& operator=(const Hook&) = delete;
  ~Hook() { HookMemory::hook = nullptr; }
};

// A server's shared state with one line, and an id clock that the test sets.
struct Server {
  explicit Server(const core::Layout& layout = core::kDefaultLayout)
      : state(std::make_unique<core::ServerState>()), line(*core::FindOrMakeLine<core::PlainMemory>(*state, layout)) {
    state->max_ahead_ms = 1000;
    state->block_size = 256;
  }

  void Publish(uint32_t worker, int64_t ceiling_ms) {
    core::Publish<core::PlainMemory>(*state, core::Identity::Of(worker, ceiling_ms));
  }

  template <class Memory = core::PlainMemory>
  core::Reservation Reserve(uint64_t need = 1, uint64_t like = 1) {
    return core::Reserve<Memory>(
        *state, line, need, [like](int64_t) { return like; }, [this] { return now_ms * core::kUsPerMs; });
  }

  // Reserves until it is refused.
  void UseUp() {
    for (int tries = 0; tries < 100000 && Reserve(1, UINT64_MAX >> 1).outcome == core::ReservationOutcome::kOk;
         ++tries) {
    }
  }

  std::unique_ptr<core::ServerState> state;
  core::Line& line;
  int64_t now_ms = kNowMs;
};

}  // namespace idgen
