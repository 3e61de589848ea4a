// A process's own store in etcd: the code that ships, over the world's network.
#pragma once

#include "etcd/network_link.h"
#include "sequencer/etcd/store.h"
#include "sequences/world.h"

namespace idgen::sim::sequences {

class EtcdSession final : private EtcdNetwork {
 public:
  EtcdSession(World& world, Actor& actor) : world_(world), actor_(actor) { Reset(); }

  // Of a new process, or of one whose call was given up.
  void Reset() noexcept;
  void Close() noexcept { store.Close(); }
  void Begin(const sequencer::Operation& operation, const sequencer::StoreKey* keys, sequencer::Answer* answers,
             int count, int64_t until_us, const World::Known& knew);
  // The answer to a call. Counts for the operation if the link still waits for it.
  void Deliver(uint64_t call);
  const Ran& ran(int key) const noexcept { return ran_[key]; }

  NetworkEtcdLink link{*this};
  sequencer::EtcdSequenceStore store{link};

 private:
  uint64_t Send(std::string_view path, std::string_view body) override;
  int64_t NowUs() const override;
  void Wake() override;
  void Violate(const std::string& text) override;

  World& world_;
  Actor& actor_;
  uint64_t number_ = 0;
  sequencer::Operation operation_;
  World::Known knew_;
  Ran ran_[kMostKeys];
};

}  // namespace idgen::sim::sequences
