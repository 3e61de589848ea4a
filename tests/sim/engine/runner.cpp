// What the runner of seeds does that does not depend on the world.
#include "engine/runner.h"

#include <unistd.h>

#include <csignal>
#include <cstdlib>

namespace idgen::sim {
namespace {

constexpr size_t kTimelineEnd = 60;  // lines

uint64_t first_seed = 1;
uint64_t running_seed = 1;
bool expects_violation = false;

// The assertion's own message is on stderr already.
void ReportAbort(int) {
  char text[200];
  int size = snprintf(text, sizeof text, "seed %llu: an assertion failed\n", Shown(running_seed));
  if (expects_violation)
    size += snprintf(text + size, sizeof text - static_cast<size_t>(size), "caught within %llu seeds\n",
                     Shown(running_seed - first_seed + 1));
  const bool written = write(STDOUT_FILENO, text, static_cast<size_t>(size)) == size;
  _exit(written && expects_violation ? 0 : 1);
}

}  // namespace

uint64_t Arguments::NextNumber() noexcept { return strtoull(Next(), nullptr, 10); }

bool RunOptions::Set(const std::string& option, Arguments& arguments) noexcept {
  if (option == "--seed")
    first = arguments.NextNumber();
  else if (option == "--seeds")
    count = arguments.NextNumber();
  else if (option == "--timeline")
    timeline = true;
  else if (option == "--no-shrink")
    shrink = false;
  else if (option == "--expect-violation")
    expect_violation = true;
  else if (option == "--count")
    count_all = true;
  else
    return false;
  return true;
}

void ReportAborts(const RunOptions& options) noexcept {
  first_seed = running_seed = options.first;
  expects_violation = options.expect_violation;
  std::signal(SIGABRT, ReportAbort);
}

void SetRunningSeed(uint64_t seed) noexcept { running_seed = seed; }

void PrintTimeline(const std::vector<std::string>& timeline, bool whole) {
  const size_t from = whole || timeline.size() < kTimelineEnd ? 0 : timeline.size() - kTimelineEnd;
  printf("timeline%s:\n", from > 0 ? " (its end; --timeline shows all)" : "");
  for (size_t i = from; i < timeline.size(); ++i) printf("%s\n", timeline[i].c_str());
}

}  // namespace idgen::sim
