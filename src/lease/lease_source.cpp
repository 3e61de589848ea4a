// Requests to the store, and what follows from its replies.
#include "lease/lease_source.h"

#include <algorithm>
#include <cstring>

#include "core/check.h"

namespace idgen::lease {

using Kind = SourceRequest::Kind;

void LeaseSource::SetRules(const LeaseRules& rules) noexcept {
  if (rules_.source != 0 && rules.source != rules_.source) {
    memo_.revision = 0;
    memo_.cluster = view_.cluster = view_.other_cluster = 0;
  }
  rules_ = rules;
}

void LeaseSource::Resubmit(const core::Instant& now) noexcept {
  if (!asked_) return;
  asked_ = false;
  if (request_.kind == Kind::kRelease)
    nothing_to_release_ = true;  // the token is gone
  else
    Submit(request_, now);
}

void LeaseSource::Submit(const SourceRequest& request, const core::Instant& now) noexcept {
  request_ = request;
  asked_ = nothing_to_release_ = false;
  began_at_us_ = now.boot_us;
  StoreRequest asking;
  switch (request.kind) {
    case Kind::kNone: return;
    case Kind::kClaim:
      asking.kind = StoreRequest::Kind::kAcquire;
      // A claim without an answer may have been granted: the same token is sent again.
      if (memo_.token[0] == '\0' || memo_.worker_known) {
        char token[kTokenBytes + 1];
        make_token_(token);
        memo_.token[0] = '\0';
        memo_.worker_known = false;
        memo_.last_expiry_ms = 0;
        memo_.fence = 0;
        memcpy(memo_.token, token, sizeof token);
      }
      asking.previous = request.previous;
      if (memo_.cluster == 0) memo_.cluster = request.previous.cluster;
      asking.cluster = TrustedCluster(now.boot_us);
      // Revisions of two clusters do not compare.
      if (asking.cluster == memo_.cluster)
        asking.revision = std::max({memo_.revision, request.previous.fence, request.previous.revision});
      asking.wall_ms = core::MsOf(now.wall_us);
      for (const char* c = memo_.token; *c != '\0'; ++c) jitter_ = (jitter_ ^ static_cast<uint8_t>(*c)) * 0x100000001b3;
      break;
    case Kind::kRaise:
      IDGEN_CHECK(memo_.token[0] != '\0' && memo_.worker_known);
      asking.kind = StoreRequest::Kind::kRenew;
      asking.worker_known = true;
      asking.worker = memo_.worker;
      asking.ceiling_ms = request.ceiling_ms;
      asking.last_expiry_ms = memo_.last_expiry_ms;
      asking.floor_ms = memo_.floor_ms;
      asking.fence = memo_.fence;
      asking.revision = memo_.revision;
      asking.cluster = memo_.cluster;
      asking.stored_ms = memo_.stored_ms;
      asking.offered_ms = memo_.offered_ms;
      memo_.offered_ms = std::max(memo_.offered_ms, request.ceiling_ms);
      break;
    case Kind::kRelease: return BeginRelease(now.boot_us);
    case Kind::kSettle: return;  // only ends the wait for a reply: the local file settles it
  }
  memcpy(asking.token, memo_.token, sizeof asking.token);
  asked_ = true;
  store_.Begin(asking, now.boot_us);
}

void LeaseSource::BeginRelease(int64_t now_us) noexcept {
  StoreRequest asking;
  asking.kind = StoreRequest::Kind::kRelease;
  asking.worker_known = memo_.worker_known;
  asking.worker = memo_.worker;
  memcpy(asking.token, memo_.token, sizeof asking.token);
  // Cleared before the request is sent, so that no later process continues with it.
  memo_.token[0] = '\0';
  memo_.worker_known = false;
  asked_ = asking.token[0] != '\0';
  nothing_to_release_ = !asked_;
  if (asked_) store_.Begin(asking, now_us);
}

bool LeaseSource::Poll(const core::Instant& now, SourceAnswer* answer) noexcept {
  if (nothing_to_release_) {
    nothing_to_release_ = false;
    *answer = {.request = request_};
    return true;
  }
  if (!asked_) return false;
  StoreReply reply;
  if (!store_.Step(now.boot_us, &reply)) {
    if (request_.kind != Kind::kRelease || now.boot_us - began_at_us_ < rules_.release_within_us) return false;
    store_.Close();
    reply = StoreReply();
  }
  asked_ = false;
  Conclude(reply, now, answer);
  return true;
}

void LeaseSource::Conclude(const StoreReply& reply, const core::Instant& now, SourceAnswer* answer) noexcept {
  *answer = {.request = request_, .past = Past::kKnown, .source_now_ms = reply.store_now_ms};
  if (reply.outcome == StoreOutcome::kFailed) {
    NoteFailure(now);
    answer->retry_after_us = BackoffUs(view_.failures);
    return;
  }
  view_.failures = 0;
  view_.failing_since_ms = 0;
  view_.latency_us = now.boot_us - began_at_us_;
  view_.busy = StoreReply::Why::kNone;
  if (reply.store_now_ms > 0) view_.store_lags_us = now.wall_us - reply.store_now_ms * core::kUsPerMs;
  NoteCluster(reply, now);
  NoteRevision(reply);
  switch (reply.outcome) {
    case StoreOutcome::kBusy:
      view_.busy = reply.why;
      view_.busy_until_ms = reply.until_ms;
      answer->outcome = SourceOutcome::kBusy;
      answer->retry_after_us = BusyForUs(reply);
      return;
    case StoreOutcome::kLost:
      rivals_.Forget(&view_.rival);
      memo_.token[0] = '\0';
      memo_.worker_known = false;
      view_.lost = reply.why;
      view_.expiry_ms = 0;
      view_.fence = 0;
      answer->outcome = SourceOutcome::kLost;
      losses_ = now.boot_us - acquired_at_us_ < kSettledUs ? std::min(losses_ + 1, 100) : 1;
      answer->retry_after_us = BackoffUs(losses_);
      return;
    case StoreOutcome::kOk:
    case StoreOutcome::kInUse:
    case StoreOutcome::kFailed: break;
  }
  answer->outcome = SourceOutcome::kOk;
  if (request_.kind == Kind::kRelease) {
    rivals_.Forget(&view_.rival);
    view_.expiry_ms = 0;
    view_.fence = 0;
    return;
  }
  if (reply.memory != StoreMemory::kUnknown) view_.memory = reply.memory;
  view_.expiry_ms = reply.expiry_ms;
  memo_.last_expiry_ms = reply.expiry_ms;
  memo_.stored_ms = reply.stored_ms;
  memo_.offered_ms = 0;
  if (request_.kind == Kind::kClaim) {
    memo_.worker = reply.worker;
    memo_.floor_ms = reply.floor_ms;
    memo_.fence = reply.fence;
    memo_.worker_known = true;
    acquired_at_us_ = now.boot_us;
    rivals_.Forget(&view_.rival);
    answer->worker = reply.worker;
    answer->floor_ms = reply.floor_ms;
  } else {
    view_.renewed_at_ms = core::MsOf(now.wall_us);
    rivals_.Note(reply, memo_.worker, rules_.ttl_ms, now, &view_.rival);
    answer->granted_ms = std::min(reply.granted_ms, request_.ceiling_ms);
  }
  view_.fence = memo_.fence;
  answer->lease = {.fence = memo_.fence,
                   .worker = memo_.worker,
                   .ceiling_ms = std::max(answer->granted_ms, answer->floor_ms),
                   .granted_ms = reply.stored_ms,
                   .cluster = memo_.cluster,
                   .revision = memo_.revision};
  memcpy(answer->lease.token, memo_.token, sizeof answer->lease.token);
}

// What another cluster than the lease's has to say of the lease means nothing. It is trusted with new leases after one
// TTL: by then holders in the former cluster have reached their ceilings, if that cluster is gone.
void LeaseSource::NoteCluster(const StoreReply& reply, const core::Instant& now) noexcept {
  if (reply.cluster == 0) return;
  if (reply.why != StoreReply::Why::kOtherCluster) {
    if (reply.cluster != memo_.cluster) memo_.revision = 0;
    memo_.cluster = view_.cluster = reply.cluster;
    view_.other_cluster = 0;
    return;
  }
  view_.cluster = memo_.cluster;
  const uint64_t other = reply.cluster == memo_.cluster ? 0 : reply.cluster;
  if (other != view_.other_cluster) met_at_us_ = now.boot_us;
  view_.other_cluster = other;
  view_.other_until_ms = core::MsOf(now.wall_us - view_.store_lags_us + TrustsOtherAtUs() - now.boot_us);
}

uint64_t LeaseSource::TrustedCluster(int64_t now_us) const noexcept {
  return view_.other_cluster != 0 && now_us >= TrustsOtherAtUs() ? view_.other_cluster : memo_.cluster;
}

// A store that went back in time counts from where it is now: the lease is lost, and the next acquisition makes up for
// what the store forgot. Only a request that compared the revisions may lower it.
void LeaseSource::NoteRevision(const StoreReply& reply) noexcept {
  const bool compared = request_.kind == Kind::kClaim || reply.why == StoreReply::Why::kForgotten;
  if (compared && reply.revision != 0) memo_.revision = reply.revision;
  memo_.revision = std::max(memo_.revision, reply.revision);
}

void LeaseSource::NoteFailure(const core::Instant& now) noexcept {
  if (view_.failures++ == 0) view_.failing_since_ms = core::MsOf(now.wall_us);
  const char* problem = store_.problem();
  const size_t size = std::min(strlen(problem), sizeof view_.problem - 1);
  memcpy(view_.problem, problem, size);
  view_.problem[size] = '\0';
}

io::Wants LeaseSource::wants(int64_t now_us) const noexcept {
  if (nothing_to_release_) return {.wake_boot_us = now_us};
  if (!asked_) return {};
  io::Wants wants = store_.wants(now_us);
  if (request_.kind == Kind::kRelease)
    wants.wake_boot_us = std::min(wants.wake_boot_us, began_at_us_ + rules_.release_within_us);
  return wants;
}

// Between half of it and all of it, so that servers that failed together do not retry together.
int64_t LeaseSource::Jittered(int64_t us) noexcept {
  IDGEN_CHECK(us >= 0);
  jitter_ ^= jitter_ << 13;  // xorshift64, Marsaglia 2003
  jitter_ ^= jitter_ >> 7;
  jitter_ ^= jitter_ << 17;
  return us / 2 + static_cast<int64_t>(jitter_ % static_cast<uint64_t>(us / 2 + 1));
}

int64_t LeaseSource::BackoffUs(int times) noexcept {
  IDGEN_CHECK(times > 0);
  const int64_t max_us = std::min(kMaxBackoffUs, std::max(rules_.ttl_ms * core::kUsPerMs / 15, kFirstBackoffUs));
  const int doublings = std::min(times - 1, 10);
  return Jittered(std::min(kFirstBackoffUs << doublings, max_us));
}

// Until the time in the reply, but not so long that an early release of a worker id, or the declaration of the prefix
// as new, goes unnoticed.
int64_t LeaseSource::BusyForUs(const StoreReply& reply) noexcept {
  const int64_t until_us = (reply.until_ms - reply.store_now_ms) * core::kUsPerMs;
  const int64_t max_us = std::min(kBusyRetryUs, std::max(rules_.ttl_ms * core::kUsPerMs / 15, kFirstBackoffUs));
  if (until_us > 0 && until_us < max_us) return until_us + Jittered(kFirstBackoffUs);
  return Jittered(max_us);
}

}  // namespace idgen::lease
