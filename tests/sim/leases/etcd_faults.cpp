// What a world with etcd is made of, and what goes wrong in it besides what goes wrong in every world.
#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include "leases/server.h"
#include "leases/world.h"

namespace idgen::sim {

Plan Plan::OfEtcd(uint64_t seed) {
  Plan plan = Of(seed);
  Random random(seed, Stream::kPlan, 1);
  plan.store = StoreKind::kEtcd;
  plan.replicas = plan.wait_replicas = 0;
  if (random.Chance(0.4)) plan.workers = std::max(1, plan.servers - plan.static_servers);
  if (random.Chance(0.5)) plan.revoke_late_ms = random.LogBetween(1, 3000);
  plan.members_differ = random.Chance(0.3);
  if (random.Chance(0.3)) plan.skew_us = random.LogBetween(kMinute, 6 * kHour);
  return plan;
}

// True if the fault is one of etcd's world; then it has been dealt with.
bool World::StrikeEtcd(const Fault& fault, Random& random) {
  const int who = fault.who;
  Server& server = *servers_[static_cast<size_t>(who)];
  // A lease of a server is the one that its worker id's key is on, of whatever prefix.
  const auto revoke = [this, who] {
    std::vector<int64_t> leases;
    for (const auto& [id, lease] : etcd_.leases())
      for (const std::string& key : lease.keys)
        if (atoi(etcd_.keys().find(key)->second.value.substr(0, 6).c_str()) == who + 1) leases.push_back(id);
    for (const int64_t id : leases) etcd_.Revoke(id);
    if (!leases.empty()) Note("the lease of server %d is revoked", who);
  };
  switch (fault.kind) {
    case FaultKind::kFailOver:  // a leader is elected
      store_.Kill(0);
      Do(now_us_ + fault.a, [this] {
        if (!store_.up(0)) store_.Restart(0, Store::Memory::kKept, 0);
        etcd_.ChangeLeader(now_us_ / kMs);
        Note("etcd has another leader");
      });
      return true;
    case FaultKind::kStoreRestart:
      store_.Kill(0);
      Do(now_us_ + fault.a, [this] {
        if (!store_.up(0)) store_.Restart(0, Store::Memory::kKept, 0);
        etcd_.ChangeLeader(now_us_ / kMs);
        Note("etcd is back");
      });
      return true;
    case FaultKind::kStoreClock:
      if (plan_.store_clock_steps) member_clocks_us_[random.Below(3)] += random.Chance(0.5) ? fault.a : -fault.a;
      return true;
    case FaultKind::kForget:
    case FaultKind::kReplicaCut: return true;  // etcd does not forget, and has no replicas that lag
    case FaultKind::kSetBack:
    case FaultKind::kRevoked:
      if (fault.kind == FaultKind::kSetBack || fault.b == 1) {
        server.Pause(fault.a);
        RestartOthers(who, now_us_ + fault.a / 2, fault.a / 2, random);
        Do(now_us_ + fault.a / 3, revoke);
      } else {
        Do(now_us_ + fault.a, revoke);
      }
      return true;
    case FaultKind::kGrantedTtl:
      etcd_.GrantTtl(fault.b);
      Do(now_us_ + fault.a, [this] { etcd_.GrantTtl(0); });
      return true;
    case FaultKind::kNoSpace:
      etcd_.SetNoSpace(true);
      Do(now_us_ + fault.a, [this] { etcd_.SetNoSpace(false); });
      return true;
    case FaultKind::kHeldClaim: {
      if (random.Chance(0.5)) return false;
      const int64_t by_us = random.LogBetween(10 * kMs, plan_.ttl_ms * kMs / 2);
      slow_takes_[static_cast<size_t>(who)] = {.by_us = by_us, .crashes = random.Chance(0.5)};
      server.CleanStop(10 * kMs);
      RestartOthers(who, now_us_, by_us, random);
      return true;
    }
    case FaultKind::kCloned: {
      // What the clone's own file knew of static worker ids nobody knows any more, and two servers with one static
      // worker id are outside the promise.
      const int other =
          static_cast<int>((static_cast<uint64_t>(who) + 1 + random.Below(servers_.size())) % servers_.size());
      Server& original = *servers_[static_cast<size_t>(other)];
      if (other == who || server.ever_static_ || original.ever_static_ || plan_.same_numbers) return true;
      if (!server.up()) return true;
      server.Crash(true, fault.b);
      Note("server %d becomes a clone or copy of server %d", who, other);
      server.disk_ = original.disk_;
      server.disk_.Crash(MemoryDisk::Unsynced::kKept, true);
      server.cluster_ = original.cluster_;
      // The original renews while the clone takes over.
      if (random.Chance(0.7)) slow_takes_[static_cast<size_t>(who)] = {.by_us = random.LogBetween(kMs, 400 * kMs)};
      if (random.Chance(0.5)) {  // copied file by file, which does not make it a clone
        if (server.disk_.Exists("data/idgen.ceiling")) server.disk_.ReplaceByCopy("data/idgen.ceiling");
      } else {
        const int family = families_[static_cast<size_t>(who)];
        for (int& it : families_)
          if (it == family) it = families_[static_cast<size_t>(other)];
      }
      return true;
    }
    default: return false;
  }
}

}  // namespace idgen::sim
