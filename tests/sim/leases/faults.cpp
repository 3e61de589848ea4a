// Which faults there are, when they happen, and to which server.
#include <algorithm>
#include <cstdio>

#include "leases/server.h"
#include "leases/world.h"

namespace idgen::sim {
namespace {

constexpr const char* kNames[kAllFaultKinds] = {
    "crash",       "crash at step", "crash loop",  "clean restart", "worker exit", "pause",
    "clock step",  "clock spike",   "network bad", "cut off",       "store pause", "store restart",
    "store clock", "fail-over",     "replica cut", "forget",        "settings",    "file lost",
    "file old",    "moved",         "promoted",    "held message",  "held claim",  "set back",
    "reset",       "promotions",    "revoked",     "granted TTL",   "no space",    "cloned",
    "restored",    "race",
};

int64_t ClockStep(Random& random) {
  constexpr int64_t kTenYears = 10 * 365 * 24 * kHour;
  const int64_t by_us = random.Chance(0.7)   ? random.LogBetween(kMs, 2 * kMinute)
                        : random.Chance(0.8) ? random.LogBetween(kSecond, 6 * kHour)
                                             : random.LogBetween(kHour, kTenYears);
  return random.Chance(0.5) ? by_us : -by_us;
}

}  // namespace

std::vector<Fault> World::FaultsOf(const Plan& plan) {
  Random random(plan.seed, Stream::kFaults);
  std::vector<Fault> faults;
  // Swarm testing: each run has only some kinds of faults, so that rare ones often coincide.
  const int kinds = plan.store == StoreKind::kEtcd ? kEtcdFaultKinds : kFaultKinds;
  bool on[kAllFaultKinds] = {};
  for (int kind = 0; kind < kinds; ++kind) on[kind] = random.Chance(0.6);
  while (static_cast<int>(faults.size()) < plan.faults) {
    Fault fault;
    fault.kind = static_cast<FaultKind>(random.Below(static_cast<uint64_t>(kinds)));
    fault.at_us = kBeginUs + random.Between(kSecond, plan.hours_us);
    fault.who = static_cast<int>(random.Below(static_cast<uint64_t>(plan.servers)));
    switch (fault.kind) {
      case FaultKind::kCrashAtStep:
      case FaultKind::kWorkerExit:
        fault.a = random.LogBetween(1, 40);
        fault.b = random.LogBetween(100 * kMs, 20 * kSecond);
        break;
      case FaultKind::kCrashLoop:
      case FaultKind::kPromotions:
        fault.a = random.Between(2, 12);
        fault.b = random.LogBetween(200 * kMs, 20 * kSecond);
        break;
      case FaultKind::kCrash:
      case FaultKind::kCleanRestart: fault.b = random.LogBetween(100 * kMs, kMinute); break;
      case FaultKind::kPause: fault.a = random.LogBetween(1, 2 * kHour); break;
      case FaultKind::kClockStep:
      case FaultKind::kClockSpike:
        fault.a = ClockStep(random);
        fault.b = random.LogBetween(kMs, 10 * kMinute);
        break;
      case FaultKind::kNetworkBad:
      case FaultKind::kServerCutOff:
      case FaultKind::kStorePause:
      case FaultKind::kReset:
      case FaultKind::kReplicaCut: fault.a = random.LogBetween(100 * kMs, 5 * kMinute); break;
      case FaultKind::kStoreRestart: fault.a = random.LogBetween(10 * kMs, 2 * kMinute); break;
      case FaultKind::kStoreClock: fault.a = random.LogBetween(kMs, kHour); break;
      case FaultKind::kSettings: fault.a = static_cast<int64_t>(random.Below(4)); break;
      case FaultKind::kHeldClaim:
      case FaultKind::kSetBack:
        fault.a = random.Between(plan.ttl_ms * kMs, 4 * plan.ttl_ms * kMs);
        fault.b = random.LogBetween(kMs, 2 * kSecond);
        break;
      case FaultKind::kHeldMessage:
        fault.a = random.Chance(0.5) ? random.LogBetween(kMs, plan.ttl_ms * kMs)
                                     : random.Between(plan.ttl_ms * kMs / 2, 2 * plan.ttl_ms * kMs);
        fault.b = random.Chance(0.5) ? 1 : 0;
        break;
      case FaultKind::kRevoked:
        fault.a = random.LogBetween(kMs, 4 * plan.ttl_ms * kMs);
        fault.b = random.Chance(0.5) ? 1 : 0;
        break;
      case FaultKind::kGrantedTtl:
        fault.a = random.LogBetween(kSecond, 5 * kMinute);
        fault.b = random.LogBetween(1, std::max<int64_t>(2, plan.ttl_ms / 500));
        break;
      case FaultKind::kNoSpace: fault.a = random.LogBetween(kSecond, 5 * kMinute); break;
      case FaultKind::kFailOver:
        fault.a = random.LogBetween(kMs, 10 * kSecond);
        fault.b = random.Chance(0.5) ? 0 : random.LogBetween(5 * kSecond, 5 * kMinute);
        break;
      default: fault.b = random.LogBetween(100 * kMs, kMinute); break;
    }
    fault.number = faults.size();
    if (on[static_cast<size_t>(fault.kind)]) faults.push_back(fault);
    if (std::none_of(on, on + kinds, [](bool kind) { return kind; })) break;
  }
  if (plan.store == StoreKind::kEtcd) AddFaultsOfEtcd(plan, &faults);
  std::sort(faults.begin(), faults.end(), [](const Fault& a, const Fault& b) { return a.at_us < b.at_us; });
  return faults;
}

// Now and then a server is restarted or crashes, and the store is restarted.
std::vector<Fault> World::FaultsAtScale(const Plan& plan) {
  Random random(plan.seed, Stream::kFaults);
  std::vector<Fault> faults;
  const auto add = [&](FaultKind kind, int64_t a, int64_t b) {
    faults.push_back({.at_us = kBeginUs + random.Between(kMinute, plan.hours_us - kMinute),
                      .kind = kind,
                      .who = static_cast<int>(random.Below(static_cast<uint64_t>(plan.servers))),
                      .a = a,
                      .b = b});
  };
  for (int i = 0; i < plan.servers; ++i) {
    add(FaultKind::kCleanRestart, 0, kSecond);
    add(FaultKind::kCrash, 0, kSecond);
  }
  for (int i = 0; i < 3; ++i) add(FaultKind::kStoreRestart, 2 * kSecond, 0);
  std::sort(faults.begin(), faults.end(), [](const Fault& a, const Fault& b) { return a.at_us < b.at_us; });
  return faults;
}

std::string Describe(const Fault& fault) {
  char text[200];
  snprintf(text, sizeof text, "%14.6f s  %s, server %d, a %lld, b %lld",
           static_cast<double>(fault.at_us - kBeginUs) / kSecond, kNames[static_cast<size_t>(fault.kind)], fault.who,
           static_cast<long long>(fault.a), static_cast<long long>(fault.b));
  return text;
}

void World::RestartOthers(int who, int64_t from_us, int64_t within_us, Random& random) {
  for (int other = 0; other < plan_.servers; ++other) {
    const int64_t at_us = from_us + random.Between(0, within_us), down_us = random.LogBetween(kMs, 5 * kSecond);
    if (other != who) Do(at_us, [this, other, down_us] { servers_[static_cast<size_t>(other)]->CleanStop(down_us); });
  }
}

// For the envelope: sets the store's clock back for a while, often just after the store has forgotten something.
void World::SetStoreBack(Random& random) {
  const int64_t by_us = plan_.store_clock_back_us;
  if (by_us == 0 || store_is_back_) return;
  store_is_back_ = true;
  store_.StepClock(-by_us);
  Note("the store's clock is set back");
  Do(now_us_ + random.LogBetween(kSecond, 5 * kMinute), [this, by_us] {
    store_.StepClock(by_us);
    store_is_back_ = false;
  });
}

void World::Strike(const Fault& fault) {
  Server& server = *servers_[static_cast<size_t>(fault.who)];
  const bool forgetful = plan_.store == StoreKind::kForgetful;
  Note("fault: %s, server %d, a %lld, b %lld", kNames[static_cast<size_t>(fault.kind)], fault.who,
       static_cast<long long>(fault.a), static_cast<long long>(fault.b));
  const int who = fault.who;
  Random random(plan_.seed, Stream::kFault, fault.number);
  if (plan_.store == StoreKind::kEtcd && StrikeEtcd(fault, random)) return;
  switch (fault.kind) {
    case FaultKind::kCrash: return server.Crash(true, fault.b);
    case FaultKind::kCrashAtStep: server.crash_down_us_ = fault.b; return server.ArmCrash(fault.a, false);
    case FaultKind::kWorkerExit: return server.ArmCrash(fault.a, true);
    case FaultKind::kCrashLoop:
      for (int i = 0; i < fault.a; ++i)
        Do(now_us_ + i * fault.b, [this, who, fault] { servers_[static_cast<size_t>(who)]->Crash(true, fault.b / 2); });
      return;
    case FaultKind::kPromotions:
      for (int i = 0; i < fault.a; ++i)
        Do(now_us_ + i * fault.b, [this, who, fault] {
          Server& it = *servers_[static_cast<size_t>(who)];
          if (!it.up()) return;
          it.Crash(true, fault.b / 2);
          ++it.cluster_.timeline;
        });
      return;
    case FaultKind::kCleanRestart: return server.CleanStop(fault.b);
    case FaultKind::kPause: return server.Pause(fault.a);
    case FaultKind::kClockStep:
      if (plan_.clocks_step) server.StepClock(fault.a);
      return;
    case FaultKind::kClockSpike:
      if (!plan_.clocks_step) return;
      if (server.up() && server.issued_in_life_ && fault.a > 10 * kMinute && fault.b < 20 * kSecond &&
          now_us_ > server.spike_until_us_) {
        server.spike_until_us_ = now_us_ + fault.b;
        server.spike_limit_us_ = std::max(server.Now().wall_us, store_.NowMs(now_us_) * kMs) +
                                 std::max<int64_t>(server.LeadUs(), 0) + fault.b + 5 * kMinute;
        server.spike_life_ = server.life_number_;
      }
      server.StepClock(fault.a);
      Do(now_us_ + fault.b, [this, who, fault] { servers_[static_cast<size_t>(who)]->StepClock(-fault.a); });
      return;
    case FaultKind::kNetworkBad: network_bad_until_us_ = std::max(network_bad_until_us_, now_us_ + fault.a); return;
    case FaultKind::kServerCutOff:
      route_[static_cast<size_t>(who)] = -2;
      Do(now_us_ + fault.a, [this, who] {
        if (route_[static_cast<size_t>(who)] == -2) route_[static_cast<size_t>(who)] = -1;
      });
      return;
    case FaultKind::kStorePause: store_paused_until_us_ = std::max(store_paused_until_us_, now_us_ + fault.a); return;
    case FaultKind::kStoreRestart: {
      const int node = store_.master();
      store_.Kill(node);
      const double draw = random.Unit();
      const auto memory = !forgetful || draw < 0.3 ? Store::Memory::kKept
                          : draw < 0.5             ? Store::Memory::kEmpty
                                                   : Store::Memory::kSnapshot;
      const size_t age = random.Below(4);
      Do(now_us_ + fault.a, [this, node, memory, age, random]() mutable {
        if (!store_.up(node)) store_.Restart(node, memory, age);
        SetStoreBack(random);
        Note("the store is back, with %s", memory == Store::Memory::kKept    ? "everything"
                                           : memory == Store::Memory::kEmpty ? "nothing"
                                                                             : "a snapshot");
      });
      return;
    }
    case FaultKind::kStoreClock:
      if (plan_.store_clock_back_us > 0) return SetStoreBack(random);
      if (plan_.store_clock_steps) store_.StepClock(fault.a);
      return;
    case FaultKind::kFailOver: {
      if (plan_.replicas == 0) return;
      // An old master may go on only under rule (d); otherwise it goes down.
      const bool goes_on = fault.b > 0 && (plan_.wait_replicas > 0);
      for (int node = 0; node < store_.count(); ++node) store_.Cut(node, true, now_us_);
      Do(now_us_ + fault.a, [this, goes_on, fault, random]() mutable {
        const int old = store_.master();
        int replica = static_cast<int>(random.Below(static_cast<uint64_t>(store_.count())));
        if (replica == old) replica = (replica + 1) % store_.count();
        store_.FailOver(replica, now_us_);
        SetStoreBack(random);
        Note("node %d is master; node %d %s", replica, old, goes_on ? "goes on" : "is down");
        if (!goes_on) store_.Kill(old);
        if (goes_on)
          for (int& route : route_)
            if (route == -1 && random.Chance(0.5)) route = old;
        // Servers that reach the new master may be restarted as soon as it gives worker ids again.
        if (goes_on && random.Chance(0.7))
          for (int server = 0; server < plan_.servers; ++server)
            if (route_[static_cast<size_t>(server)] != old)
              Do(now_us_ + plan_.ttl_ms * kMs + random.LogBetween(kMs, 10 * kSecond),
                 [this, server] { servers_[static_cast<size_t>(server)]->CleanStop(10 * kMs); });
        Do(now_us_ + (goes_on ? fault.b : 5 * kSecond), [this, old] {
          for (int& route : route_)
            if (route == old) route = -1;
          store_.Demote(old, now_us_);
        });
      });
      return;
    }
    case FaultKind::kReplicaCut: {
      if (plan_.replicas == 0) return;
      const int replica = static_cast<int>(random.Below(static_cast<uint64_t>(store_.count())));
      store_.Cut(replica, true, now_us_);
      Do(now_us_ + fault.a, [this, replica] { store_.Cut(replica, false, now_us_); });
      return;
    }
    case FaultKind::kHeldMessage:
      holds_[static_cast<size_t>(who)] = {.after_us = fault.a, .stops_after = fault.b == 1};
      return;
    case FaultKind::kHeldClaim: {
      holds_[static_cast<size_t>(who)] = {
          .after_us = fault.a, .of_acquisition = true, .pause_us = random.LogBetween(10 * kMs, plan_.ttl_ms * kMs)};
      server.CleanStop(10 * kMs);
      RestartOthers(who, now_us_ + fault.a / 2, fault.a / 2, random);
      RestartOthers(who, now_us_ + fault.a - fault.b, fault.b, random);
      return;
    }
    case FaultKind::kSetBack: {
      if (!forgetful) return;
      server.Pause(fault.a);
      RestartOthers(who, now_us_ + fault.a / 2, fault.a / 2, random);
      const int node = store_.master();
      Do(now_us_ + std::max<int64_t>(fault.a - fault.b, 0),
         [this, node, before = random.Chance(0.5) ? store_.StateOf(node) : Hashes(), random]() mutable {
           if (!store_.up(node)) return;
           Note("the store is back, with what it had when the server was stopped, or with nothing");
           store_.Kill(node);
           store_.RestartWith(node, before);
           SetStoreBack(random);
         });
      return;
    }
    case FaultKind::kReset: resets_until_us_[static_cast<size_t>(who)] = now_us_ + fault.a; return;
    case FaultKind::kForget:
      if (!forgetful) return;
      store_.Forget(store_.master());
      return SetStoreBack(random);
    case FaultKind::kSettings: return server.Configure(fault.a, random);
    case FaultKind::kFileLost:
    case FaultKind::kFileOld:
    case FaultKind::kMoved:
    case FaultKind::kPromoted:
      if (!server.up()) return;
      // Nobody else knows what a lost file said about other sources: outside the promise.
      if (plan_.same_numbers && fault.kind != FaultKind::kMoved && fault.kind != FaultKind::kPromoted) return;
      if (fault.kind == FaultKind::kFileOld && random.Chance(0.5)) {
        server.old_disk_ = server.disk_;
        return;
      }
      server.Crash(true, fault.b);
      server.past_uncertain_ = true;
      if (fault.kind == FaultKind::kFileLost) {
        server.disk_ = MemoryDisk();
      } else if (fault.kind == FaultKind::kMoved) {
        if (server.disk_.Exists("data/idgen.ceiling")) server.disk_.ReplaceByCopy("data/idgen.ceiling");
      } else if (fault.kind == FaultKind::kPromoted) {
        ++server.cluster_.timeline;
      } else {
        server.disk_ = server.old_disk_;
        if (server.disk_.Exists("data/idgen.ceiling")) server.disk_.ReplaceByCopy("data/idgen.ceiling");
      }
      return;
    case FaultKind::kRevoked:
    case FaultKind::kGrantedTtl:
    case FaultKind::kNoSpace:
    case FaultKind::kCloned:
    case FaultKind::kRestored:
    case FaultKind::kRace: return;
  }
}

}  // namespace idgen::sim
