// The command line of the simulator: seeds one after the other, the shortest history of the first violation, a summary.
// It is the same for every world.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/shrink.h"

namespace idgen::sim {

class Arguments {
 public:
  Arguments(int count, char** words) noexcept : left_(count), next_(words) {}

  bool empty() const noexcept { return left_ == 0; }
  const char* Next() noexcept { return left_ > 0 ? (--left_, *next_++) : ""; }
  uint64_t NextNumber() noexcept;

 private:
  int left_;
  char** next_;
};

struct RunOptions {
  uint64_t first = 1;
  uint64_t count = 1;
  bool timeline = false;
  bool expect_violation = false;
  bool count_all = false;  // every violation, to the last seed
  bool shrink = true;

  // False if the option is none of these, which every world has.
  bool Set(const std::string& option, Arguments& arguments) noexcept;
};

inline unsigned long long Shown(uint64_t number) noexcept { return number; }

// A failed assertion (core/check.h) ends the process. It counts as a violation of the running seed.
void ReportAborts(const RunOptions& options) noexcept;
void SetRunningSeed(uint64_t seed) noexcept;

void PrintTimeline(const std::vector<std::string>& timeline, bool whole);

// The violation of that seed, with as few faults as show it.
template <class Setup>
void PrintViolation(const Setup& setup, const RunOptions& options, uint64_t seed) {
  using World = typename Setup::World;
  const auto plan = setup.PlanOf(seed);
  auto faults = World::FaultsOf(plan);
  if (options.shrink)
    faults = Shrink(std::move(faults), [&plan](const auto& fewer) { return !World(plan, fewer).Run(); });
  World world(plan, faults);
  world.KeepTimeline();
  world.Run();
  printf("seed %llu: %s\n", Shown(seed), world.violation().c_str());
  printf("%s; %zu faults are enough:\n", setup.Describe(plan).c_str(), faults.size());
  for (const auto& fault : faults) printf("  %s\n", Describe(fault).c_str());
  PrintTimeline(world.timeline(), options.timeline);
}

// Setup is a world's own part:
//   World                       FaultsOf(plan), World(plan, faults), Run(), violation(), KeepTimeline(), timeline()
//   kUsage                      the options that only this world has, for the usage message
//   Set(option, arguments)      sets an option of its own; false if there is none of that name
//   RunInstead(options)         what its own options ask for instead of a run of seeds: its exit code, or nullopt
//   PlanOf(seed)                the plan that World takes
//   Add(plan, world)            adds the figures of a run
//   Describe(plan)              one line
//   Summary(seconds)            the figures of all runs
// Returns the exit code.
template <class Setup>
int RunSeeds(Setup& setup, Arguments arguments) {
  RunOptions options;
  while (!arguments.empty()) {
    const std::string option = arguments.Next();
    if (options.Set(option, arguments) || setup.Set(option, arguments)) continue;
    fprintf(
        stderr,
        "usage: idgen_sim [--sequences] [--etcd] [--seed N] [--seeds COUNT] [--expect-violation] [--timeline] [--no-shrink]\n"
        "                 [--count] [--break=NAME]... [--list-breaks]%s\n",
        Setup::kUsage);
    return 2;
  }
  ReportAborts(options);
  if (const std::optional<int> exit_code = setup.RunInstead(options)) return *exit_code;
  const auto begun = std::chrono::steady_clock::now();
  uint64_t violations = 0;
  for (uint64_t seed = options.first; seed < options.first + options.count; ++seed) {
    SetRunningSeed(seed);
    const auto plan = setup.PlanOf(seed);
    typename Setup::World world(plan, Setup::World::FaultsOf(plan));
    const bool held = world.Run();
    setup.Add(plan, world);
    if (held) continue;
    ++violations;
    if (options.count_all || options.expect_violation)
      printf("seed %llu: %s\n", Shown(seed), world.violation().c_str());
    if (options.count_all) continue;
    if (options.expect_violation) {
      printf("caught within %llu seeds\n", Shown(seed - options.first + 1));
      return 0;
    }
    PrintViolation(setup, options, seed);
    break;
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  printf("%llu seeds from %llu: %s; violations: %llu\n", Shown(options.count), Shown(options.first),
         setup.Summary(seconds).c_str(), Shown(violations));
  return (violations == 0 && !options.expect_violation) || options.count_all ? 0 : 1;
}

}  // namespace idgen::sim
