// One seed, or many; the shortest history of what is found.
#include "sequences/run.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "sequences/world.h"
#include "engine/shrink.h"

namespace idgen::sim::sequences {
namespace {

struct Options {
  uint64_t first = 1;
  uint64_t count = 1;
  bool timeline = false;
  bool expect_violation = false;
  bool count_all = false;  // violations, to the last seed
  bool shrink = true;
  Breaks breaks;
};

Plan PlanOf(const Options& options, uint64_t seed) {
  Plan plan = Plan::Of(seed);
  plan.breaks = options.breaks;
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
  printf("seed %llu: %s\n", static_cast<unsigned long long>(seed), world.violation().c_str());
  printf("%d servers of %d backends, %zu keys, %d places, %d replicas, a store that %s; %zu faults are enough:\n",
         plan.servers, plan.backends, plan.keys.size(), plan.places, plan.replicas,
         plan.forgets ? "forgets" : "keeps what it has", faults.size());
  for (const Fault& fault : faults) printf("  %s\n", Describe(fault).c_str());
  const size_t from = options.timeline || world.timeline().size() < 60 ? 0 : world.timeline().size() - 60;
  printf("timeline%s:\n", from > 0 ? " (its end; --timeline shows all)" : "");
  for (size_t i = from; i < world.timeline().size(); ++i) printf("%s\n", world.timeline()[i].c_str());
}

int Usage() {
  fprintf(
      stderr,
      "usage: idgen_sim --sequences [--seed N] [--seeds COUNT] [--break=NAME]... [--expect-violation] [--timeline]\n"
      "                             [--no-shrink] [--count] [--list-breaks]\n");
  return 2;
}

}  // namespace

int RunSequences(int argc, char** argv) {
  Options options;
  for (int i = 0; i < argc; ++i) {
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
    } else if (argument == "--count") {
      options.count_all = true;
    } else if (argument == "--list-breaks") {
      for (const Breaks::Named& named : Breaks::kAll) printf("%s %s\n", named.name, named.where);
      return 0;
    } else if (argument.rfind("--break=", 0) == 0) {
      if (!options.breaks.Set(argument.c_str() + 8)) return Usage();
    } else {
      return Usage();
    }
  }
  const auto begun = std::chrono::steady_clock::now();
  uint64_t violations = 0;
  Figures all;
  for (uint64_t seed = options.first; seed < options.first + options.count; ++seed) {
    const Plan plan = PlanOf(options, seed);
    World world(plan, World::FaultsOf(plan));
    const bool held = world.Run();
    const Figures figures = world.figures();
    for (const auto figure :
         {&Figures::values, &Figures::repeated, &Figures::calls, &Figures::failed_calls, &Figures::raises,
          &Figures::returns, &Figures::syncs, &Figures::records, &Figures::crashes, &Figures::forgot, &Figures::events})
      all.*figure += figures.*figure;
    if (held) continue;
    ++violations;
    if (options.count_all) {
      printf("seed %llu: %s\n", static_cast<unsigned long long>(seed), world.violation().c_str());
      continue;
    }
    if (options.expect_violation) {
      printf("seed %llu: %s\n", static_cast<unsigned long long>(seed), world.violation().c_str());
      printf("caught within %llu seeds\n", static_cast<unsigned long long>(seed - options.first + 1));
      return 0;
    }
    Tell(options, seed);
    break;
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  const auto shown = [](uint64_t figure) { return static_cast<unsigned long long>(figure); };
  printf(
      "%llu seeds from %llu: %llu values of sequences (%llu given again by stores that forgot), %llu calls (%llu "
      "failed), %llu raises, %llu rests given back, %llu records, %llu syncs, %llu crashes, %llu losses, %llu events "
      "in %.1f s; violations: %llu\n",
      shown(options.count), shown(options.first), shown(all.values), shown(all.repeated), shown(all.calls),
      shown(all.failed_calls), shown(all.raises), shown(all.returns), shown(all.records), shown(all.syncs),
      shown(all.crashes), shown(all.forgot), shown(all.events), seconds, shown(violations));
  return (violations == 0 && !options.expect_violation) || options.count_all ? 0 : 1;
}

}  // namespace idgen::sim::sequences
