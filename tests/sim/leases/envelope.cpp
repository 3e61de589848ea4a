// The rules against a store that forgets, each taken out alone; its clock set back; and how long servers are without
// ids, and how far their id clocks lead, where servers crash again and again and clocks are corrected.
#include "leases/envelope.h"

#include <algorithm>
#include <cstdio>
#include <vector>

#include "leases/world.h"

namespace idgen::sim {
namespace {

struct Count {
  uint64_t ids = 0;    // seeds in which an id was given twice
  uint64_t times = 0;  // seeds in which a time was given to two holders of one worker id
};

// A store that forgets, and all faults.
Count CountOf(uint64_t first_seed, uint64_t seeds, const Breaks& breaks, int64_t store_clock_back_us, bool replicas) {
  Count count;
  for (uint64_t seed = first_seed; seed < first_seed + seeds; ++seed) {
    Plan plan = Plan::Of(seed);
    plan.store = StoreKind::kForgetful;
    if (replicas) {
      plan.replicas = 2;
      plan.wait_replicas = 1;
    }
    plan.watched = Rule::kId;
    plan.breaks = breaks;
    plan.store_clock_back_us = store_clock_back_us;
    World world(plan, World::FaultsOf(plan));
    if (!world.Run()) ++count.ids;
    if (world.figures().time_repeated) ++count.times;
  }
  return count;
}

void PrintCount(const char* what, uint64_t seeds, const Count& count) {
  const auto per_thousand = [seeds](uint64_t some) {
    return static_cast<double>(some) * 1000 / static_cast<double>(seeds);
  };
  printf("| %s | %.1f | %.1f |\n", what, per_thousand(count.ids), per_thousand(count.times));
  fflush(stdout);
}

// Where the worker ids come from.
struct Pool {
  const char* what;
  bool leased, spare, durable;
};

// Four servers with the defaults, a leased worker id each or a static one, for two hours: crash loops, and clocks that
// are set right and wrong again, by up to `wrong_us`.
Figures UnderCrashes(uint64_t seed, const Pool& pool, bool crashes, int64_t wrong_us) {
  Plan plan;
  plan.seed = seed;
  plan.static_servers = pool.leased ? 0 : plan.servers;
  plan.workers = pool.spare ? 3 * plan.servers : plan.servers;
  plan.store = pool.durable ? StoreKind::kLinearizable : StoreKind::kKeeping;
  plan.hours_us = 2 * kHour;
  plan.op_every_us = 300 * kMs;
  plan.preempt = 0;
  plan.declared_new = true;
  plan.skew_us = 10 * kMs;
  Random random(seed, Stream::kFaults);
  std::vector<int64_t> times_us;
  for (int i = 0; i < 60; ++i) times_us.push_back(kBeginUs + random.Between(kMinute, plan.hours_us));
  std::sort(times_us.begin(), times_us.end());
  std::vector<int64_t> skews_us(static_cast<size_t>(plan.servers));
  std::vector<Fault> faults;
  for (const int64_t at_us : times_us) {
    Fault fault{.at_us = at_us,
                .who = static_cast<int>(random.Below(static_cast<uint64_t>(plan.servers))),
                .number = faults.size()};
    if (crashes && (wrong_us == 0 || random.Chance(0.5))) {
      fault.kind = FaultKind::kCrashLoop;
      fault.a = random.Between(1, 12);
      fault.b = random.LogBetween(kSecond, 20 * kSecond);
    } else {
      fault.kind = FaultKind::kClockStep;
      int64_t& skew_us = skews_us[static_cast<size_t>(fault.who)];
      fault.a = (skew_us == 0 ? random.Between(-wrong_us, wrong_us) : 0) - skew_us;
      skew_us += fault.a;
    }
    faults.push_back(fault);
  }
  World world(plan, faults);
  world.Run();
  return world.figures();
}

}  // namespace

void ShowEnvelope(uint64_t first_seed, uint64_t seeds) {
  const auto without = [](bool Breaks::*flag) {
    Breaks breaks;
    breaks.*flag = true;
    return breaks;
  };
  printf("A store that forgets, of %llu installations:\n\n| taken out | repeat an id, of 1,000 | give a time twice |\n",
         static_cast<unsigned long long>(seeds));
  printf("|---|---|---|\n");
  const struct {
    const char* what;
    bool Breaks::*flag;
    bool replicas;
  } rules[] = {
      {"(a) the quarantine", &Breaks::no_quarantine, false},
      {"(a) the quarantine where only some records are forgotten", &Breaks::quarantine_only_when_empty, false},
      {"(b) no ceiling beyond TIME + quarantine", &Breaks::no_time_bound, false},
      {"(b) no start below TIME", &Breaks::floor_from_record, false},
      {"(c) a forgotten record can be claimed again", &Breaks::no_reclaim, false},
      {"(c) ... only before its expiry", &Breaks::reclaim_without_expiry, false},
      {"(c) ... and then with the highest ceiling", &Breaks::reclaim_with_offered, false},
      {"(d) WAIT, with replicas", &Breaks::no_wait, true},
      {"(d) WAIT for renewals, with replicas", &Breaks::wait_on_acquire_only, true},
      {"(e) two records of one crashing server", &Breaks::any_number_of_records, false},
      {"(f) no token for another", &Breaks::token_swap, false},
  };
  PrintCount("nothing", seeds, CountOf(first_seed, seeds, Breaks(), 0, false));
  PrintCount("nothing, with replicas", seeds, CountOf(first_seed, seeds, Breaks(), 0, true));
  for (const auto& rule : rules)
    PrintCount(rule.what, seeds, CountOf(first_seed, seeds, without(rule.flag), 0, rule.replicas));

  printf("\n| the store's clock is set back by | repeat an id, of 1,000 | give a time twice |\n|---|---|---|\n");
  for (const int64_t back_ms : {100, 1000, 5000, 30000}) {
    char text[32];
    snprintf(text, sizeof text, "%g s", static_cast<double>(back_ms) / 1000);
    PrintCount(text, seeds, CountOf(first_seed, seeds, Breaks(), back_ms * kMs, false));
  }

  printf("\nLongest without ids / largest lead of an id clock over the wall clock, of %llu installations:\n\n",
         static_cast<unsigned long long>(seeds / 10));
  constexpr Pool kPools[] = {{"static", false, false, false},
                             {"leased, two to spare a server", true, true, false},
                             {"leased, none to spare", true, false, false},
                             {"leased, the store declared durable", true, true, true}};
  constexpr struct {
    const char* what;
    bool crashes;
    int64_t wrong_us;
  } kFaults[] = {
      {"crash loops", true, 0},
      {"clocks wrong by up to 1 s, and set right", false, kSecond},
      {"... by up to 1 min", false, kMinute},
      {"... by up to 1 h", false, kHour},
      {"crash loops, and clocks wrong by up to 1 s", true, kSecond},
      {"... by up to 1 min", true, kMinute},
      {"... by up to 1 h", true, kHour},
  };
  printf("| faults |");
  for (const Pool& pool : kPools) printf(" %s |", pool.what);
  printf("\n|---|---|---|---|---|\n");
  for (const auto& fault : kFaults) {
    printf("| %s |", fault.what);
    for (const Pool& pool : kPools) {
      int64_t outage_us = 0, lead_us = 0;
      for (uint64_t seed = first_seed; seed < first_seed + seeds / 10; ++seed) {
        const Figures figures = UnderCrashes(seed, pool, fault.crashes, fault.wrong_us);
        outage_us = std::max(outage_us, figures.longest_outage_us);
        lead_us = std::max(lead_us, figures.largest_lead_us);
      }
      printf(" %.1f s / %.1f s |", static_cast<double>(outage_us) / kSecond, static_cast<double>(lead_us) / kSecond);
      fflush(stdout);
    }
    printf("\n");
  }
}

}  // namespace idgen::sim
