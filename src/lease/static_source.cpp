// The static source's requests, carried out on the local file at once.
#include "lease/static_source.h"

namespace idgen::lease {

Past PastOf(io::FileState state) noexcept {
  switch (state) {
    case io::FileState::kOwn: return Past::kKnown;
    case io::FileState::kNew: return Past::kNew;
    case io::FileState::kMissing: return Past::kMissing;
    case io::FileState::kCopy: return Past::kCopied;
    case io::FileState::kOtherSystem: return Past::kOtherSystem;
    case io::FileState::kPromoted: return Past::kPromoted;
    case io::FileState::kRestored: return Past::kRestored;
    case io::FileState::kDamaged:
    case io::FileState::kUnreadable: break;
  }
  return Past::kDamaged;
}

void StaticSource::Submit(const SourceRequest& request, const core::Instant&) noexcept {
  answer_ = {.request = request};
  if (request.kind == SourceRequest::Kind::kClaim) {
    const io::FileView view = file_.Read(cluster_);
    if (view.state != io::FileState::kUnreadable) answer_.outcome = SourceOutcome::kOk;
    answer_.error = view.error;
    answer_.past = PastOf(view.state);
    answer_.floor_ms = view.ceiling_ms;
  } else {
    const int result = file_.Write(cluster_, request.ceiling_ms);
    if (result == 0) answer_.outcome = SourceOutcome::kOk;
    answer_.granted_ms = request.ceiling_ms;
    answer_.error = -result;
  }
  answered_ = true;
}

bool StaticSource::Poll(const core::Instant&, SourceAnswer* answer) noexcept {
  if (!answered_) return false;
  *answer = answer_;
  answered_ = false;
  return true;
}

}  // namespace idgen::lease
