// What a run is made of, and what goes wrong in it, drawn from its seed.
#include <algorithm>
#include <cstdio>

#include "sequences/server.h"
#include "sequences/world.h"

namespace idgen::sim::sequences {

namespace {
constexpr const char* kNames[] = {"crash",
                                  "crash of the machine",
                                  "clean restart",
                                  "reset",
                                  "cancel",
                                  "store restart",
                                  "forget",
                                  "replicas cut off",
                                  "fail-over",
                                  "two masters",
                                  "busy",
                                  "all at once",
                                  "forget at a crash",
                                  "lost replies",
                                  "late calls",
                                  "no space",
                                  "revoked lease",
                                  "restore"};
}  // namespace

Plan Plan::Of(uint64_t seed) {
  Random random(seed, Stream::kPlan);
  Plan plan;
  plan.seed = seed;
  plan.servers = static_cast<int>(random.Between(1, 4));
  plan.backends = static_cast<int>(random.Between(1, 4));
  plan.may_evict = random.Chance(0.15);
  const auto keys = plan.may_evict ? random.Between(10, 16) : random.LogBetween(1, 9) % 8 + 1;
  const double segments = random.Chance(0.3) ? 0 : random.Chance(0.4) ? 1 : 0.5;
  for (int64_t i = 0; i < keys; ++i) {
    sequencer::Definition definition;
    if (random.Chance(0.3)) {
      definition.step = random.Between(1, 5);
      definition.start = random.Between(0, 20);
      if (random.Chance(0.3)) definition.max_value = definition.start + definition.step * random.LogBetween(10, 3000);
    }
    if (random.Chance(segments)) definition.cache = static_cast<int32_t>(random.LogBetween(2, 300));
    plan.keys.push_back(definition);
    if (random.Chance(0.4) && i + 1 < keys) {
      plan.keys.push_back(definition);
      ++i;
    }
  }
  plan.slots = static_cast<int>(random.Chance(0.5) ? 16 : random.Between(1, 4));
  plan.forgets = random.Chance(0.65);
  plan.replicas = static_cast<int>(random.Between(0, 2));
  plan.way_us = random.LogBetween(50, 5 * kMs);
  plan.sync_us = random.LogBetween(50, 20 * kMs);
  plan.op_every_us = random.LogBetween(2 * kMs, kSecond);
  plan.lasts_us = std::min(60 * kSecond, std::max(2 * kSecond, plan.op_every_us * 300));
  plan.sets = random.Chance(0.4) ? 0 : random.Unit() * 0.05;
  plan.aborts = random.Chance(0.5) ? 0 : 0.2;
  plan.preempt = random.Chance(0.3) ? 0.1 : 0.01;
  plan.faults = static_cast<int>(random.LogBetween(2, 40));
  return plan;
}

std::vector<Fault> World::FaultsOf(const Plan& plan) {
  if (plan.store == StoreKind::kEtcd) return FaultsOfEtcd(plan);
  FaultKind kinds[kFaultKinds];
  for (int i = 0; i < kFaultKinds; ++i) kinds[i] = static_cast<FaultKind>(i);
  return DrawFaults(plan, kinds, kFaultKinds);
}

std::vector<Fault> World::DrawFaults(const Plan& plan, const FaultKind* kinds, size_t count) {
  Random random(plan.seed, Stream::kFaults);
  std::vector<Fault> faults;
  // Swarm: each run has some kinds of faults only, so that rare ones meet often.
  std::vector<bool> on;
  for (size_t i = 0; i < count; ++i) on.push_back(random.Chance(0.6));
  for (int i = 0; i < plan.faults; ++i) {
    Fault fault;
    const size_t kind = random.Below(count);
    fault.kind = kinds[kind];
    fault.at_us = kBeginUs + random.Between(100 * kMs, plan.lasts_us);
    fault.who = static_cast<int>(random.Below(static_cast<uint64_t>(plan.servers)));
    fault.a = random.LogBetween(kMs, 2 * kSecond);
    fault.number = faults.size();
    if (on[kind]) faults.push_back(fault);
  }
  std::sort(faults.begin(), faults.end(), [](const Fault& a, const Fault& b) { return a.at_us < b.at_us; });
  return faults;
}

std::string Describe(const Fault& fault) {
  char text[200];
  snprintf(text, sizeof text, "%.6f s: %s, server %d, %.3f s", static_cast<double>(fault.at_us - kBeginUs) / kSecond,
           kNames[static_cast<size_t>(fault.kind)], fault.who, static_cast<double>(fault.a) / kSecond);
  return text;
}

void World::Strike(const Fault& fault) {
  Server& server = *servers_[static_cast<size_t>(fault.who)];
  Random random(plan_.seed, Stream::kFault, fault.number);
  Note("fault: %s, server %d", kNames[static_cast<size_t>(fault.kind)], fault.who);
  if (etcd_ && StrikeEtcd(fault, random)) return;
  const auto restart = [this, random, forgets = plan_.forgets]() mutable {
    if (store_.up()) return;
    const double draw = random.Unit();
    const auto memory = !forgets || draw < 0.3 ? Store::Memory::kKept
                        : draw < 0.5           ? Store::Memory::kEmpty
                                               : Store::Memory::kSnapshot;
    ++store_restarts_;
    ChangeStore([this, memory, age = random.Below(3)] { store_.Restart(memory, age); },
                memory == Store::Memory::kKept    ? "is back with everything"
                : memory == Store::Memory::kEmpty ? "is back with nothing"
                                                  : "is back with a snapshot");
  };
  const auto kill = [this] {
    store_.Kill();
    for (int who = 0; who < plan_.servers; ++who) CutConnections(who);
  };
  switch (fault.kind) {
    case FaultKind::kCrash: return server.Crash(false, fault.a);
    case FaultKind::kMachineCrash: return server.Crash(true, fault.a);
    case FaultKind::kCleanRestart: return server.CleanStop(fault.a);
    case FaultKind::kReset: return CutConnections(fault.who);
    case FaultKind::kCancel:
      return server.Cancel(static_cast<int>(random.Below(static_cast<uint64_t>(plan_.backends))));
    case FaultKind::kStoreRestart: kill(); return Do(now_us_ + fault.a, restart);
    case FaultKind::kForget:
      if (!plan_.forgets || !store_.up()) return;
      return ChangeStore([this] { store_.Forget(); }, "is emptied");
    case FaultKind::kReplicasCut:
      if (!plan_.forgets) return;
      for (int node = 0; node < store_.count(); ++node) store_.Cut(node, true);
      return Do(now_us_ + fault.a, [this] {
        for (int node = 0; node < store_.count(); ++node) store_.Cut(node, false);
      });
    case FaultKind::kFailOver: {
      if (plan_.replicas == 0 || !store_.up()) return;
      if (!plan_.forgets) store_.Replicate();
      kill();
      if (!plan_.forgets) store_.Replicate();
      return Do(now_us_ + fault.a, [this, random]() mutable {
        if (store_.up()) return;
        ++store_restarts_;
        const int old = store_.master();
        const int by = static_cast<int>(random.Between(1, plan_.replicas));
        ChangeStore([this, old, by] { store_.FailOver((old + by) % store_.count(), false); }, "has failed over");
      });
    }
    case FaultKind::kTwoMasters: {
      if (plan_.replicas == 0 || !plan_.forgets || !store_.up() || store_.old_process() != 0) return;
      const int to = (store_.master() + static_cast<int>(random.Between(1, plan_.replicas))) % store_.count();
      ++store_restarts_;
      has_forgotten_ = has_had_two_masters_ = true;
      ChangeStore([this, to] { store_.FailOver(to, true); }, "has a second master");
      for (auto& each : servers_) each->ReachOld(random.Chance(0.5));
      for (int who = 0; who < plan_.servers; ++who)
        if (random.Chance(0.3)) CutConnections(who);
      // Or connections do not last, and each leads to either of them: best seen by a server that has just crashed.
      if (random.Chance(0.5)) {
        flaps_until_us_ = now_us_ + fault.a;
        Do(now_us_ + random.Between(0, fault.a / 2),
           [&server, of_machine = random.Chance(0.5), down_us = random.LogBetween(kMs, 50 * kMs)] {
             server.Crash(of_machine, down_us);
           });
      }
      return Do(now_us_ + fault.a, [this] { EndOldMaster(); });
    }
    case FaultKind::kBusy: busy_until_us_ = std::max(busy_until_us_, now_us_ + fault.a / 4); return;
    case FaultKind::kTogether:
      for (auto& each : servers_) each->Crash(random.Chance(0.5), random.LogBetween(kMs, kSecond));
      kill();
      return Do(now_us_ + fault.a / 4, restart);
    case FaultKind::kForgetAtCrash:
      server.Crash(random.Chance(0.5), fault.a);
      if (!plan_.forgets) return;
      kill();
      return Do(now_us_ + fault.a / 2, restart);
    default: return;
  }
}

}  // namespace idgen::sim::sequences
