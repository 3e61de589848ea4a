// The options and figures of the world of leases.
#include "leases/run.h"

#include <algorithm>
#include <cstdio>
#include <optional>
#include <string>

#include "engine/format.h"
#include "engine/runner.h"
#include "leases/envelope.h"
#include "leases/scale.h"
#include "leases/world.h"

namespace idgen::sim {
namespace {

class Setup {
 public:
  using World = sim::World;
  static constexpr char kUsage[] =
      " [--ids-only] [--store-clock-back-ms N]\n"
      "                 [--standbys] [--servers N] [--minutes N] [--ttl-ms N] [--scale SERVERS [--svg FILE]] "
      "[--envelope]";

  explicit Setup(bool etcd) : etcd_(etcd) {}

  bool Set(const std::string& option, Arguments& arguments) {
    if (option == "--store-clock-back-ms")
      store_clock_back_ms_ = static_cast<int64_t>(arguments.NextNumber());
    else if (option == "--servers")
      servers_ = static_cast<int>(arguments.NextNumber());
    else if (option == "--minutes")
      minutes_ = static_cast<int64_t>(arguments.NextNumber());
    else if (option == "--ttl-ms")
      ttl_ms_ = static_cast<int64_t>(arguments.NextNumber());
    else if (option == "--standbys")
      standbys_ = true;
    else if (option == "--ids-only")
      watched_ = Rule::kId;
    else if (option == "--envelope")
      envelope_ = true;
    else if (option == "--scale")
      scale_ = static_cast<int>(arguments.NextNumber());
    else if (option == "--svg")
      svg_ = arguments.Next();
    else if (option == "--list-breaks")
      list_breaks_ = true;
    else
      return option.rfind("--break=", 0) == 0 && breaks_.Set(option.c_str() + 8);
    return true;
  }

  std::optional<int> RunInstead(const RunOptions& options) const {
    if (scale_ > 0 && etcd_) return ShowScaleOfEtcd(options.first, scale_, minutes_ > 0 ? minutes_ : 1);
    if (scale_ > 0) return ShowScale(options.first, scale_, minutes_ > 0 ? minutes_ / 60 : 24, svg_);
    if (list_breaks_) {
      // The stores of the two worlds are the same.
      for (const Breaks::Named& named : Breaks::kAll)
        if (named.repeats && !standbys_ && !etcd_) printf("%s\n", named.name);
    } else if (envelope_) {
      ShowEnvelope(options.first, options.count);
    } else {
      return std::nullopt;
    }
    return 0;
  }

  Plan PlanOf(uint64_t seed) const {
    Plan plan = etcd_ ? Plan::OfEtcd(seed) : Plan::Of(seed);
    plan.breaks = breaks_;
    plan.watched = watched_;
    plan.standbys = standbys_;
    plan.store_clock_back_us = store_clock_back_ms_ * kMs;
    if (servers_ > 0) {
      plan.servers = servers_;
      plan.static_servers = std::min(plan.static_servers, plan.servers / 4);
      plan.workers = plan.servers * 3;
      plan.faults = std::max(plan.faults, plan.servers * 4);
    }
    if (minutes_ > 0) plan.hours_us = minutes_ * kMinute;
    if (ttl_ms_ > 0) {
      plan.ttl_ms = ttl_ms_;
      plan.max_ahead_ms = std::min<int64_t>(1000, plan.ttl_ms / 4);
      plan.window_ms = std::min(plan.ttl_ms * 2 / 3, plan.ttl_ms - plan.max_ahead_ms);
    }
    return plan;
  }

  void Add(const Plan& plan, const World& world) {
    ids_ += world.figures().ids;
    events_ += world.figures().events;
    store_calls_ += world.figures().store_calls;
    server_hours_ += static_cast<double>(plan.hours_us) / kHour * plan.servers;
  }

  std::string Describe(const Plan& plan) const {
    return Format("%d servers (%d static), %d worker ids, store %d, %d replicas, WAIT %d, TTL %lld ms", plan.servers,
                  plan.static_servers, plan.workers, static_cast<int>(plan.store), plan.replicas, plan.wait_replicas,
                  static_cast<long long>(plan.ttl_ms));
  }

  std::string Summary(double seconds) const {
    return Format(
        "%llu ids, %.0f server-hours, %llu store calls, %llu events in %.1f s (%.0f server-hours/s, %.2f million "
        "ids/s)",
        Shown(ids_), server_hours_, Shown(store_calls_), Shown(events_), seconds, server_hours_ / seconds,
        static_cast<double>(ids_) / seconds / 1e6);
  }

 private:
  bool etcd_;
  Breaks breaks_;
  Rule watched_ = Rule::kAny;
  bool standbys_ = false;
  int64_t store_clock_back_ms_ = 0;
  int servers_ = 0;  // 0: as the seed says; so with the next two
  int64_t minutes_ = 0;
  int64_t ttl_ms_ = 0;
  bool list_breaks_ = false;
  bool envelope_ = false;
  int scale_ = 0;  // servers of the scale run: see scale.h
  const char* svg_ = nullptr;

  uint64_t ids_ = 0, events_ = 0, store_calls_ = 0;
  double server_hours_ = 0;
};

}  // namespace

int RunLeases(int argc, char** argv, bool etcd) {
  Setup setup(etcd);
  return RunSeeds(setup, Arguments(argc, argv));
}

}  // namespace idgen::sim
