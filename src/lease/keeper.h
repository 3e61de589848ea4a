// The keeper of a server's identity: what the background worker does, without its I/O. Time, wishes and answers come
// in; requests to the identity source, changes of the shared state and events to log come out. Its caller holds the
// lines lock during every call, and calls Advance again after at most `View::sleep_us`.
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/ceiling.h"
#include "core/id_clock.h"
#include "core/server_state.h"
#include "lease/identity_source.h"
#include "lease/start_rule.h"

namespace idgen::lease {

enum class Phase : uint8_t {
  kIdle,       // no local file, and nobody has asked for ids: perhaps a new server
  kClaiming,   // asking the source for the floor
  kWaiting,    // the floor is known, but must not be run from yet: `View::verdict` says why
  kRefused,    // likewise, and it won't pass by itself
  kSecuring,   // the first ceiling is being made durable
  kHolding,    // ids can be given
  kReplacing,  // the worker id is given up, because the settings point elsewhere
  kReleasing,
  kStopped,
};

struct Settings {
  int64_t max_ahead_ms = 1000;
  int64_t window_ms = 10000;
  int64_t max_clock_step_ms = 60000;
  uint64_t block_size = 256;
  int64_t renew_every_us = 0;  // of a lease, whose ceiling is raised so often; 0: when half the window is used up
};

// What the operator, the settings and the backends want; read at every turn.
struct Wishes {
  Settings settings;
  uint64_t source = 0;        // which source the settings point to; another number is another source
  bool leased = false;        // the source gives the worker id, and has a clock of its own
  bool has_worker = false;    // a worker id could be had from where the settings point
  uint32_t worker = 0;        // not of a lease
  bool asked_for = false;     // a backend has asked for an id
  bool forget_floor = false;  // the operator gives up a floor that is waited for
  bool stop = false;
};

// Where a keeper begins.
struct Origin {
  uint64_t source = 0;  // as in Wishes
  bool leased = false;
  bool of_identity = true;  // the identity that is published, if any, came from this source
};

struct Event {
  enum class Kind : uint8_t {
    kPublished,        // worker, floor_ms
    kWorkerChanged,    // worker (or none: has_worker is off)
    kPastUncertain,    // past, floor_ms
    kLost,             // worker: the source says that it is not this server's
    kReplaced,         // worker: given up, because the settings point elsewhere
    kHeldBack,         // verdict, floor_ms
    kFloorForgotten,   // floor_ms: the one given up
    kSourceFailed,     // error: the first of a row
    kSourceRecovered,  // error: the last of the row
    kClockBack,        // by_us
    kClockForward,     // by_us: taken at once
    kClockStepHeld,    // by_us: will be taken when it persists
    kClockStepTaken,
    kReleased,  // floor_ms: where the next start begins
  };
  Kind kind;
  Past past = Past::kKnown;
  Verdict verdict = Verdict::kRun;
  bool has_worker = false;
  uint32_t worker = 0;
  int error = 0;
  int64_t floor_ms = 0;
  int64_t by_us = 0;
};

struct View {
  Phase phase = Phase::kIdle;
  Verdict verdict = Verdict::kRun;
  Past past = Past::kMissing;
  int64_t floor_ms = 0;
  int64_t ceiling_ms = 0;          // durable
  int64_t forgotten_floor_ms = 0;  // the floor that the operator had given up, 0 where none was
  int64_t clock_ahead_us = 0;      // id clock less wall clock; negative while a forward step is waited out
  bool source_failed = false;      // the last request
  int source_error = 0;            // its errno, where it has one
  bool short_of_ceiling = false;   // the source grants no more than what the id clock, or the ids, have passed already
  uint64_t source = 0;             // whom the requests are for
  int64_t sleep_us = 0;
};

template <class Memory>
class Keeper {
 public:
  static constexpr int64_t kFollowEveryUs = 500 * core::kUsPerMs;
  static constexpr int64_t kIdleEveryUs = core::kUsPerSecond;
  static constexpr int64_t kRetryEveryUs = 200 * core::kUsPerMs;
  // A lease whose floor is refused is given back after so many renewal intervals, well before it runs out, and another
  // is claimed: the store's clock may have been set right.
  static constexpr int kRenewalsRefused = 5;

  // The state may be in use: a worker that exited left its identity published, and this one goes on with it, unless
  // `origin` says that it is not from the source of now: then it is withdrawn.
  Keeper(core::ServerState& server, const core::Instant& now, const Origin& origin = {}) noexcept
      : server_(server), leased_(origin.leased) {
    const auto clock = static_cast<core::ClockState>(Memory::Load(server.clock_state, core::Step::kReadClock));
    established_ = clock == core::ClockState::kEstablished;
    if (established_) clock_.Resume(core::ClockOffsetUs<Memory>(server), now);
    view_.source = origin.source;
    const core::Identity identity(Memory::Load(server.identity, core::Step::kLoadIdentity));
    if (identity && !origin.of_identity) {
      core::Withdraw<Memory>(server);
      core::Seal<Memory>(server);
    } else if (identity) {
      worker_ = identity.worker();
      has_worker_ = true;
      view_.past = Past::kKnown;
      view_.ceiling_ms = identity.ceiling_ms();
      view_.floor_ms = static_cast<int64_t>(Memory::Load(server.floor_ms, core::Step::kLoadFloor));
      view_.phase = Phase::kHolding;
    }
  }

  // One turn. The request it returns is for the source; its answer goes to Take before the next turn that wants one.
  SourceRequest Advance(const core::Instant& now, const Wishes& wishes) noexcept {
    settings_ = wishes.settings;
    Memory::Store(server_.max_ahead_ms, static_cast<uint64_t>(settings_.max_ahead_ms), core::Step::kPublish);
    Memory::Store(server_.block_size, settings_.block_size, core::Step::kPublish);
    TurnClock(now);
    view_.sleep_us = kRetryEveryUs;
    if (wishes.stop) return Stop(now);
    if (wishes.source != view_.source && view_.phase != Phase::kReplacing) return Replace(now, wishes);
    if (asking_) return {};
    if (now.boot_us < ask_at_boot_us_) {
      view_.sleep_us = std::min(view_.sleep_us, ask_at_boot_us_ - now.boot_us);
      return {};
    }
    switch (view_.phase) {
      case Phase::kIdle:
      case Phase::kClaiming:
        if (wishes.leased && !wishes.has_worker) return {};
        leased_ = wishes.leased;
        asked_for_ = wishes.asked_for;
        return Ask({.kind = SourceRequest::Kind::kClaim});
      case Phase::kWaiting:
      case Phase::kRefused: return Decide(now, wishes);
      case Phase::kSecuring: return Secure(now, wishes);
      case Phase::kHolding: return Hold(now, wishes);
      case Phase::kReplacing:
      case Phase::kReleasing:
      case Phase::kStopped: break;
    }
    return {};
  }

  void Take(const SourceAnswer& answer, const core::Instant& now) noexcept {
    asking_ = false;
    ask_at_boot_us_ = now.boot_us + answer.ask_again_us;
    if (answer.ask_again_us > 0) view_.sleep_us = std::min(kRetryEveryUs, answer.ask_again_us);
    switch (answer.request.kind) {
      case SourceRequest::Kind::kClaim:
        NoteOutcome(answer);
        TakeClaim(answer, now);
        break;
      case SourceRequest::Kind::kRaise:
        NoteOutcome(answer);
        TakeRaise(answer, now);
        break;
      case SourceRequest::Kind::kRelease: TakeRelease(answer); break;
      case SourceRequest::Kind::kNone: break;
    }
  }

  const View& view() const noexcept { return view_; }
  bool stopped() const noexcept { return view_.phase == Phase::kStopped; }

  // The events since the last call, oldest first.
  template <class Sink>
  void DrainEvents(Sink&& sink) noexcept {
    for (unsigned i = 0; i < event_count_; ++i) sink(events_[i]);
    event_count_ = 0;
  }

 private:
  core::CeilingRule ceiling_rule() const noexcept { return {settings_.max_ahead_ms, settings_.window_ms}; }
  StartRule start_rule() const noexcept {
    return {settings_.max_ahead_ms, settings_.window_ms, settings_.max_clock_step_ms};
  }
  int64_t IdClockMs(const core::Instant& now) const noexcept { return core::MsOf(clock_.NowUs(now)); }

  SourceRequest Ask(const SourceRequest& request) noexcept {
    asking_ = true;
    return request;
  }

  void TurnClock(const core::Instant& now) noexcept {
    if (!established_) {
      clock_.StartAtWall(now);
    } else {
      const int64_t behind_us = -clock_.AheadOfWallUs(now);
      const core::IdClock::Seen seen = clock_.Follow(now, {settings_.max_ahead_ms, settings_.max_clock_step_ms});
      if (seen.back_us > 0) Log({.kind = Event::Kind::kClockBack, .by_us = seen.back_us});
      if (seen.held)
        Log({.kind = Event::Kind::kClockStepHeld, .by_us = behind_us});
      else if (seen.taken)
        Log({.kind = Event::Kind::kClockStepTaken, .by_us = behind_us});
      else if (seen.forward_us > 0 && !clock_.holds_a_step())
        Log({.kind = Event::Kind::kClockForward, .by_us = seen.forward_us});
    }
    // No id is given while the source refuses the id clock's time, so that nothing is lost by setting it right at once:
    // slewed it could take years.
    if (established_ && view_.short_of_ceiling)
      clock_.LowerTo(core::SealedTimeMs<Memory>(server_, core::kMaxCeilingMs, IdClockMs(now)) * core::kUsPerMs, now);
    core::SetClock<Memory>(server_, clock_.offset_us(),
                           established_ ? core::ClockState::kEstablished : core::ClockState::kFollowsWall);
    view_.clock_ahead_us = clock_.AheadOfWallUs(now);
  }

  SourceRequest Stop(const core::Instant& now) noexcept {
    if (view_.phase == Phase::kStopped || view_.phase == Phase::kReleasing) return {};
    if (view_.phase == Phase::kReplacing) {  // what there was is being released already
      view_.phase = Phase::kReleasing;
      return {};
    }
    const SourceRequest release = GiveUp(now);
    view_.phase = release.kind == SourceRequest::Kind::kNone ? Phase::kStopped : Phase::kReleasing;
    return release;
  }

  // The settings point to another source: what the old one gave is given back first.
  SourceRequest Replace(const core::Instant& now, const Wishes& wishes) noexcept {
    next_source_ = wishes.source;
    if (view_.phase == Phase::kHolding && has_worker_)
      Log({.kind = Event::Kind::kReplaced, .has_worker = true, .worker = worker_});
    const SourceRequest release = GiveUp(now);
    if (release.kind == SourceRequest::Kind::kNone)
      BeginAnew();
    else
      view_.phase = Phase::kReplacing;
    view_.sleep_us = 0;
    return release;
  }

  void BeginAnew() noexcept {
    view_ = View{.phase = Phase::kClaiming, .clock_ahead_us = view_.clock_ahead_us, .source = next_source_};
    asking_ = false;
    leased_ = false;  // nothing was asked of the new source yet
    has_worker_ = false;
    ask_at_boot_us_ = 0;
  }

  // Withdraw, seal, and the release that is to follow; none where there is nothing to release.
  SourceRequest GiveUp(const core::Instant& now) noexcept {
    const bool held = view_.phase == Phase::kHolding;
    given_back_ = false;
    core::Withdraw<Memory>(server_);
    // A claim that was sent may have been granted, whatever came back.
    if (!held && !leased_) return {};
    return Release(now);
  }

  SourceRequest Release(const core::Instant& now) noexcept {
    core::Seal<Memory>(server_);
    // The last time reserved, or now where that is later, so that the next start does not take a server that nobody
    // asked for ids for one that was down. A clock that is ahead doesn't count.
    const int64_t now_ms = std::min(core::MsOf(now.wall_us), IdClockMs(now));
    // What other leases of this server have had may lie above the ceiling of this one.
    const int64_t most_ms = leased_ ? core::kMaxCeilingMs : view_.ceiling_ms;
    const int64_t sealed_ms = core::SealedTimeMs<Memory>(server_, most_ms, IdClockMs(now));
    return Ask({.kind = SourceRequest::Kind::kRelease, .ceiling_ms = std::min(std::max(sealed_ms, now_ms), most_ms)});
  }

  void TakeRelease(const SourceAnswer& answer) noexcept {
    if (given_back_) return;
    if (view_.phase == Phase::kReplacing) return BeginAnew();
    view_.phase = Phase::kStopped;
    if (answer.ok() && has_worker_)
      Log({.kind = Event::Kind::kReleased,
           .has_worker = true,
           .worker = worker_,
           .floor_ms = answer.request.ceiling_ms});
  }

  void TakeClaim(const SourceAnswer& answer, const core::Instant& now) noexcept {
    if (!answer.ok()) {
      view_.phase = Phase::kClaiming;
      return;
    }
    if (answer.past == Past::kMissing && !asked_for_) {
      view_.phase = Phase::kIdle;
      view_.sleep_us = kIdleEveryUs;
      return;
    }
    if (leased_) {
      has_worker_ = true;
      worker_ = answer.worker;
      source_ahead_us_ = answer.source_now_ms * core::kUsPerMs - now.boot_us;
    }
    view_.past = answer.past;
    view_.short_of_ceiling = false;
    view_.floor_ms = start_rule().FloorOf(answer.past, answer.floor_ms, core::MsOf(now.wall_us));
    // One that takes the place of a lease that was refused is judged like it, and said to be refused until then.
    if (view_.phase != Phase::kRefused) {
      view_.phase = Phase::kWaiting;
      view_.verdict = Verdict::kRun;
    }
    view_.sleep_us = 0;
    known_since_boot_us_ = now.boot_us;
    if (!leased_) wall_.Forget();  // a lease may run out and be claimed again while it is waited for
    if (answer.past != Past::kKnown && answer.past != Past::kNew)
      Log({.kind = Event::Kind::kPastUncertain, .past = answer.past, .floor_ms = view_.floor_ms});
  }

  // A store that leases has judged the floor by its own clock, which this server's may lag: nobody waits for that. What
  // is left to doubt is a wall clock that has leapt ahead of both, and a floor that lies beyond all reason.
  int64_t FloorToJudge(const core::Instant& now) const noexcept {
    if (!leased_) return view_.floor_ms;
    const int64_t source_now_ms = core::MsOf(now.boot_us + source_ahead_us_);
    return std::min(std::max(view_.floor_ms, source_now_ms), core::MsOf(now.wall_us));
  }

  Verdict JudgeFloor(const core::Instant& now) noexcept {
    if (leased_ && view_.floor_ms - core::MsOf(now.wall_us) > kRefuseLeadMs) return Verdict::kFloorFarAhead;
    return start_rule().Judge(view_.past, FloorToJudge(now), now.boot_us - known_since_boot_us_, now, wall_);
  }

  SourceRequest Decide(const core::Instant& now, const Wishes& wishes) noexcept {
    if (given_back_) {
      given_back_ = false;
      return Ask({.kind = SourceRequest::Kind::kClaim});
    }
    Verdict verdict = JudgeFloor(now);
    // In shared memory that lived on the id clock is already there, whatever the wall clock says.
    if (established_ && view_.floor_ms <= IdClockMs(now)) verdict = Verdict::kRun;
    if (verdict != Verdict::kRun && verdict != Verdict::kClockFarAhead && wishes.forget_floor) {
      Log({.kind = Event::Kind::kFloorForgotten, .floor_ms = view_.floor_ms});
      view_.forgotten_floor_ms = view_.floor_ms;
      view_.floor_ms = core::MsOf(now.wall_us);
      verdict = Verdict::kRun;
    }
    if (verdict != Verdict::kRun) {
      if (verdict != view_.verdict)
        Log({.kind = Event::Kind::kHeldBack, .verdict = verdict, .floor_ms = view_.floor_ms});
      view_.verdict = verdict;
      view_.phase = verdict == Verdict::kFloorFarAhead ? Phase::kRefused : Phase::kWaiting;
      if (!leased_ || view_.phase != Phase::kRefused) return {};
      if (now.boot_us - known_since_boot_us_ < kRenewalsRefused * settings_.renew_every_us) return {};
      given_back_ = true;
      return Release(now);
    }
    view_.verdict = Verdict::kRun;
    established_ = true;
    clock_.RaiseTo(view_.floor_ms * core::kUsPerMs, now);
    view_.clock_ahead_us = clock_.AheadOfWallUs(now);
    core::SetClock<Memory>(server_, clock_.offset_us(), core::ClockState::kEstablished);
    core::FoldFloor<Memory>(server_, view_.floor_ms);
    view_.ceiling_ms = view_.floor_ms;
    view_.phase = Phase::kSecuring;
    return Secure(now, wishes);
  }

  SourceRequest Secure(const core::Instant& now, const Wishes& wishes) noexcept {
    if (!leased_) {
      has_worker_ = wishes.has_worker;
      worker_ = wishes.worker;
    }
    return Raise(now);
  }

  SourceRequest Raise(const core::Instant& now) noexcept {
    raised_at_boot_us_ = now.boot_us;
    return Ask(
        {.kind = SourceRequest::Kind::kRaise, .ceiling_ms = ceiling_rule().Target(view_.ceiling_ms, IdClockMs(now))});
  }

  void TakeRaise(const SourceAnswer& answer, const core::Instant& now) noexcept {
    if (answer.outcome == SourceOutcome::kLost) return Lose();
    if (!answer.ok()) {
      // Due at once: the source says how soon it may be asked again.
      raised_at_boot_us_ = now.boot_us - settings_.renew_every_us;
      return;
    }
    view_.ceiling_ms = std::max(view_.ceiling_ms, answer.granted_ms);
    view_.short_of_ceiling = view_.ceiling_ms <= IdClockMs(now) ||
                             core::SealedTimeMs<Memory>(server_, view_.ceiling_ms, IdClockMs(now)) == view_.ceiling_ms;
    const bool first = view_.phase == Phase::kSecuring;
    view_.phase = Phase::kHolding;
    view_.sleep_us = std::min(kFollowEveryUs, UntilDueUs(now));
    PublishIdentity();
    if (first) announced_ = !has_worker_;
    if (announced_) return;
    if (!view_.short_of_ceiling)
      Log({.kind = Event::Kind::kPublished, .has_worker = true, .worker = worker_, .floor_ms = view_.floor_ms});
    else if (first)
      Log({.kind = Event::Kind::kHeldBack, .verdict = view_.verdict, .floor_ms = view_.floor_ms});
    announced_ = !view_.short_of_ceiling;
  }

  // What is gone from the store can't be trusted to be durable: from now on nothing is issued under it.
  void Lose() noexcept {
    core::Withdraw<Memory>(server_);
    core::Seal<Memory>(server_);
    Log({.kind = Event::Kind::kLost, .has_worker = true, .worker = worker_});
    has_worker_ = false;
    view_.phase = Phase::kClaiming;
    view_.sleep_us = 0;
  }

  // Until a lease is renewed; for ever where that is not done by time.
  int64_t UntilDueUs(const core::Instant& now) const noexcept {
    if (settings_.renew_every_us == 0) return kFollowEveryUs;
    return std::max<int64_t>(raised_at_boot_us_ + settings_.renew_every_us - now.boot_us, 0);
  }

  void PublishIdentity() noexcept {
    if (has_worker_) core::Publish<Memory>(server_, core::Identity::Of(worker_, view_.ceiling_ms));
  }

  SourceRequest Hold(const core::Instant& now, const Wishes& wishes) noexcept {
    if (!leased_ && (wishes.has_worker != has_worker_ || (has_worker_ && wishes.worker != worker_))) {
      // One ceiling stands for all numbers of this server, so the sealed lines are floor enough for the new one.
      core::Withdraw<Memory>(server_);
      core::Seal<Memory>(server_);
      has_worker_ = wishes.has_worker;
      worker_ = wishes.worker;
      PublishIdentity();
      Log({.kind = Event::Kind::kWorkerChanged, .has_worker = has_worker_, .worker = worker_});
    }
    const bool by_time = leased_ && settings_.renew_every_us > 0;
    const bool due = by_time ? UntilDueUs(now) == 0 : ceiling_rule().Due(view_.ceiling_ms, IdClockMs(now));
    if (!due) view_.sleep_us = std::min(kFollowEveryUs, UntilDueUs(now));
    return due ? Raise(now) : SourceRequest{};
  }

  void NoteOutcome(const SourceAnswer& answer) noexcept {
    const bool failed = answer.outcome == SourceOutcome::kFailed;
    if (failed && !view_.source_failed) Log({.kind = Event::Kind::kSourceFailed, .error = answer.error});
    if (!failed && view_.source_failed) Log({.kind = Event::Kind::kSourceRecovered, .error = view_.source_error});
    view_.source_failed = failed;
    view_.source_error = failed ? answer.error : 0;
  }

  void Log(const Event& event) noexcept {
    if (event_count_ < kMaxEvents) events_[event_count_++] = event;
  }

  static constexpr unsigned kMaxEvents = 16;  // more than one turn and its answer can log

  core::ServerState& server_;
  bool leased_;
  core::IdClock clock_;
  core::Persistence wall_;
  Settings settings_;
  View view_;
  bool established_ = false;  // the id clock was raised to a floor: from then on it is followed, not set
  bool asking_ = false;
  bool asked_for_ = false;
  bool has_worker_ = false;
  uint32_t worker_ = 0;
  bool given_back_ = false;  // a lease whose floor is refused: another is claimed next
  bool announced_ = true;    // the log has said that ids are issued, as far as they are
  uint64_t next_source_ = 0;
  int64_t ask_at_boot_us_ = 0;     // no request before then, but for a release
  int64_t raised_at_boot_us_ = 0;  // when a raise was last asked for
  int64_t source_ahead_us_ = 0;    // the source's clock less the boot-time clock
  int64_t known_since_boot_us_ = 0;
  Event events_[kMaxEvents] = {};
  unsigned event_count_ = 0;
};

}  // namespace idgen::lease
