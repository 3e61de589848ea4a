// A simulated server's way to etcd: each call of an exchange travels by itself, and its answer comes back as an event
// of the world, or never does. A call is sent again when the real link would: if it was refused, or if it is repeatable
// and unanswered for a while.
#pragma once

#include <cstdint>
#include <string>

#include "etcd/model.h"
#include "io/etcd/link.h"
#include "lease/etcd/store.h"
#include "leases/world.h"

namespace idgen::sim {

class SimEtcdLink final : public io::EtcdLink {
 public:
  SimEtcdLink(World& world, int server) : world_(world), server_(server) {}
  SimEtcdLink(const SimEtcdLink&) = delete;
  ~SimEtcdLink();

  // The answer to a message; HTTP status 0: refused.
  void Deliver(uint64_t message, const EtcdModel::Answer& answer, int64_t date_ms);
  // The connections are reset.
  void Break();

  void Configure(const io::StoreAccess& access) noexcept override;
  std::string_view key_prefix() const noexcept override { return "/sim"; }
  void NewExchange() noexcept override;
  wire::EtcdBody& AddCall(const char* path, bool is_repeatable) noexcept override;
  void Begin(int64_t now_us, int64_t until_us) noexcept override;
  State Step(int64_t now_us) noexcept override;
  const wire::EtcdReply& reply(int index) const noexcept override { return calls_[index].reply; }
  int64_t store_now_ms() const noexcept override { return date_ms_; }
  bool may_have_run() const noexcept override { return may_have_run_; }
  bool is_garbled() const noexcept override { return false; }
  uint64_t connection() const noexcept override { return connection_; }
  bool is_connected() noexcept override { return true; }
  bool is_exchanging() const noexcept override { return state_ == State::kBusy; }
  io::Wants wants(int64_t now_us) const noexcept override;
  const char* problem() const noexcept override { return "it does not answer"; }
  const char* reason() const noexcept override { return "it does not answer"; }
  void Close() noexcept override { NewExchange(); }

 private:
  static constexpr int64_t kSilentUs = 500 * kMs;  // until a repeatable call is sent again
  static constexpr int64_t kRefusedUs = 50 * kMs;  // until a refused one is

  struct Call {
    const char* path = "";
    bool is_repeatable = false;
    bool answered = false;
    bool refused = false;  // by the last attempt
    bool may_run = false;  // by any attempt
    uint64_t message = 0;  // number and one; 0: none is under way
    int64_t again_us = 0;  // when it is sent again
    wire::EtcdBody body;
    wire::EtcdReply reply;
  };

  void SendCall(Call& call, int64_t now_us);

  World& world_;
  int server_;
  Call calls_[kMaxCalls];
  int count_ = 0;
  State state_ = State::kIdle;
  int64_t until_us_ = 0;
  int64_t timeout_us_ = 2 * kSecond;
  int64_t date_ms_ = 0;
  bool may_have_run_ = false;
  bool broken_ = false;
  uint64_t connection_ = 0;
};

// The lease store for etcd as it ships, over that link.
class SimEtcdStore final : public lease::LeaseStore {
 public:
  SimEtcdStore(World& world, int server);

  void Begin(const lease::StoreRequest& request, int64_t now_us) noexcept override;
  bool Step(int64_t now_us, lease::StoreReply* reply) noexcept override;
  io::Wants wants(int64_t now_us) const noexcept override { return store_.wants(now_us); }
  const char* problem() const noexcept override { return store_.problem(); }
  void Close() noexcept override { store_.Close(); }

  SimEtcdLink& link() noexcept { return link_; }
  // A process of the server has begun: it knows nothing of what the one before has asked.
  void Reset() noexcept;

 private:
  void Configure() noexcept;

  World& world_;
  int server_;
  SimEtcdLink link_;
  lease::EtcdLeaseStore store_{link_};
  lease::StoreRequest::Kind asked_ = lease::StoreRequest::Kind::kList;
  int configured_for_ = -1;  // which prefix
  std::string prefix_, holder_;
};

}  // namespace idgen::sim
