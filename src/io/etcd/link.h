// Calls to an etcd cluster, as an interface: the real one speaks HTTP, the simulator and unit tests have their own.
// One exchange at a time: its calls go out side by side, and their replies come back together or not at all.
// It never waits; time is passed in, on the boot-time clock.
#pragma once

#include <cstdint>
#include <string_view>

#include "io/store_access.h"
#include "wire/etcd_body.h"
#include "wire/etcd_reply.h"

namespace idgen::io {

// Paths of the calls.
inline constexpr const char* kEtcdRange = "/v3/kv/range";
inline constexpr const char* kEtcdPut = "/v3/kv/put";
inline constexpr const char* kEtcdTxn = "/v3/kv/txn";
inline constexpr const char* kEtcdLeaseGrant = "/v3/lease/grant";
inline constexpr const char* kEtcdLeaseKeepAlive = "/v3/lease/keepalive";
inline constexpr const char* kEtcdLeaseRevoke = "/v3/lease/revoke";
inline constexpr const char* kEtcdAuthenticate = "/v3/auth/authenticate";

class EtcdLink {
 public:
  enum class State : uint8_t { kIdle, kBusy, kDone, kFailed };
  static constexpr int kMaxCalls = 4;

  // Closes what was open. The URL must be valid.
  virtual void Configure(const StoreAccess& access) noexcept = 0;
  // The beginning of all keys: "", or "/..." without a slash at its end. Valid until the next Configure.
  virtual std::string_view key_prefix() const noexcept = 0;

  // Abandons an exchange that is under way: whether its calls were carried out is then unknown.
  virtual void NewExchange() noexcept = 0;
  // Adds a call, at most kMaxCalls, whose body the caller writes before Begin. `path` is a literal. `is_repeatable`:
  // carrying the call out twice does no harm, so it is sent again, perhaps to another endpoint, if its reply is lost.
  // Any call is sent again if etcd cannot have carried it out.
  virtual wire::EtcdBody& AddCall(const char* path, bool is_repeatable) noexcept = 0;
  // The exchange fails at `until_us`; 0: the settings' timeout from now on.
  virtual void Begin(int64_t now_us, int64_t until_us) noexcept = 0;
  virtual State Step(int64_t now_us) noexcept = 0;

  // After kDone, in the order of the calls, until the next NewExchange. etcd's errors are replies if they mean that the
  // call was not carried out (a lease that is gone, no space, no permission). Those that leave it open, such as
  // "request timed out", are lost replies.
  virtual const wire::EtcdReply& reply(int index) const noexcept = 0;
  // etcd's wall clock in the last reply, in whole seconds; 0 if unknown. Never depend on it for uniqueness.
  virtual int64_t store_now_ms() const noexcept = 0;
  // After kFailed: a call was sent and its reply is missing, so that it may have been carried out.
  virtual bool may_have_run() const noexcept = 0;
  // After kFailed: what answered was not an etcd.
  virtual bool is_garbled() const noexcept = 0;

  // The number of the latest connection. While is_exchanging(), wants().fd changes only together with it.
  virtual uint64_t connection() const noexcept = 0;
  // Whether a connection is open, so that the next exchange is expected to go over it.
  virtual bool is_connected() noexcept = 0;
  // The exchange's own calls are being sent, or their replies awaited.
  virtual bool is_exchanging() const noexcept = 0;

  virtual Wants wants(int64_t now_us) const noexcept = 0;
  // The last failure, with host and port.
  virtual const char* problem() const noexcept = 0;
  // The same without host and port, which not every user may see.
  virtual const char* reason() const noexcept = 0;
  virtual void Close() noexcept = 0;

 protected:
  ~EtcdLink() = default;  // never owned through this interface
};

}  // namespace idgen::io
