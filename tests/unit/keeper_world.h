// A server for the keeper's tests: clocks, wishes and an identity source that the test has in its hand.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include <gtest/gtest.h>

#include "lease/keeper.h"
#include "support.h"

namespace idgen::lease {

inline constexpr int64_t kMaxAheadMs = 1000;
inline constexpr int64_t kWindowMs = 10000;
inline constexpr int64_t kLeadMs = kMaxAheadMs + kWindowMs;  // of a fresh ceiling ahead of the id clock
inline constexpr int64_t kHourMs = 60 * core::kMsPerMinute;

// Remembers what it was asked; answers unless it is silent, with `error` if that is set.
class FakeSource final : public IdentitySource {
 public:
  void Submit(const SourceRequest& request, const core::Instant&) noexcept override {
    requests.push_back(request);
    waiting_ = true;
  }
  bool Poll(const core::Instant&, SourceAnswer* answer) noexcept override {
    if (!waiting_ || silent) return false;
    waiting_ = false;
    const SourceRequest& request = requests.back();
    *answer = {.request = request,
               .outcome = error == 0 ? SourceOutcome::kOk : SourceOutcome::kFailed,
               .error = error,
               .past = past,
               .floor_ms = ceiling_ms,
               .granted_ms = request.ceiling_ms};
    if (answer->ok() && request.kind != SourceRequest::Kind::kClaim) {
      past = Past::kKnown;
      ceiling_ms = request.ceiling_ms;
    }
    return true;
  }

  Past past = Past::kNew;
  int64_t ceiling_ms = 0;  // durable
  int error = 0;
  bool silent = false;
  std::vector<SourceRequest> requests;

 private:
  bool waiting_ = false;
};

// A server with its clocks, its source and a keeper that a test can end and start again.
class World : public Server {
 public:
  explicit World(Past past = Past::kNew, int64_t ceiling_ms = 0) {
    keeper.emplace(*state, Now());
    source.past = past;
    source.ceiling_ms = ceiling_ms;
    wishes.has_worker = true;
    wishes.worker = 5;
    wishes.asked_for = true;
    wishes.settings = {
        .max_ahead_ms = kMaxAheadMs, .window_ms = kWindowMs, .max_clock_step_ms = 60000, .block_size = 256};
  }

  core::Instant Now() const { return {.boot_us = boot_ms * core::kUsPerMs, .wall_us = wall_ms * core::kUsPerMs}; }
  void Pass(int64_t ms) {
    boot_ms += ms;
    wall_ms += ms;
  }

  void Turn() {
    const SourceRequest request = keeper->Advance(Now(), wishes);
    if (request.kind != SourceRequest::Kind::kNone) source.Submit(request, Now());
    TakeAnswers();
  }
  void TakeAnswers() {
    for (SourceAnswer answer; source.Poll(Now(), &answer);) keeper->Receive(answer, Now());
    keeper->DrainEvents([this](const Event& event) { events.push_back(event); });
    const core::Identity identity(state->identity);
    if (identity) {
      ASSERT_LE(identity.ceiling_ms(), source.ceiling_ms) << "published, but not durable";
    }
  }
  // As the worker's loop does.
  void Run(int64_t ms) {
    const int64_t end_ms = boot_ms + ms;
    for (int turns = 0; boot_ms < end_ms; ++turns) {
      ASSERT_LT(turns, 1000000) << "it does not sleep";
      Turn();
      Pass(std::min(keeper->view().sleep_us / core::kUsPerMs, end_ms - boot_ms));
    }
    Turn();
  }
  void Start() {
    for (int i = 0; i < 3; ++i) Turn();
  }
  // The worker's process ends and another begins; shared memory lives on.
  void RestartKeeper() { keeper.emplace(*state, Now()); }

  core::Identity Published() const { return core::Identity(state->identity); }
  int64_t IdClockMs() const {
    return core::MsOf(boot_ms * core::kUsPerMs + core::ClockOffsetUs<core::PlainMemory>(*state));
  }
  int64_t AheadMs() const { return IdClockMs() - wall_ms; }
  core::Reservation Reserve(uint64_t need = 1, uint64_t like = 1) {
    now_ms = IdClockMs();
    return Server::Reserve(need, like);
  }
  void UseUp() {
    now_ms = IdClockMs();
    Server::UseUp();
  }
  int64_t FirstIdMs() { return core::TimeOf(line.layout, Reserve().start); }

  int Count(Event::Kind kind) const {
    return static_cast<int>(std::count_if(events.begin(), events.end(), [kind](auto& e) { return e.kind == kind; }));
  }
  // Of that kind; an empty one if there was none.
  Event Last(Event::Kind kind) const {
    const auto last = std::find_if(events.rbegin(), events.rend(), [kind](auto& e) { return e.kind == kind; });
    return last == events.rend() ? Event{.kind = kind} : *last;
  }
  int Asked(SourceRequest::Kind kind) const {
    return static_cast<int>(std::count_if(source.requests.begin(), source.requests.end(),
                                          [kind](const SourceRequest& request) { return request.kind == kind; }));
  }

  int64_t boot_ms = 5000000;
  int64_t wall_ms = kNowMs;
  FakeSource source;
  Wishes wishes;
  std::optional<Keeper<HookMemory>> keeper;
  std::vector<Event> events;
};

}  // namespace idgen::lease
