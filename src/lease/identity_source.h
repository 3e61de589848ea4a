// Where a server's identity comes from, as one interface: a request out, an answer back, whenever it comes. The static
// source answers at once; a lease store will answer when its reply has arrived.
#pragma once

#include <cstdint>

namespace idgen::lease {

struct Request {
  enum class Kind : uint8_t {
    kNone,
    kClaim,    // find out the floor
    kRaise,    // make `ceiling_ms` durable
    kRelease,  // make `ceiling_ms`, which may be lower, durable: nothing at or above it was or will be used
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
};

struct Answer {
  Request request;
  bool ok = false;
  int error = 0;  // errno where not ok
  Past past = Past::kMissing;
  int64_t floor_ms = 0;
};

class IdentitySource {
 public:
  // One request at a time: the next after the answer to the one before.
  virtual void Submit(const Request& request) noexcept = 0;
  // True and `*answer` set once the answer is there.
  virtual bool Poll(Answer* answer) noexcept = 0;

 protected:
  ~IdentitySource() = default;  // never owned through this interface
};

}  // namespace idgen::lease
