// The interface of a source of a server's identity: a request goes out, an answer comes back later. The static source
// answers at once, a lease once the store's reply has arrived.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/time.h"

namespace idgen::lease {

inline constexpr size_t kTokenBytes = 36;  // a UUID's text

// A lease from a store that fences: enough to show, later or after a crash, that it is this server's own.
struct FencedLease {
  int64_t fence = 0;  // greater for each later holder of the worker id; 0: no lease, or a store that does not fence
  uint32_t worker = 0;
  int64_t ceiling_ms = 0;  // no id under it is later
  char token[kTokenBytes + 1] = {};
  int64_t granted_ms = 0;  // the ceiling in the store; a lower one shows that it went back. 0: unknown
  uint64_t cluster = 0;    // of the store; 0: unknown
  int64_t revision = 0;    // the highest of that store's that this server has seen; 0: unknown

  bool known() const noexcept { return fence != 0; }
};

struct SourceRequest {
  enum class Kind : uint8_t {
    kNone,
    kClaim,    // find out the floor; for a lease: get a worker id
    kRaise,    // make `ceiling_ms` durable; for a lease: renew it
    kRelease,  // give up the worker id; no time at or above `ceiling_ms` has been or will be used
    kSettle,   // after a promotion, for a lease claimed during recovery: find out what the local file says of the past,
               // and make the ceiling granted so far, `ceiling_ms`, durable in it. Needs no store
  };
  Kind kind = Kind::kNone;
  int64_t ceiling_ms = 0;
  // Of a claim: this server's last lease from the same store, if its own file or memory has it.
  FencedLease previous = {};
  bool in_recovery = false;  // of a claim or raise: the local file is left alone until kSettle
};

// What is known of the worker id's past when it is claimed.
enum class Past : uint8_t {
  kKnown,    // `floor_ms` is the durable ceiling
  kNew,      // no id was ever issued here
  kMissing,  // no record: new, or lost
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
  int error = 0;  // errno of a failure, or 0
  Past past = Past::kMissing;
  int64_t floor_ms = 0;
  uint32_t worker = 0;         // of a claim, from a source that assigns worker ids
  int64_t granted_ms = 0;      // of a raise or settle: the ceiling that is durable, which may be lower than requested
  int64_t source_now_ms = 0;   // the source's own clock; 0 if it has none
  int64_t retry_after_us = 0;  // send no request earlier than this from now
  FencedLease lease = {};      // of a claim or raise that succeeded

  bool ok() const noexcept { return outcome == SourceOutcome::kOk; }
};

class IdentitySource {
 public:
  // One request at a time: a second one replaces the first, which is then never answered.
  virtual void Submit(const SourceRequest& request, const core::Instant& now) noexcept = 0;
  // True, with `*answer` set, once the answer has arrived.
  virtual bool Poll(const core::Instant& now, SourceAnswer* answer) noexcept = 0;

 protected:
  ~IdentitySource() = default;  // never owned through this interface
};

}  // namespace idgen::lease
