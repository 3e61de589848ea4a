// The options and figures of the world of sequences.
#include "sequences/run.h"

#include <cstdio>
#include <optional>
#include <string>

#include "engine/format.h"
#include "engine/runner.h"
#include "sequences/world.h"

namespace idgen::sim::sequences {
namespace {

class Setup {
 public:
  using World = sequences::World;
  static constexpr char kUsage[] = "";

  bool Set(const std::string& option, Arguments&) {
    if (option == "--etcd") return etcd_ = true;
    if (option == "--list-breaks") return list_breaks_ = true;
    return option.rfind("--break=", 0) == 0 && breaks_.Set(option.c_str() + 8);
  }

  std::optional<int> RunInstead(const RunOptions&) const {
    if (!list_breaks_) return std::nullopt;
    if (etcd_) return 0;  // those are Redis'
    for (const Breaks::Named& named : Breaks::kAll) printf("%s %s\n", named.name, named.where);
    return 0;
  }

  Plan PlanOf(uint64_t seed) const {
    Plan plan = etcd_ ? Plan::OfEtcd(seed) : Plan::Of(seed);
    plan.breaks = breaks_;
    return plan;
  }

  void Add(const Plan&, const World& world) {
    const Figures figures = world.figures();
    for (const auto figure :
         {&Figures::values, &Figures::repeated, &Figures::calls, &Figures::failed_calls, &Figures::raises,
          &Figures::returns, &Figures::syncs, &Figures::records, &Figures::crashes, &Figures::forgot, &Figures::events})
      all_.*figure += figures.*figure;
  }

  std::string Describe(const Plan& plan) const {
    return Format("%d servers of %d backends, %zu keys, %d slots, %d replicas, a store that %s", plan.servers,
                  plan.backends, plan.keys.size(), plan.slots, plan.replicas,
                  plan.store == StoreKind::kEtcd
                      ? plan.restores ? "is an etcd that is restored from snapshots" : "is an etcd"
                  : plan.forgets ? "forgets"
                                 : "keeps what it has");
  }

  std::string Summary(double seconds) const {
    return Format(
        "%llu values of sequences (%llu given again by stores that forgot), %llu calls (%llu failed), %llu raises, "
        "%llu remainders returned, %llu records, %llu syncs, %llu crashes, %llu losses, %llu events in %.1f s",
        Shown(all_.values), Shown(all_.repeated), Shown(all_.calls), Shown(all_.failed_calls), Shown(all_.raises),
        Shown(all_.returns), Shown(all_.records), Shown(all_.syncs), Shown(all_.crashes), Shown(all_.forgot),
        Shown(all_.events), seconds);
  }

 private:
  Breaks breaks_;
  bool list_breaks_ = false;
  bool etcd_ = false;
  Figures all_;
};

}  // namespace

int RunSequences(int argc, char** argv) {
  Setup setup;
  return RunSeeds(setup, Arguments(argc, argv));
}

}  // namespace idgen::sim::sequences
