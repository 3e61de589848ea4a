// A lease store, as one interface: requests go out, replies come back, whenever that is. Each operation is one step in
// the store. Nothing here waits; time is passed in, on the boot-time clock.
#pragma once

#include <cstddef>
#include <cstdint>

#include "io/transport.h"

namespace idgen::lease {

inline constexpr size_t kTokenBytes = 36;  // a UUID's text
inline constexpr size_t kHolderBytes = 1400;

// Compared by the store, never interpreted: host|port|directory. Zero-terminated.
struct StoreRequest {
  enum class Kind : uint8_t { kAcquire, kRenew, kRelease, kList, kDeclareNew, kPresent };
  Kind kind = Kind::kList;
  char token[kTokenBytes + 1] = {};
  bool worker_known = false;  // of a release: the answer to the acquisition may never have come
  uint32_t worker = 0;
  int64_t ceiling_ms = 0;      // of a renewal, or of a server with a static worker id
  int64_t last_expiry_ms = 0;  // of a renewal: what the last reply said
  int64_t floor_ms = 0;        // of a renewal: what the acquisition said
};

// What becomes of the store's records when its memory runs short.
enum class StoreMemory : uint8_t {
  kUnknown,    // the reply does not say
  kUnlimited,  // there is no limit
  kLimited,    // records stay, but cannot be written: renewals fail
  kEvicts,     // records may be dropped
};

enum class StoreOutcome : uint8_t {
  kOk,
  kBusy,    // of an acquisition: none before `until_ms`, because of `why`
  kLost,    // of a renewal or release: the record is gone, free or another server's
  kInUse,   // of a declaration: the prefix has records
  kFailed,  // unknown whether it was carried out; problem() says more
};

struct StoreReply {
  enum class Why : uint8_t { kNone, kQuarantine, kCrashes, kFull, kAhead, kForgotten, kTaken };
  // By what another live server has the same worker id.
  enum class Rival : uint8_t { kNone, kStatic, kLease };
  StoreOutcome outcome = StoreOutcome::kFailed;
  Why why = Why::kNone;
  uint32_t worker = 0;
  int64_t floor_ms = 0;                        // of an acquisition
  int64_t granted_ms = 0;                      // of a renewal: so much of the ceiling is durable
  int64_t expiry_ms = 0;                       // by the store's clock
  int64_t until_ms = 0;                        // busy until, or declared new until; by the store's clock
  int64_t store_now_ms = 0;                    // the store's clock; 0 where it was not told
  StoreMemory memory = StoreMemory::kUnknown;  // of an acquisition, and of the first renewal over a connection
  // Of a renewal, and of a server with a static worker id.
  Rival rival = Rival::kNone;
  const char* rival_holder = "";  // stays until the store is asked again
};

// One record, as list shows it. Texts point into the reply.
struct StoreRecord {
  uint32_t worker = 0;
  int64_t ceiling_ms = 0;
  int64_t expiry_ms = 0;
  int64_t floor_ms = 0;
  bool free = false;
  bool is_static = false;        // not a lease: a server says that it is its static worker id
  const char* token = nullptr;   // kTokenBytes
  const char* holder = nullptr;  // zero-terminated
};

class LeaseStore {
 public:
  // One at a time: what was under way is given up.
  virtual void Begin(const StoreRequest& request, int64_t now_us) noexcept = 0;
  // True, and `*reply` set, once it has come or failed.
  virtual bool Step(int64_t now_us, StoreReply* reply) noexcept = 0;
  virtual io::Wants wants(int64_t now_us) const noexcept = 0;
  virtual const char* problem() const noexcept = 0;
  virtual void Close() noexcept = 0;

 protected:
  ~LeaseStore() = default;  // never owned through this interface
};

}  // namespace idgen::lease
