// Where a server's identity comes from, as one interface: a request out, an answer back, whenever it comes. The static
// source answers at once, a lease when the store's reply has arrived.
#pragma once

#include <cstdint>

#include "core/time.h"

namespace idgen::lease {

struct SourceRequest {
  enum class Kind : uint8_t {
    kNone,
    kClaim,    // find out the floor; of a lease: get a worker id
    kRaise,    // make `ceiling_ms` durable; of a lease: renew it
    kRelease,  // nothing at or above `ceiling_ms`, which may be lower, was or will be used; give up the worker id
  };
  Kind kind = Kind::kNone;
  int64_t ceiling_ms = 0;
};

// What the answer to a claim knows of the worker id's past.
enum class Past : uint8_t {
  kKnown,    // `floor_ms` is the durable ceiling
  kNew,      // no id was ever issued here
  kMissing,  // no trace of it: new, or lost
  kDamaged,
  kCopied,
  kOtherSystem,
  kPromoted,
  kRestored,
};

enum class SourceOutcome : uint8_t {
  kOk,
  kFailed,  // unknown whether it was carried out
  kBusy,    // of a claim: no worker id is available now
  kLost,    // of a raise: the worker id is not, or no longer, this server's
};

struct SourceAnswer {
  SourceRequest request;
  SourceOutcome outcome = SourceOutcome::kFailed;
  int error = 0;  // errno where it failed, and there is one
  Past past = Past::kMissing;
  int64_t floor_ms = 0;
  uint32_t worker = 0;        // of a claim, from a source that gives worker ids
  int64_t granted_ms = 0;     // of a raise: so much of the ceiling is durable
  int64_t source_now_ms = 0;  // the source's own clock; 0 where it has none
  int64_t ask_again_us = 0;   // not before so long from now

  bool ok() const noexcept { return outcome == SourceOutcome::kOk; }
};

class IdentitySource {
 public:
  // One request at a time: a second one takes the place of the first, whose answer then never comes.
  virtual void Submit(const SourceRequest& request, const core::Instant& now) noexcept = 0;
  // True and `*answer` set once the answer is there.
  virtual bool Poll(const core::Instant& now, SourceAnswer* answer) noexcept = 0;

 protected:
  ~IdentitySource() = default;  // never owned through this interface
};

}  // namespace idgen::lease
