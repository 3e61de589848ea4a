// Many servers with the defaults on one store that keeps what it acknowledged. Each is restarted once and crashes once
// in the time; the store is restarted three times.
#include "leases/scale.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <vector>

#include "leases/world.h"

namespace idgen::sim {
namespace {

double SecondsAt(const std::vector<int64_t>& sorted_us, double share) {
  return static_cast<double>(sorted_us[static_cast<size_t>(share * static_cast<double>(sorted_us.size() - 1))]) /
         kSecond;
}

void PrintTimes(const char* what, const std::vector<int64_t>& sorted_us) {
  if (sorted_us.empty()) return;
  printf("| %s | %zu | %.3f s | %.3f s | %.3f s |\n", what, sorted_us.size(), SecondsAt(sorted_us, 0.5),
         SecondsAt(sorted_us, 0.99), SecondsAt(sorted_us, 1));
}

// The share of starts that could issue ids within a time, from a millisecond to a hundred seconds. One file for light
// and dark pages: an <img> follows the reader's setting by the media query.
constexpr double kWidth = 640, kHeight = 300, kLeft = 60, kTop = 40;
constexpr char kStyle[] =
    "<style>\n"
    "text { font: 13px system-ui, sans-serif; fill: #1f2328 } .title { font-size: 15px } .grid { stroke: #d1d9e0 }\n"
    "polyline { fill: none; stroke-width: 2 } .stops { stroke: #0969da } .crashes { stroke: #cf222e }\n"
    "text.stops { fill: #0969da; stroke: none } text.crashes { fill: #cf222e; stroke: none }\n"
    "@media (prefers-color-scheme: dark) {\n"
    "  text { fill: #f0f6fc } .grid { stroke: #3d444d } .stops { stroke: #4493f8 } .crashes { stroke: #ff7b72 }\n"
    "  text.stops { fill: #4493f8 } text.crashes { fill: #ff7b72 }\n"
    "}\n"
    "</style>\n";

double X(double seconds) { return kLeft + kWidth * (std::log10(std::max(seconds, 1e-3)) + 3) / 5; }
double Y(double share) { return kTop + kHeight * (1 - share); }

void DrawCurve(FILE* file, const std::vector<int64_t>& sorted_us, const char* kind, const char* what, int row) {
  if (sorted_us.empty()) return;
  fprintf(file, "<polyline class='%s' points='", kind);
  for (int i = 0; i <= 400; ++i) {
    // The far end is where it matters.
    const double share = i / 400.0;
    fprintf(file, "%.1f,%.1f ", X(SecondsAt(sorted_us, share)), Y(share));
  }
  // The legend is in the middle, where a curve passes only if a start takes about a second.
  fprintf(file, "'/>\n<text class='%s' x='%.0f' y='%.0f'>%s</text>\n", kind, X(0.03), Y(0.66) + 22.0 * row, what);
}

bool Draw(const char* path, const Plan& plan, const std::vector<int64_t>& stops_us,
          const std::vector<int64_t>& crashes_us) {
  FILE* file = fopen(path, "w");
  if (file == nullptr) return false;
  fprintf(
      file,
      "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 %.0f %.0f'>\n%s"
      "<text class='title' x='%.0f' y='24'>Starts that can issue ids within a time: %d servers, TTL %lld s</text>\n",
      kLeft + kWidth + 40, kTop + kHeight + 40, kStyle, kLeft, plan.servers,
      static_cast<long long>(plan.ttl_ms / 1000));
  for (int power = -3; power <= 2; ++power) {
    const double x = X(std::pow(10, power));
    fprintf(file,
            "<line class='grid' x1='%.1f' y1='%.0f' x2='%.1f' y2='%.0f'/><text x='%.1f' y='%.0f' "
            "text-anchor='middle'>%g s</text>\n",
            x, kTop, x, kTop + kHeight, x, kTop + kHeight + 20, std::pow(10, power));
  }
  for (int percent = 0; percent <= 100; percent += 25)
    fprintf(file,
            "<line class='grid' x1='%.0f' y1='%.1f' x2='%.0f' y2='%.1f'/><text x='%.0f' y='%.1f' text-anchor='end'>%d "
            "%%</text>\n",
            kLeft, Y(percent / 100.0), kLeft + kWidth, Y(percent / 100.0), kLeft - 8, Y(percent / 100.0) + 4, percent);
  DrawCurve(file, stops_us, "stops", "first start, or after a clean stop", 0);
  DrawCurve(file, crashes_us, "crashes", "after a crash", 1);
  fprintf(file, "</svg>\n");
  return fclose(file) == 0;
}

}  // namespace

int ShowScale(uint64_t seed, int servers, int64_t hours, const char* svg) {
  const Plan plan = Plan::AtScale(seed, servers, hours);
  World world(plan, World::FaultsAtScale(plan));
  const bool held = world.Run();
  const Figures& figures = world.figures();
  std::vector<int64_t> stops_us = figures.ready_after_stop_us, crashes_us = figures.ready_after_crash_us;
  std::sort(stops_us.begin(), stops_us.end());
  std::sort(crashes_us.begin(), crashes_us.end());
  printf("%d servers, %lld h, TTL %lld ms, %d worker ids: %llu ids, %llu acquisitions, %llu leases lost\n",
         plan.servers, static_cast<long long>(hours), static_cast<long long>(plan.ttl_ms), plan.workers,
         static_cast<unsigned long long>(figures.ids), static_cast<unsigned long long>(figures.acquisitions),
         static_cast<unsigned long long>(figures.lost_leases));
  printf("requests to the store: %.1f per second\n",
         static_cast<double>(figures.store_calls) / (static_cast<double>(plan.hours_us) / kSecond));
  printf(
      "| from the start of a server until it can give ids | starts | median | 99 %% | longest "
      "|\n|---|---|---|---|---|\n");
  PrintTimes("first starts, and after a clean stop", stops_us);
  PrintTimes("after a crash", crashes_us);
  if (!held) printf("VIOLATION: %s\n", world.violation().c_str());
  if (svg != nullptr && !Draw(svg, plan, stops_us, crashes_us)) printf("could not write %s\n", svg);
  return held ? 0 : 1;
}

int ShowScaleOfEtcd(uint64_t seed, int servers, int64_t minutes) {
  constexpr double kMostPerServer = 0.5 + 1.0 / 12;  // a renewal every 2 s, a keep-alive every 12 s
  Plan plan = Plan::AtScale(seed, servers, 0);
  plan.store = StoreKind::kEtcd;
  plan.checks_keys = false;
  plan.hours_us = minutes * kMinute;
  plan.start_within_us = 0;
  World world(plan, {});
  const bool held = world.Run();
  const std::vector<uint64_t>& calls = world.figures().etcd_calls;
  std::vector<int64_t> ready_us = world.figures().ready_after_stop_us;
  std::sort(ready_us.begin(), ready_us.end());
  // The first renewals are over by then, and so are all acquisitions.
  const auto begin = static_cast<size_t>(30);
  uint64_t most = 0, sum = 0, acquiring = 0;
  for (size_t second = 0; second + 1 < calls.size(); ++second) {
    if (second < begin) acquiring += calls[second];
    if (second >= begin) sum += calls[second];
    if (second >= begin) most = std::max(most, calls[second]);
  }
  const double per_second = static_cast<double>(sum) / static_cast<double>(calls.size() - 1 - begin);
  const bool is_within = per_second <= kMostPerServer * servers + 1;
  printf(
      "%d servers start at once: %zu have a worker id, the last after %.3f s; %llu requests in the first second, %llu "
      "in 30 s\n",
      servers, ready_us.size(), ready_us.empty() ? 0 : SecondsAt(ready_us, 1),
      static_cast<unsigned long long>(calls.empty() ? 0 : calls[0]), static_cast<unsigned long long>(acquiring));
  printf("then %.1f requests per second, at most %llu in one second\n", per_second,
         static_cast<unsigned long long>(most));
  if (!held) printf("VIOLATION: %s\n", world.violation().c_str());
  if (!is_within) printf("VIOLATION: more than %.1f requests per second\n", kMostPerServer * servers + 1);
  return held && is_within && ready_us.size() == static_cast<size_t>(servers) ? 0 : 1;
}

}  // namespace idgen::sim
