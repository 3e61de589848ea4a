// What a run is made of, drawn from its seed.
#include <algorithm>

#include "leases/world.h"

namespace idgen::sim {

Plan Plan::Of(uint64_t seed) {
  Random random(seed, Stream::kPlan);
  Plan plan;
  plan.seed = seed;
  plan.servers = static_cast<int>(random.Between(1, 6));
  plan.static_servers = static_cast<int>(random.Between(0, std::min(plan.servers, 2)));
  plan.backends = static_cast<int>(random.Between(1, 4));
  const int leased = plan.servers - plan.static_servers;
  plan.workers = random.Chance(0.3) ? std::max(1, leased) : random.Chance(0.3) ? 1 : leased * 3 + 2;
  plan.store = random.Chance(0.15)  ? StoreKind::kLinearizable
               : random.Chance(0.2) ? StoreKind::kKeeping
                                    : StoreKind::kForgetful;
  if (plan.store == StoreKind::kForgetful) {
    plan.replicas = static_cast<int>(random.Between(0, 2));
    // Without WAIT, a master that goes on after it was cut off is outside the promise: see Strike. If it does go on, no
    // replica is on its side, so waiting for one is enough.
    if (plan.replicas > 0 && random.Chance(0.7))
      plan.wait_replicas = static_cast<int>(random.Between(1, plan.replicas));
  }
  plan.ttl_ms = random.LogBetween(3000, 60000);
  plan.max_ahead_ms = std::min<int64_t>(1000, plan.ttl_ms / 4);
  plan.window_ms = std::min(plan.ttl_ms * 2 / 3, plan.ttl_ms - plan.max_ahead_ms);
  plan.skew_us = plan.ttl_ms * kMs / 2;
  plan.hours_us = random.LogBetween(kMinute, 2 * kHour);
  plan.op_every_us = random.LogBetween(200 * kMs, 4 * kSecond);
  plan.faults = static_cast<int>(random.LogBetween(4, 120));
  plan.preempt = random.Chance(0.2) ? 0.3 : 0.02;
  plan.twins = random.Chance(0.1);
  plan.proxied = random.Chance(0.2);
  plan.min_worker = static_cast<int>(random.Between(0, 2));
  if (plan.servers == 1 && random.Chance(0.7)) {
    plan.same_numbers = true;
    plan.min_worker = 0;
    plan.workers = static_cast<int>(random.Between(1, 2));
  }
  return plan;
}

Plan Plan::AtScale(uint64_t seed, int servers, int64_t hours) {
  Plan plan;
  plan.seed = seed;
  plan.servers = servers;
  plan.static_servers = 0;
  plan.backends = 1;
  plan.workers = 1024;
  plan.store = StoreKind::kKeeping;
  plan.hours_us = hours * kHour;
  plan.op_every_us = 10 * kSecond;
  plan.preempt = 0;
  plan.faults = 0;
  plan.declared_new = true;
  return plan;
}

}  // namespace idgen::sim
