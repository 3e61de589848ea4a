// The keeper of a server's identity: what the background worker does, without its I/O. Its inputs are time, wishes and
// answers; its outputs are requests to the identity source, changes of the shared state and events to log. The caller
// holds the server lock during every call, and calls Advance again after at most `View::sleep_us`.
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/ceiling.h"
#include "core/check.h"
#include "core/id_clock.h"
#include "core/server_state.h"
#include "lease/identity_source.h"
#include "lease/start_rule.h"

namespace idgen::lease {

enum class Phase : uint8_t {
  kIdle,       // no local file, and no backend has asked for ids: perhaps a new server
  kClaiming,   // asking the source for the floor
  kWaiting,    // the floor is known, but ids must not be issued from it yet: `View::verdict` says why
  kRefused,    // the same, and waiting does not help
  kSecuring,   // the first ceiling is being made durable
  kHolding,    // ids can be issued
  kReplacing,  // the worker id is being released, because the settings name another source
  kReleasing,
  kStopped,
};

struct IdSettings {
  int64_t max_ahead_ms = 1000;
  int64_t window_ms = 10000;
  int64_t max_clock_step_ms = 60000;
  uint64_t block_size = 256;
  int64_t renew_every_us = 0;  // interval between raises of a lease's ceiling; 0: raise when half the window is used up
};

// What the operator, the settings and the backends want; read at every turn.
struct Wishes {
  IdSettings settings;
  uint64_t source = 0;        // number of the source that the settings name
  bool leased = false;        // the source assigns the worker id, and has a clock of its own
  bool has_worker = false;    // the settings give a worker id, or a store to lease one from
  uint32_t worker = 0;        // not for a lease
  bool asked_for = false;     // a backend has asked for an id
  bool in_recovery = false;   // a standby: a lease is claimed and renewed, and published after the promotion
  bool forget_floor = false;  // the operator gives up the floor that the server waits for
  bool stop = false;
};

// The initial state of a keeper.
struct Origin {
  uint64_t source = 0;  // as in Wishes
  bool leased = false;
  bool of_identity = true;  // the published identity, if any, came from this source
};

struct Event {
  enum class Kind : uint8_t {
    kPublished,        // worker, floor_ms
    kWithheld,         // worker: held in advance by a standby
    kWorkerChanged,    // worker (or none: has_worker is off)
    kPastUncertain,    // past, floor_ms
    kLost,             // worker: the source says that it is not this server's
    kReplaced,         // worker: given up, because the settings name another source
    kHeldBack,         // verdict, floor_ms
    kFloorForgotten,   // floor_ms: the one given up
    kSourceFailed,     // error: of the first of consecutive failures
    kSourceRecovered,  // error: of the last failure
    kClockBack,        // by_us
    kClockForward,     // by_us: followed at once
    kClockStepHeld,    // by_us: will be followed if it persists
    kClockStepTaken,
    kReleased,  // floor_ms: of the next start
  };
  Kind kind;
  Past past = Past::kKnown;
  Verdict verdict = Verdict::kRun;
  bool has_worker = false;
  bool withheld = false;  // of kLost and kReleased: by a standby, which issued no ids under it
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
  int64_t forgotten_floor_ms = 0;  // the floor that the operator has given up, or 0
  int64_t clock_ahead_us = 0;      // id clock less wall clock; negative while a step forward is held
  bool source_failed = false;      // the last request failed
  int source_error = 0;            // its errno, or 0
  bool short_of_ceiling = false;   // the granted ceiling is not above the id clock, or the ids issued so far
  bool withheld = false;           // an identity is held, but not published: the server is in recovery
  uint64_t source = 0;             // the source that requests are for
  int64_t sleep_us = 0;
};

template <class Memory>
class Keeper {
 public:
  static constexpr int64_t kFollowEveryUs = 500 * core::kUsPerMs;
  static constexpr int64_t kIdleEveryUs = core::kUsPerSecond;
  static constexpr int64_t kRetryEveryUs = 200 * core::kUsPerMs;
  // A lease whose floor is refused is released after this many renewal intervals, well before it expires, and another
  // is claimed: the store's clock may have been corrected.
  static constexpr int kRenewalsRefused = 5;

  // The state may be in use: a worker process that exited leaves its identity published, or withheld on a standby. This
  // keeper continues with it, or withdraws it if `origin` says that it came from another source.
  Keeper(core::ServerState& server, const core::Instant& now, const Origin& origin = {}) noexcept
      : server_(server), leased_(origin.leased) {
    const auto clock = static_cast<core::ClockState>(Memory::Load(server.clock_state, core::Step::kReadClock));
    established_ = clock == core::ClockState::kEstablished;
    if (established_) clock_.Resume(core::ClockOffsetUs<Memory>(server), now);
    view_.source = origin.source;
    const core::Identity published(Memory::Load(server.identity, core::Step::kLoadIdentity));
    const core::Identity withheld(Memory::Load(server.withheld, core::Step::kLoadIdentity));
    const core::Identity identity = published ? published : withheld;
    view_.withheld = static_cast<bool>(withheld);
    if (published || !origin.of_identity) DropWithheld();
    if (identity && !origin.of_identity) {
      core::Withdraw<Memory>(server);
      core::Seal<Memory>(server);
    } else if (identity) {
      IDGEN_CHECK(established_);
      unsettled_ = !published;
      worker_ = identity.worker();
      has_worker_ = true;
      view_.past = Past::kKnown;
      view_.ceiling_ms = identity.ceiling_ms();
      view_.floor_ms = static_cast<int64_t>(Memory::Load(server.floor_ms, core::Step::kLoadFloor));
      view_.phase = Phase::kHolding;
    }
  }

  // One turn. The caller submits the request that it returns to the source, and passes the answer to Receive.
  SourceRequest Advance(const core::Instant& now, const Wishes& wishes) noexcept {
    settings_ = wishes.settings;
    Memory::Store(server_.max_ahead_ms, static_cast<uint64_t>(settings_.max_ahead_ms), core::Step::kPublish);
    Memory::Store(server_.block_size, settings_.block_size, core::Step::kPublish);
    TurnClock(now);
    view_.sleep_us = kRetryEveryUs;
    if (wishes.stop) return Stop(now);
    if (wishes.source != view_.source && view_.phase != Phase::kReplacing) return Replace(now, wishes);
    if (unsettled_ && !wishes.in_recovery && MaySettle(now)) return Settle(now);
    if (asking_) return {};
    if (now.boot_us < retry_at_boot_us_) {
      view_.sleep_us = std::min(view_.sleep_us, retry_at_boot_us_ - now.boot_us);
      return {};
    }
    switch (view_.phase) {
      case Phase::kIdle:
      case Phase::kClaiming:
        if (wishes.leased && !wishes.has_worker) return {};
        leased_ = wishes.leased;
        asked_for_ = wishes.asked_for;
        return Claim(wishes);
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

  void Receive(const SourceAnswer& answer, const core::Instant& now) noexcept {
    IDGEN_CHECK(asking_);
    asking_ = false;
    retry_at_boot_us_ = now.boot_us + answer.retry_after_us;
    if (answer.retry_after_us > 0) view_.sleep_us = std::min(kRetryEveryUs, answer.retry_after_us);
    switch (answer.request.kind) {
      case SourceRequest::Kind::kClaim:
        NoteOutcome(answer);
        ReceiveClaim(answer, now);
        break;
      case SourceRequest::Kind::kRaise:
        NoteOutcome(answer);
        ReceiveRaise(answer, now);
        break;
      case SourceRequest::Kind::kRelease: ReceiveRelease(answer); break;
      case SourceRequest::Kind::kSettle:
        NoteOutcome(answer);
        ReceiveSettle(answer, now);
        break;
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

  SourceRequest Claim(const Wishes& wishes) noexcept {
    unsettled_ = wishes.in_recovery;
    return Ask({.kind = SourceRequest::Kind::kClaim, .in_recovery = unsettled_});
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
    // While the granted ceiling is not above the id clock no ids are issued, so the clock can be lowered at once:
    // slewing it could take years.
    if (established_ && view_.short_of_ceiling)
      clock_.LowerTo(core::SealedTimeMs<Memory>(server_, core::kMaxCeilingMs, IdClockMs(now)) * core::kUsPerMs, now);
    core::SetClock<Memory>(server_, clock_.offset_us(),
                           established_ ? core::ClockState::kEstablished : core::ClockState::kFollowsWall);
    view_.clock_ahead_us = clock_.AheadOfWallUs(now);
  }

  SourceRequest Stop(const core::Instant& now) noexcept {
    if (view_.phase == Phase::kStopped || view_.phase == Phase::kReleasing) return {};
    if (view_.phase == Phase::kReplacing) {  // the release is under way already
      view_.phase = Phase::kReleasing;
      return {};
    }
    const SourceRequest release = GiveUp(now);
    view_.phase = release.kind == SourceRequest::Kind::kNone ? Phase::kStopped : Phase::kReleasing;
    return release;
  }

  // The settings name another source: what the old one granted is released first.
  SourceRequest Replace(const core::Instant& now, const Wishes& wishes) noexcept {
    next_source_ = wishes.source;
    if (view_.phase == Phase::kHolding && has_worker_)
      Log({.kind = Event::Kind::kReplaced, .has_worker = true, .worker = worker_});
    const SourceRequest release = GiveUp(now);
    if (release.kind == SourceRequest::Kind::kNone)
      StartOver();
    else
      view_.phase = Phase::kReplacing;
    view_.sleep_us = 0;
    return release;
  }

  void StartOver() noexcept {
    view_ = View{.phase = Phase::kClaiming, .clock_ahead_us = view_.clock_ahead_us, .source = next_source_};
    asking_ = false;
    unsettled_ = false;
    leased_ = false;  // nothing has been requested from the new source yet
    has_worker_ = false;
    retry_at_boot_us_ = 0;
  }

  // Withdraws and seals. Returns the request to release, if there is anything to release.
  SourceRequest GiveUp(const core::Instant& now) noexcept {
    const bool held = view_.phase == Phase::kHolding;
    given_back_ = false;
    core::Withdraw<Memory>(server_);
    DropWithheld();
    // A claim that was sent may have been granted, whatever the answer.
    if (!held && !leased_) return {};
    return Release(now);
  }

  SourceRequest Release(const core::Instant& now) noexcept {
    core::Seal<Memory>(server_);
    // The last time reserved, or the current time if that is later: otherwise the next start would take a server
    // without requests for ids for one that was down. A wall clock that is ahead of the id clock does not count.
    const int64_t now_ms = std::min(core::MsOf(now.wall_us), IdClockMs(now));
    // Earlier leases of this server may have had higher ceilings than this one.
    const int64_t max_ms = leased_ ? core::kMaxCeilingMs : view_.ceiling_ms;
    const int64_t sealed_ms = core::SealedTimeMs<Memory>(server_, max_ms, IdClockMs(now));
    return Ask({.kind = SourceRequest::Kind::kRelease, .ceiling_ms = std::min(std::max(sealed_ms, now_ms), max_ms)});
  }

  void ReceiveRelease(const SourceAnswer& answer) noexcept {
    if (given_back_) return;
    IDGEN_CHECK(view_.phase == Phase::kReplacing || view_.phase == Phase::kReleasing);
    if (view_.phase == Phase::kReplacing) return StartOver();
    view_.phase = Phase::kStopped;
    if (answer.ok() && has_worker_)
      Log({.kind = Event::Kind::kReleased,
           .has_worker = true,
           .withheld = unsettled_,
           .worker = worker_,
           .floor_ms = answer.request.ceiling_ms});
  }

  void ReceiveClaim(const SourceAnswer& answer, const core::Instant& now) noexcept {
    IDGEN_CHECK(server_.identity.load() == 0);
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
    // A lease that replaces a refused one is reported as refused, too, until its floor has been checked.
    if (view_.phase != Phase::kRefused) {
      view_.phase = Phase::kWaiting;
      view_.verdict = Verdict::kRun;
    }
    view_.sleep_us = 0;
    known_since_boot_us_ = now.boot_us;
    if (!leased_) wall_.Forget();  // a lease may expire and be claimed again during the wait
    if (answer.past != Past::kKnown && answer.past != Past::kNew)
      Log({.kind = Event::Kind::kPastUncertain, .past = answer.past, .floor_ms = view_.floor_ms});
  }

  // The store has checked a lease's floor against its own clock, and this server does not wait because its wall clock
  // lags that. It does if its wall clock has leapt ahead of both, or if the floor is implausibly far ahead.
  int64_t FloorToCheck(const core::Instant& now) const noexcept {
    if (!leased_) return view_.floor_ms;
    const int64_t source_now_ms = core::MsOf(now.boot_us + source_ahead_us_);
    return std::min(std::max(view_.floor_ms, source_now_ms), core::MsOf(now.wall_us));
  }

  Verdict CheckFloor(const core::Instant& now) noexcept {
    if (leased_ && view_.floor_ms - core::MsOf(now.wall_us) > kRefuseLeadMs) return Verdict::kFloorFarAhead;
    return start_rule().Check(view_.past, FloorToCheck(now), now.boot_us - known_since_boot_us_, now, wall_);
  }

  SourceRequest Decide(const core::Instant& now, const Wishes& wishes) noexcept {
    if (given_back_) {
      given_back_ = false;
      return Claim(wishes);
    }
    Verdict verdict = CheckFloor(now);
    // If shared memory has survived, the id clock may have reached the floor already, whatever the wall clock says.
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
    IDGEN_CHECK(server_.identity.load() == 0);
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
    return Ask({.kind = SourceRequest::Kind::kRaise,
                .ceiling_ms = ceiling_rule().Target(view_.ceiling_ms, IdClockMs(now)),
                .in_recovery = unsettled_});
  }

  void ReceiveRaise(const SourceAnswer& answer, const core::Instant& now) noexcept {
    IDGEN_CHECK(view_.phase == Phase::kSecuring || view_.phase == Phase::kHolding);
    if (answer.outcome == SourceOutcome::kLost) return Lose();
    if (!answer.ok()) {
      // Due at once; the source says when to retry.
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
      Log({.kind = unsettled_ ? Event::Kind::kWithheld : Event::Kind::kPublished,
           .has_worker = true,
           .worker = worker_,
           .floor_ms = view_.floor_ms});
    else if (first)
      Log({.kind = Event::Kind::kHeldBack, .verdict = view_.verdict, .floor_ms = view_.floor_ms});
    announced_ = !view_.short_of_ceiling;
  }

  // A ceiling whose record the store no longer has may not be durable: no more ids are issued under it.
  void Lose() noexcept {
    core::Withdraw<Memory>(server_);
    core::Seal<Memory>(server_);
    DropWithheld();
    Log({.kind = Event::Kind::kLost, .has_worker = true, .withheld = unsettled_, .worker = worker_});
    has_worker_ = false;
    view_.phase = Phase::kClaiming;
    view_.sleep_us = 0;
  }

  // Until the lease is due for renewal; kFollowEveryUs if renewal does not depend on time.
  int64_t UntilDueUs(const core::Instant& now) const noexcept {
    if (settings_.renew_every_us == 0) return kFollowEveryUs;
    return std::max<int64_t>(raised_at_boot_us_ + settings_.renew_every_us - now.boot_us, 0);
  }

  void PublishIdentity() noexcept {
    IDGEN_CHECK(view_.phase == Phase::kHolding && established_);
    if (!has_worker_) return;
    const core::Identity identity = core::Identity::Of(worker_, view_.ceiling_ms);
    if (unsettled_) return Withhold(identity);
    core::Publish<Memory>(server_, identity);
  }

  // Stays in shared memory for the next worker process and for the status; no backend reserves under it.
  void Withhold(core::Identity identity) noexcept {
    Memory::Store(server_.withheld, identity.word(), core::Step::kPublish);
    view_.withheld = true;
  }

  void DropWithheld() noexcept {
    if (view_.withheld) Memory::Store(server_.withheld, 0, core::Step::kWithdraw);
    view_.withheld = false;
  }

  // After a promotion, as soon as the worker id is known; not while it is being released.
  bool MaySettle(const core::Instant& now) const noexcept {
    const bool is_known = view_.phase == Phase::kWaiting || view_.phase == Phase::kRefused ||
                          view_.phase == Phase::kSecuring || view_.phase == Phase::kHolding;
    return is_known && !given_back_ && now.boot_us >= settle_at_boot_us_;
  }

  // Replaces a renewal that is under way, since the store may not reply. Another one follows.
  SourceRequest Settle(const core::Instant& now) noexcept {
    raised_at_boot_us_ = now.boot_us - settings_.renew_every_us;
    return Ask({.kind = SourceRequest::Kind::kSettle, .ceiling_ms = view_.withheld ? view_.ceiling_ms : 0});
  }

  // The ceiling granted before the promotion is used at once, unless ids above the id clock may have been issued here.
  void ReceiveSettle(const SourceAnswer& answer, const core::Instant& now) noexcept {
    IDGEN_CHECK(unsettled_ && server_.identity.load() == 0);
    if (!answer.ok()) {
      settle_at_boot_us_ = now.boot_us + kRetryEveryUs;
      return;
    }
    unsettled_ = false;
    view_.sleep_us = 0;
    view_.past = answer.past;
    const int64_t past_ms = start_rule().FloorOf(answer.past, answer.floor_ms, core::MsOf(now.wall_us));
    if (answer.past != Past::kKnown && answer.past != Past::kNew)
      Log({.kind = Event::Kind::kPastUncertain, .past = answer.past, .floor_ms = past_ms});
    if (past_ms > view_.floor_ms) RaiseFloor(past_ms, now);
    if (view_.phase == Phase::kHolding) {
      view_.ceiling_ms = std::min(view_.ceiling_ms, answer.granted_ms);
      PublishIdentity();
      announced_ = !view_.short_of_ceiling && view_.ceiling_ms > IdClockMs(now);
      if (announced_)
        Log({.kind = Event::Kind::kPublished, .has_worker = true, .worker = worker_, .floor_ms = view_.floor_ms});
    }
    DropWithheld();
  }

  // Of an identity that is not published yet.
  void RaiseFloor(int64_t floor_ms, const core::Instant& now) noexcept {
    view_.floor_ms = floor_ms;
    if (view_.phase != Phase::kSecuring && view_.phase != Phase::kHolding) return;
    if (floor_ms <= IdClockMs(now)) return core::FoldFloor<Memory>(server_, floor_ms);
    view_.phase = Phase::kWaiting;  // as after a claim
    view_.verdict = Verdict::kRun;
    known_since_boot_us_ = now.boot_us;
  }

  SourceRequest Hold(const core::Instant& now, const Wishes& wishes) noexcept {
    if (!leased_ && (wishes.has_worker != has_worker_ || (has_worker_ && wishes.worker != worker_))) {
      // The ceiling is common to all worker ids of this server, so sealing the lines suffices as floor for the new one.
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
    IDGEN_CHECK(event_count_ < kMaxEvents);
    if (event_count_ < kMaxEvents) events_[event_count_++] = event;
  }

  static constexpr unsigned kMaxEvents = 16;  // more than one turn and one answer can log

  core::ServerState& server_;
  bool leased_;
  core::IdClock clock_;
  core::Persistence wall_;
  IdSettings settings_;
  View view_;
  bool established_ = false;  // the id clock was raised to a floor: from then on it is followed, not set
  bool asking_ = false;
  bool unsettled_ = false;  // the identity was claimed in recovery: it is withheld until the source has settled it
  bool asked_for_ = false;
  bool has_worker_ = false;
  uint32_t worker_ = 0;
  bool given_back_ = false;  // a lease whose floor is refused was released: another is claimed next
  bool announced_ = true;    // kPublished has been logged for the current identity, or there is nothing to log
  uint64_t next_source_ = 0;
  int64_t retry_at_boot_us_ = 0;   // no request before then, except a release or settle
  int64_t settle_at_boot_us_ = 0;  // no settle before then
  int64_t raised_at_boot_us_ = 0;  // when a raise was last requested
  int64_t source_ahead_us_ = 0;    // the source's clock less the boot-time clock
  int64_t known_since_boot_us_ = 0;
  Event events_[kMaxEvents] = {};
  unsigned event_count_ = 0;
};

}  // namespace idgen::lease
