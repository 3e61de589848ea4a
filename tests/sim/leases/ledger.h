// Everything ever issued, and two rules: nothing is issued twice, and the times that successive holders of one worker
// id issue in are disjoint. Both for every line of ids (which layout, which worker), as ranges of positions; the second
// shows a potential duplicate long before two servers happen to use the same tick.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "core/position.h"

namespace idgen::sim {

struct Issue {
  core::Position start = 0;
  core::Position end = 0;
  int server = -1;
  int life = 0;
  int64_t at_us = 0;  // of the first
  uint64_t acquisition = 0;
};

class Ledger {
 public:
  // Positions [start, end) that were handed out. False if one of them was issued before; `*before` is that issue.
  bool Add(size_t line, core::Position start, core::Position end, int server, int life, int64_t at_us, Issue* before) {
    std::vector<Issue>& issues = LineOf(line).issues;
    const auto goes_on = [&](const Issue& issue) {
      return issue.end == start && issue.server == server && issue.life == life;
    };
    if (!issues.empty() && goes_on(issues.back())) {
      issues.back().end = end;
      return true;
    }
    auto after = issues.end();
    if (!issues.empty() && issues.back().end > start)
      after = std::upper_bound(issues.begin(), issues.end(), start,
                               [](core::Position value, const Issue& issue) { return value < issue.start; });
    if (after != issues.end() && after->start < end) {
      *before = *after;
      return false;
    }
    if (after != issues.begin()) {
      auto at = after - 1;
      if (at->end > start) {
        *before = *at;
        return false;
      }
      if (goes_on(*at)) {
        at->end = end;
        return true;
      }
    }
    issues.insert(after, {start, end, server, life, at_us, 0});
    return true;
  }

  // Positions [start, end) that were reserved, all under one acquisition of the worker id. False if they lie within
  // what was reserved under another, which is then in `*other`.
  bool Reserve(size_t line, core::Position start, core::Position end, int server, int life, uint64_t acquisition,
               int64_t at_us, Issue* other) {
    std::vector<Issue>& holdings = LineOf(line).holdings;
    const auto own = [server, life, acquisition](const Issue& issue) {
      return issue.server == server && issue.life == life && issue.acquisition == acquisition;
    };
    if (!holdings.empty() && holdings.back().start <= start && own(holdings.back())) {
      holdings.back().end = std::max(holdings.back().end, end);
      return true;
    }
    const auto after = std::upper_bound(holdings.begin(), holdings.end(), start,
                                        [](core::Position value, const Issue& issue) { return value < issue.start; });
    if (after != holdings.begin()) {
      Issue& before = *(after - 1);
      if (before.end > start && !own(before)) {
        *other = before;
        return false;
      }
      if (own(before) && (after == holdings.end() || after->start >= end)) {
        before.end = std::max(before.end, end);
        return true;
      }
    }
    if (after != holdings.end() && after->start < end) {
      *other = *after;
      return false;
    }
    holdings.insert(after, {start, end, server, life, at_us, acquisition});
    return true;
  }

 private:
  struct Line {
    std::vector<Issue> issues;
    std::vector<Issue> holdings;
  };
  Line& LineOf(size_t line) {
    if (lines_.size() <= line) lines_.resize(line + 1);
    return lines_[line];
  }

  std::vector<Line> lines_;
};

}  // namespace idgen::sim
