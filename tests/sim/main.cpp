// The simulator's command line: one seed, or many; finds the shortest history of what it finds.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "leases/envelope.h"
#include "leases/scale.h"
#include "sequences/run.h"
#include "leases/server.h"
#include "engine/shrink.h"
#include "leases/world.h"

namespace {

using namespace idgen::sim;

struct Options {
  uint64_t first = 1;
  uint64_t count = 1;
  bool timeline = false;
  bool expect_violation = false;
  bool count_all = false;  // violations, to the last seed
  int scale = 0;           // servers of a run that shows what to expect
  bool envelope = false;
  const char* svg = nullptr;
  bool shrink = true;
  Rule watched = Rule::kAny;
  Breaks breaks;
  long long store_clock_back_ms = 0;
  int servers = 0;        // 0: as the seed says
  long long minutes = 0;  // likewise
  long long ttl_ms = 0;   // likewise
};

Plan PlanOf(const Options& options, uint64_t seed) {
  Plan plan = Plan::Of(seed);
  plan.breaks = options.breaks;
  plan.watched = options.watched;
  plan.store_clock_back_us = options.store_clock_back_ms * 1000;
  if (options.servers > 0) {
    plan.servers = options.servers;
    plan.static_servers = std::min(plan.static_servers, plan.servers / 4);
    plan.workers = plan.servers * 3;
    plan.faults = std::max(plan.faults, plan.servers * 4);
  }
  if (options.minutes > 0) plan.hours_us = options.minutes * kMinute;
  if (options.ttl_ms > 0) {
    plan.ttl_ms = options.ttl_ms;
    plan.max_ahead_ms = std::min<int64_t>(1000, plan.ttl_ms / 4);
    plan.window_ms = std::min(plan.ttl_ms * 2 / 3, plan.ttl_ms - plan.max_ahead_ms);
  }
  return plan;
}

void Tell(const Options& options, uint64_t seed) {
  const Plan plan = PlanOf(options, seed);
  std::vector<Fault> faults = World::FaultsOf(plan);
  if (options.shrink)
    faults = Shrink(std::move(faults), [&plan](const auto& fewer) { return !World(plan, fewer).Run(); });
  World world(plan, faults);
  world.KeepTimeline();
  world.Run();
  printf("seed %llu: %s\n", static_cast<unsigned long long>(seed), world.violation().text.c_str());
  printf("%d servers (%d static), %d worker ids, store %d, %d replicas, WAIT %d, TTL %lld ms; %zu faults are enough:\n",
         plan.servers, plan.static_servers, plan.workers, static_cast<int>(plan.store), plan.replicas,
         plan.wait_replicas, static_cast<long long>(plan.ttl_ms), faults.size());
  for (const Fault& fault : faults) printf("  %s\n", Describe(fault).c_str());
  const size_t from = options.timeline || world.timeline().size() < 60 ? 0 : world.timeline().size() - 60;
  printf("timeline%s:\n", from > 0 ? " (its end; --timeline shows all)" : "");
  for (size_t i = from; i < world.timeline().size(); ++i) printf("%s\n", world.timeline()[i].c_str());
}

int Usage() {
  fprintf(
      stderr,
      "usage: idgen_sim [--seed N] [--seeds COUNT] [--break=NAME]... [--expect-violation] [--timeline] [--no-shrink]\n"
      "                 [--store-clock-back-ms N] [--servers N] [--minutes N] [--ttl-ms N] [--count] [--ids-only]\n"
      "                 [--scale SERVERS [--svg FILE]] [--envelope] [--list-breaks]\n"
      "       idgen_sim --sequences ...   the world of sequences\n");
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1 && strcmp(argv[1], "--sequences") == 0) return idgen::sim::sequences::RunSequences(argc - 2, argv + 2);
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    const auto number = [&] { return i + 1 < argc ? strtoull(argv[++i], nullptr, 10) : 0; };
    if (argument == "--seed") {
      options.first = number();
    } else if (argument == "--seeds") {
      options.count = number();
    } else if (argument == "--timeline") {
      options.timeline = true;
    } else if (argument == "--no-shrink") {
      options.shrink = false;
    } else if (argument == "--expect-violation") {
      options.expect_violation = true;
    } else if (argument == "--store-clock-back-ms") {
      options.store_clock_back_ms = static_cast<long long>(number());
    } else if (argument == "--envelope") {
      options.envelope = true;
    } else if (argument == "--ids-only") {
      options.watched = Rule::kId;
    } else if (argument == "--count") {
      options.count_all = true;
    } else if (argument == "--svg" && i + 1 < argc) {
      options.svg = argv[++i];
    } else if (argument == "--scale") {
      options.scale = static_cast<int>(number());
    } else if (argument == "--servers") {
      options.servers = static_cast<int>(number());
    } else if (argument == "--minutes") {
      options.minutes = static_cast<long long>(number());
    } else if (argument == "--ttl-ms") {
      options.ttl_ms = static_cast<long long>(number());
    } else if (argument == "--list-breaks") {
      for (const Breaks::Named& named : Breaks::kAll)
        if (named.repeats) printf("%s\n", named.name);
      return 0;
    } else if (argument.rfind("--break=", 0) == 0) {
      if (!options.breaks.Set(argument.c_str() + 8)) return Usage();
    } else {
      return Usage();
    }
  }
  if (options.scale > 0)
    return ShowScale(options.first, options.scale, options.minutes > 0 ? options.minutes / 60 : 24, options.svg);
  if (options.envelope) {
    ShowEnvelope(options.first, options.count);
    return 0;
  }
  const auto begun = std::chrono::steady_clock::now();
  uint64_t ids = 0, events = 0, calls = 0, violations = 0;
  double server_hours = 0;
  for (uint64_t seed = options.first; seed < options.first + options.count; ++seed) {
    const Plan plan = PlanOf(options, seed);
    World world(plan, World::FaultsOf(plan));
    const bool held = world.Run();
    ids += world.figures().ids;
    events += world.figures().events;
    calls += world.figures().store_calls;
    server_hours += static_cast<double>(plan.hours_us) / kHour * plan.servers;
    if (held) continue;
    ++violations;
    if (options.count_all) continue;
    if (options.expect_violation) {
      printf("seed %llu: %s\n", static_cast<unsigned long long>(seed), world.violation().text.c_str());
      printf("caught within %llu seeds\n", static_cast<unsigned long long>(seed - options.first + 1));
      return 0;
    }
    Tell(options, seed);
    break;
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  printf(
      "%llu seeds from %llu: %llu ids, %.0f server-hours, %llu store calls, %llu events in %.1f s (%.0f "
      "server-hours/s, "
      "%.2f million ids/s); violations: %llu\n",
      static_cast<unsigned long long>(options.count), static_cast<unsigned long long>(options.first),
      static_cast<unsigned long long>(ids), server_hours, static_cast<unsigned long long>(calls),
      static_cast<unsigned long long>(events), seconds, server_hours / seconds,
      static_cast<double>(ids) / seconds / 1e6, static_cast<unsigned long long>(violations));
  return (violations == 0 && !options.expect_violation) || options.count_all ? 0 : 1;
}
