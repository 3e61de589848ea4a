// The lease store for etcd as it ships, over the world's network.
#pragma once

#include <cstdint>
#include <string>

#include "etcd/network_link.h"
#include "lease/etcd/store.h"
#include "leases/world.h"

namespace idgen::sim {

class SimEtcdStore final : public lease::LeaseStore, private EtcdNetwork {
 public:
  SimEtcdStore(World& world, int server);

  void Begin(const lease::StoreRequest& request, int64_t now_us) noexcept override;
  bool Step(int64_t now_us, lease::StoreReply* reply) noexcept override;
  io::Wants wants(int64_t now_us) const noexcept override { return store_.wants(now_us); }
  const char* problem() const noexcept override { return store_.problem(); }
  void Close() noexcept override { store_.Close(); }

  NetworkEtcdLink& link() noexcept { return link_; }
  // A process of the server has begun: it knows nothing of what the one before has asked.
  void Reset() noexcept;

 private:
  void Configure() noexcept;

  uint64_t Send(std::string_view path, std::string_view body) override;
  int64_t NowUs() const override;
  void Wake() override;
  void Violate(const std::string& text) override;

  World& world_;
  int server_;
  NetworkEtcdLink link_{*this};
  lease::EtcdLeaseStore store_{link_};
  lease::StoreRequest::Kind asked_ = lease::StoreRequest::Kind::kList;
  int configured_for_ = -1;  // which prefix
  std::string prefix_, holder_;
};

}  // namespace idgen::sim
