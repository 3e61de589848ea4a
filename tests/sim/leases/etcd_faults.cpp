// What a world with etcd is made of, and what goes wrong in it besides what goes wrong in every world.
#include <algorithm>
#include <cstdlib>
#include <memory>
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
  Random restores(seed, Stream::kPlan, 2);
  plan.restores = restores.Chance(0.3);
  plan.clocks_agree = plan.restores && restores.Chance(0.4);
  if (plan.clocks_agree) {
    plan.skew_us = 10 * kMs;
    plan.members_differ = false;
  }
  return plan;
}

// Of a stream of their own, so that the other faults are the same with them and without.
void World::AddFaultsOfEtcd(const Plan& plan, std::vector<Fault>* faults) {
  Random random(plan.seed, Stream::kFaults, 1);
  const auto add = [&](FaultKind kind, int64_t before_us, int64_t a, int64_t b) {
    faults->push_back({.at_us = kBeginUs + random.LogBetween(kSecond, before_us),
                       .kind = kind,
                       .who = static_cast<int>(random.Below(static_cast<uint64_t>(plan.servers))),
                       .a = a,
                       .b = b,
                       .number = faults->size()});
  };
  if (random.Chance(0.3))
    for (auto races = random.Between(1, 4); races > 0; --races)
      add(FaultKind::kRace, plan.hours_us, random.LogBetween(100 * kMs, plan.ttl_ms * kMs / 2), 0);
  if (!plan.restores) return;
  for (auto count = random.Between(1, 3); count > 0; --count)
    add(FaultKind::kRestored, plan.hours_us, random.LogBetween(100 * kMs, 10 * kMinute),
        plan.clocks_agree ? 1 : random.LogBetween(kMs, 2 * kSecond));
  if (!plan.clocks_agree) return;
  std::erase_if(*faults, [](const Fault& fault) {
    return fault.kind == FaultKind::kClockStep || fault.kind == FaultKind::kClockSpike ||
           fault.kind == FaultKind::kStoreClock;
  });
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
    case FaultKind::kRace:
      slow_takes_[static_cast<size_t>(who)] = {.by_us = fault.a, .crashes = false};
      server.CleanStop(10 * kMs);
      RestartOthers(who, now_us_, fault.a / 2, random);
      RestartOthers(who, now_us_ + fault.a / 2, fault.a / 2, random);
      return true;
    case FaultKind::kRestored: {
      const auto snapshot = std::make_shared<EtcdModel>(etcd_);
      Do(now_us_ + fault.a, [this, snapshot, down_us = fault.b] {
        if (faults_over_ || is_restoring_) return;
        int64_t last_ms = 0;
        for (const auto& [key, ceiling_ms] : CeilingsInEtcd()) last_ms = std::max(last_ms, ceiling_ms);
        const bool waits = down_us == 1;
        const int64_t wait_us = waits ? std::max<int64_t>(last_ms * kMs - now_us_, 0) + 5 * kSecond : down_us;
        if (now_us_ + wait_us > kBeginUs + plan_.hours_us) return;
        is_restoring_ = true;
        Do(now_us_ + wait_us, [this, snapshot, waits] { RestoreEtcd(*snapshot, waits); });
      });
      return true;
    }
    default: return false;
  }
}

// Remembers what the restored cluster does not know: how far a worker id had come, and who had it.
void World::RestoreEtcd(const EtcdModel& snapshot, bool waited) {
  const auto ceilings = CeilingsInEtcd();
  const auto holders = HoldersInEtcd();
  etcd_ = snapshot;
  etcd_.GrantTtl(0);
  etcd_.SetNoSpace(false);
  etcd_.ChangeLeader(now_us_ / kMs);
  ++etcd_number_;
  is_restoring_ = false;
  ceilings_at_take_.clear();
  if (!waited) {
    const auto now = CeilingsInEtcd();
    for (const auto& [key, ceiling_ms] : ceilings) {
      const auto known = now.find(key);
      if (known == now.end() || known->second < ceiling_ms) forgotten_[key] = {.ceiling_ms = ceiling_ms};
    }
    for (const auto& [key, token] : holders) {
      const auto it = forgotten_.find(key);
      const int index = atoi(std::string(token.substr(0, 6)).c_str()) - 1;
      const Server& server = *servers_[static_cast<size_t>(index)];
      if (it == forgotten_.end() || !server.up() || !server.life_->memo.worker_known) continue;
      if (token.substr(0, lease::kTokenBytes) != server.life_->memo.token) continue;
      it->second.server = index;
      it->second.life = server.life_number_;
      // It does not know of a renewal whose reply was lost, nor use it.
      it->second.ceiling_ms = std::min(it->second.ceiling_ms, server.life_->held.ceiling_ms);
    }
  }
  Note("etcd is restored from a snapshot");
}

}  // namespace idgen::sim
