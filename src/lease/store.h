// The interface of a lease store: requests go out, replies come back later. Each operation is atomic in the store.
// Nothing here waits; time is passed in, on the boot-time clock.
#pragma once

#include <cstddef>
#include <cstdint>

#include "io/store_access.h"
#include "lease/identity_source.h"

namespace idgen::lease {

inline constexpr size_t kHolderBytes = 1400;

struct StoreRequest {
  enum class Kind : uint8_t { kAcquire, kRenew, kRelease, kList, kDeclareNew, kPresent };
  Kind kind = Kind::kList;
  char token[kTokenBytes + 1] = {};
  bool worker_known = false;  // of a release: false if the acquisition was never answered
  uint32_t worker = 0;
  int64_t ceiling_ms = 0;      // of a renewal, or of a server with a static worker id
  int64_t last_expiry_ms = 0;  // of a renewal: the expiry in the last reply
  int64_t floor_ms = 0;        // of a renewal: the floor in the reply to the acquisition
  // For stores that fence.
  int64_t fence = 0;       // of a renewal: the one in the reply to the acquisition
  int64_t stored_ms = 0;   // of a renewal: the ceiling in the store, by the last reply
  int64_t offered_ms = 0;  // of a renewal: the highest ceiling in requests since then, which had no reply; 0: none
  int64_t revision = 0;  // the highest in any reply to this server: a lower one means that the store went back in time
  uint64_t cluster = 0;  // of an acquisition or renewal: a reply of another one says only that. 0: any
  FencedLease previous = {};  // of an acquisition: may be swapped for the new lease, without waiting until it expires
  int64_t wall_ms = 0;        // of an acquisition: this server's wall clock. Advice, as is the store's clock
};

// What happens to the store's records when it runs out of memory.
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
  enum class Why : uint8_t { kNone, kQuarantine, kCrashes, kFull, kAhead, kForgotten, kTaken, kOtherCluster, kCopied };
  // How another running server got the same worker id.
  enum class Rival : uint8_t { kNone, kStatic, kLease };
  StoreOutcome outcome = StoreOutcome::kFailed;
  Why why = Why::kNone;
  uint32_t worker = 0;
  int64_t floor_ms = 0;    // of an acquisition
  int64_t granted_ms = 0;  // of a renewal: the ceiling that is durable
  int64_t stored_ms = 0;  // of an acquisition or renewal, from a store that fences: the same, but as it is in the store
  int64_t expiry_ms = 0;  // by the store's clock; 0 if unknown
  int64_t until_ms = 0;   // busy until (0 if unknown), or declared new until; by the store's clock
  int64_t store_now_ms = 0;                    // the store's clock; 0 if unknown
  int64_t fence = 0;                           // of an acquisition; 0 from a store that does not fence
  int64_t revision = 0;                        // of the store's data; grows with every change. 0 if it has none
  uint64_t cluster = 0;                        // that answered an acquisition or renewal; 0 from a store without one
  StoreMemory memory = StoreMemory::kUnknown;  // of an acquisition, and of the first renewal over a connection
  // Of a renewal, and of a server with a static worker id.
  Rival rival = Rival::kNone;
  const char* rival_holder = "";  // owned by the store, valid until the next Begin()
};

// One record of a list. The strings point into the reply.
struct StoreRecord {
  uint32_t worker = 0;
  int64_t ceiling_ms = 0;
  int64_t expiry_ms = 0;  // 0 if unknown: then the record disappears when the lease expires
  int64_t floor_ms = 0;
  int64_t fence = 0;  // 0 from a store that does not fence
  bool free = false;
  bool is_static = false;        // not a lease: a server announced it as its static worker id
  const char* token = nullptr;   // kTokenBytes
  const char* holder = nullptr;  // zero-terminated
};

class LeaseStore {
 public:
  // One at a time: a request under way is given up.
  virtual void Begin(const StoreRequest& request, int64_t now_us) noexcept = 0;
  // True, with `*reply` set, once the reply has arrived or the request has failed.
  virtual bool Step(int64_t now_us, StoreReply* reply) noexcept = 0;
  virtual io::Wants wants(int64_t now_us) const noexcept = 0;
  virtual const char* problem() const noexcept = 0;
  virtual void Close() noexcept = 0;

 protected:
  ~LeaseStore() = default;  // never owned through this interface
};

// Servers whose worker ids must differ agree on the store, the prefix, the range and the TTL. Strings must outlive the
// store's use of them.
struct LeaseStoreSettings {
  io::StoreAccess access;
  const char* prefix = "";
  const char* holder = "";  // host|port|directory; the store only compares it
  uint32_t min_worker = 0;  // worker ids in [min_worker, max_workers) are leased
  uint32_t max_workers = 0;
  int64_t ttl_ms = 0;
  // For stores that may forget a change that they have acknowledged; others ignore both.
  int replicas = 0;      // that must have a change before it counts
  bool durable = false;  // the operator's word that the store keeps whatever it has acknowledged
};

// A lease store for the code that opens it.
class LeaseBackend : public LeaseStore {
 public:
  // Closes what was open.
  virtual void Configure(const LeaseStoreSettings& settings) noexcept = 0;
  // After a successful kList: the number of records, and each of them. False for one that is not valid.
  virtual size_t record_count() const noexcept = 0;
  virtual bool Record(size_t index, StoreRecord* record) const noexcept = 0;
  // What the operator should change so that the store keeps its promises, as full sentences; nullptr if nothing.
  virtual const char* advice() const noexcept = 0;
  // The same about the last failure; nullptr if only general advice applies. A literal.
  virtual const char* failure_advice() const noexcept { return nullptr; }

 protected:
  ~LeaseBackend() = default;
};

}  // namespace idgen::lease
