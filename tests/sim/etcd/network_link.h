// A simulated process's way to etcd: each call of an exchange travels by itself over the world's network, and its
// answer comes back as an event of the world, or never does. A call is sent again when the real link would: if it was
// refused, or if it is repeatable and unanswered for a while.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "etcd/model.h"
#include "io/etcd/link.h"

namespace idgen::sim {

// What the link needs of the world that it is in.
class EtcdNetwork {
 public:
  // Sends a call on its way. Returns its number, which no other message has.
  virtual uint64_t Send(std::string_view path, std::string_view body) = 0;
  // The boot-time clock of the process.
  virtual int64_t NowUs() const = 0;
  // The process has something to do for the link.
  virtual void Wake() = 0;
  virtual void Violate(const std::string& text) = 0;

 protected:
  ~EtcdNetwork() = default;
};

class NetworkEtcdLink final : public io::EtcdLink {
 public:
  explicit NetworkEtcdLink(EtcdNetwork& network) : network_(network) {}
  NetworkEtcdLink(const NetworkEtcdLink&) = delete;
  ~NetworkEtcdLink();

  // The answer to a message; HTTP status 0: refused. False if nobody waits for it any more.
  bool Deliver(uint64_t message, const EtcdModel::Answer& answer, int64_t date_ms);
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
  static constexpr int64_t kSilentUs = 500 * 1000;  // until a repeatable call is sent again
  static constexpr int64_t kRefusedUs = 50 * 1000;  // until a refused one is

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

  EtcdNetwork& network_;
  Call calls_[kMaxCalls];
  int count_ = 0;
  State state_ = State::kIdle;
  int64_t until_us_ = 0;
  int64_t timeout_us_ = 2 * 1000 * 1000;
  int64_t date_ms_ = 0;
  bool may_have_run_ = false;
  bool broken_ = false;
  uint64_t connection_ = 1;
};

}  // namespace idgen::sim
