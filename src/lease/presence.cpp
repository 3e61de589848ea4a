// When a server announces itself, and what follows from the reply.
#include "lease/presence.h"

#include <algorithm>
#include <cstring>

#include "core/check.h"

namespace idgen::lease {

void Presence::Turn(const core::Instant& now, uint32_t worker, int64_t ceiling_ms) noexcept {
  if (!present_ || worker != worker_) {
    Stop();
    present_ = true;
    worker_ = worker;
    due_at_us_ = now.boot_us;
  }
  StoreReply reply;
  if (asked_ && store_.Step(now.boot_us, &reply)) Receive(reply, now);
  if (!asked_ && now.boot_us >= due_at_us_) Begin(now, ceiling_ms);
}

void Presence::Stop() noexcept {
  if (asked_) store_.Close();
  present_ = asked_ = false;
  view_ = PresenceView();
}

void Presence::Begin(const core::Instant& now, int64_t ceiling_ms) noexcept {
  IDGEN_CHECK(present_ && !asked_);
  if (token_[0] == '\0') {
    char token[kTokenBytes + 1];
    make_token_(token);
    memcpy(token_, token, sizeof token);
  }
  StoreRequest request;
  request.kind = StoreRequest::Kind::kPresent;
  request.worker_known = true;
  request.worker = worker_;
  request.ceiling_ms = ceiling_ms;
  memcpy(request.token, token_, sizeof request.token);
  asked_ = true;
  due_at_us_ = now.boot_us + rules_.every_us;
  store_.Begin(request, now.boot_us);
}

void Presence::Receive(const StoreReply& reply, const core::Instant& now) noexcept {
  asked_ = false;
  if (reply.outcome != StoreOutcome::kOk) {
    ++view_.failures;
    const char* problem = store_.problem();
    const size_t size = std::min(strlen(problem), sizeof view_.problem - 1);
    memcpy(view_.problem, problem, size);
    view_.problem[size] = '\0';
    return;
  }
  view_.failures = 0;
  const bool first = !view_.answered;
  view_.answered = true;
  // A static claim in the first reply may be this server's own from before a restart, or that of a server that has
  // passed the worker id on. A claim that replaces ours later comes from a running server.
  if (first && reply.rival == StoreReply::Rival::kStatic) return;
  rivals_.Note(reply, worker_, rules_.ttl_ms, now, &view_.rival);
}

io::Wants Presence::wants(int64_t now_us) const noexcept {
  if (!present_) return {};
  if (!asked_) return {.wake_boot_us = due_at_us_};
  return store_.wants(now_us);
}

}  // namespace idgen::lease
