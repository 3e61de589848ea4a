// How a lease uses the local file, and when it writes it.
#include "lease/noted_source.h"

#include <algorithm>
#include <cstring>

#include "core/check.h"
#include "lease/static_source.h"

namespace idgen::lease {

using Kind = SourceRequest::Kind;

void NotedSource::SetRules(const NoteRules& rules) noexcept {
  if (rules.source != rules_.source) {
    known_ = false;
    lease_ = {};
  }
  rules_ = rules;
}

NotedPast NotedSource::PastIfPromoted(const core::Instant& now) noexcept {
  // No promotion leads to timeline 0, so a record is seen as one from before the promotion.
  IDGEN_CHECK(cluster_.timeline == 0);
  return PastIn(file_.Read(cluster_), now);
}

NotedPast NotedSource::PastIn(const io::FileView& view, const core::Instant& now) const noexcept {
  NotedPast found{.error = view.error};
  // A server that has never issued an id has no file.
  if (view.state == io::FileState::kUnreadable || view.state == io::FileState::kMissing ||
      view.state == io::FileState::kNew)
    return found;
  if (view.source == rules_.source && view.state != io::FileState::kDamaged) {
    // Also in a copy or on a promoted standby: the store has the ceiling of what was issued under the same lease.
    found.past_ms = view.past_ms;
    found.former_ms = view.ceiling_ms;
  } else if (view.state == io::FileState::kOwn) {
    found.past_ms = view.ceiling_ms;
  } else {
    found.past = PastOf(view.state);
    found.past_ms = std::max(view.ceiling_ms, core::MsOf(now.wall_us) + rules_.uncertain_lead_ms);
  }
  return found;
}

bool NotedSource::Read(const core::Instant& now) noexcept {
  const io::FileView view = file_.Read(cluster_);
  error_ = view.error;
  if (view.state == io::FileState::kUnreadable) return false;
  const NotedPast found = PastIn(view, now);
  known_ = true;
  claimed_ = false;
  noted_ms_ = noted_fence_ = 0;
  past_ = found.past;
  past_ms_ = found.past_ms;
  former_ms_ = found.former_ms;
  lease_ = LeaseIn(view, /*in_recovery=*/false);
  return true;
}

// Without the ceiling that the store had: the file's may be that of a worker id from before, and a raise to it would
// put this one ahead of the clock for nothing, or take it from a later holder. Of a copy, the lease is the original's.
// During recovery the timeline is unknown, so a record of this very file is seen as one from before a promotion: its
// lease was this server's, and if another server has the worker id by now, the fence shows it.
FencedLease NotedSource::LeaseIn(const io::FileView& view, bool in_recovery) const noexcept {
  const bool is_own = view.state == io::FileState::kOwn || (in_recovery && view.state == io::FileState::kPromoted);
  if (!is_own || view.source != rules_.source) return {};
  FencedLease lease{.fence = static_cast<int64_t>(view.lease.fence),
                    .worker = view.lease.worker,
                    .ceiling_ms = view.ceiling_ms,
                    .cluster = view.lease.cluster,
                    .revision = static_cast<int64_t>(view.lease.revision)};
  memcpy(lease.token, view.lease.token, sizeof view.lease.token);
  return lease;
}

void NotedSource::Submit(const SourceRequest& request, const core::Instant& now) noexcept {
  own_ = {};
  if (request.kind == Kind::kClaim && !request.in_recovery && !known_ && !Read(now)) {
    own_ = {.request = request, .error = error_};
    return;
  }
  if (request.kind == Kind::kClaim && request.in_recovery && !lease_.known())
    lease_ = LeaseIn(file_.Read(cluster_), /*in_recovery=*/true);
  SourceRequest asking = request;
  if (request.kind == Kind::kClaim) asking.previous = lease_;
  source_.Submit(asking, now);
  if (request.kind == Kind::kSettle) Settle(request, now);
  if (request.kind == Kind::kRelease) NoteRelease(request.ceiling_ms);
}

bool NotedSource::Poll(const core::Instant& now, SourceAnswer* answer) noexcept {
  if (own_.request.kind != Kind::kNone) {
    *answer = own_;
    own_ = {};
    return true;
  }
  if (!source_.Poll(now, answer)) return false;
  if (!answer->ok()) return true;
  if (answer->request.in_recovery) {
    KeepLease(*answer);
    return true;
  }
  if (answer->request.kind == Kind::kClaim) {
    answer->floor_ms = std::max(answer->floor_ms, past_ms_);
    answer->past = past_;
    past_ = Past::kKnown;
    claimed_ = true;
    KeepLease(*answer);
  } else if (answer->request.kind == Kind::kRaise) {
    Note(*answer, now);
    if (error_ != 0) {
      answer->outcome = SourceOutcome::kFailed;
      answer->error = error_;
    }
    answer->granted_ms = std::min(answer->granted_ms, noted_ms_);
  }
  return true;
}

void NotedSource::KeepLease(const SourceAnswer& answer) noexcept {
  const int64_t former_ms = answer.lease.fence == lease_.fence ? lease_.ceiling_ms : 0;
  lease_ = answer.lease;
  lease_.ceiling_ms = std::max(lease_.ceiling_ms, former_ms);
}

void NotedSource::Settle(const SourceRequest& request, const core::Instant& now) noexcept {
  own_ = {.request = request, .granted_ms = request.ceiling_ms, .lease = lease_};
  if (Read(now)) {
    lease_ = own_.lease;
    own_.past = past_;
    own_.floor_ms = past_ms_;
    // Otherwise the ceiling cannot be used: another one will be granted and recorded.
    if (request.ceiling_ms > past_ms_) Note(own_, now);
  }
  own_.error = error_;
  if (error_ != 0) {
    known_ = false;
    return;
  }
  past_ = Past::kKnown;
  claimed_ = true;
  own_.outcome = SourceOutcome::kOk;
  own_.granted_ms = std::min(request.ceiling_ms, noted_ms_);
}

// After the store's reply, so that a slow disk does not delay renewals, and that only what the store granted is
// recorded: the id clock may be hours ahead of it.
void NotedSource::Note(const SourceAnswer& raised, const core::Instant& now) noexcept {
  if (!known_ && !Read(now)) return;
  KeepLease(raised);
  // A ceiling is below the floor only if the operator has given the floor up.
  if (claimed_ && raised.request.ceiling_ms < past_ms_) past_ms_ = 0;
  const bool is_same = lease_.fence == noted_fence_;
  if (raised.granted_ms <= noted_ms_ && is_same && file_.is_open()) return;
  const int64_t noted_ms = std::max(raised.granted_ms + rules_.margin_ms, is_same ? 0 : noted_ms_);
  error_ = -Write(noted_ms);
  if (error_ != 0) return;
  noted_ms_ = noted_ms;
  noted_fence_ = lease_.fence;
}

// Lowers the recorded ceiling, so that a static worker id, or one of another store, starts close to the clock.
void NotedSource::NoteRelease(int64_t ceiling_ms) noexcept {
  if (noted_ms_ == 0) return;
  Write(std::min(noted_ms_, ceiling_ms));
  known_ = false;
}

int NotedSource::Write(int64_t ceiling_ms) noexcept {
  IDGEN_CHECK(rules_.source != 0);
  io::Ceiling ceiling{.ceiling_ms = std::max(ceiling_ms, former_ms_), .source = rules_.source, .past_ms = past_ms_};
  if (lease_.known()) {
    ceiling.lease = {.worker = lease_.worker,
                     .fence = static_cast<uint64_t>(lease_.fence),
                     .cluster = lease_.cluster,
                     .revision = static_cast<uint64_t>(lease_.revision)};
    memcpy(ceiling.lease.token, lease_.token, sizeof ceiling.lease.token);
  }
  return file_.Write(cluster_, ceiling);
}

}  // namespace idgen::lease
