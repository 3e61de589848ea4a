// How a lease uses the local file, and when it writes it.
#include "lease/noted_source.h"

#include <algorithm>
#include <cstring>

#include "core/check.h"
#include "lease/static_source.h"

namespace idgen::lease {

using Kind = SourceRequest::Kind;

void NotedSource::SetRules(const NoteRules& rules) noexcept {
  if (rules.source != rules_.source) known_ = false;
  rules_ = rules;
}

bool NotedSource::Read(const core::Instant& now) noexcept {
  const io::FileView view = file_.Read(cluster_);
  error_ = view.error;
  if (view.state == io::FileState::kUnreadable) return false;
  known_ = true;
  claimed_ = false;
  noted_ms_ = noted_fence_ = 0;
  past_ = Past::kKnown;
  past_ms_ = former_ms_ = 0;
  lease_ = {};
  // A server that has never issued an id has no file.
  if (view.state == io::FileState::kMissing || view.state == io::FileState::kNew) return true;
  if (view.source == rules_.source && view.state != io::FileState::kDamaged) {
    // Also in a copy or on a promoted standby: the store has the ceiling of what was issued under the same lease.
    past_ms_ = view.past_ms;
    former_ms_ = view.ceiling_ms;
    // Of a copy, the lease is the original's.
    if (view.state == io::FileState::kOwn) {
      lease_ = {
          .fence = static_cast<int64_t>(view.lease.fence), .worker = view.lease.worker, .ceiling_ms = view.ceiling_ms};
      memcpy(lease_.token, view.lease.token, sizeof view.lease.token);
    }
  } else if (view.state == io::FileState::kOwn) {
    past_ms_ = view.ceiling_ms;
  } else {
    past_ = PastOf(view.state);
    past_ms_ = std::max(view.ceiling_ms, core::MsOf(now.wall_us) + rules_.uncertain_lead_ms);
  }
  return true;
}

void NotedSource::Submit(const SourceRequest& request, const core::Instant& now) noexcept {
  unread_ = {};
  if (request.kind == Kind::kClaim && !known_ && !Read(now)) {
    unread_ = request;
    return;
  }
  SourceRequest asking = request;
  if (request.kind == Kind::kClaim) asking.previous = lease_;
  source_.Submit(asking, now);
  if (request.kind == Kind::kRelease) NoteRelease(request.ceiling_ms);
}

bool NotedSource::Poll(const core::Instant& now, SourceAnswer* answer) noexcept {
  if (unread_.kind != Kind::kNone) {
    *answer = {.request = unread_, .error = error_};
    unread_ = {};
    return true;
  }
  if (!source_.Poll(now, answer)) return false;
  if (!answer->ok()) return true;
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
    ceiling.lease = {.worker = lease_.worker, .fence = static_cast<uint64_t>(lease_.fence)};
    memcpy(ceiling.lease.token, lease_.token, sizeof ceiling.lease.token);
  }
  return file_.Write(cluster_, ceiling);
}

}  // namespace idgen::lease
