// Judging a value by all that were given before it.
#include "sequences/ledger.h"

#include <algorithm>
#include <cstdio>

namespace idgen::sim::sequences {

Ledger::Ledger(int keys, int servers, bool one_master) : one_master_(one_master), keys_(static_cast<size_t>(keys)) {
  for (Key& key : keys_) {
    key.evicted.resize(static_cast<size_t>(servers));
    key.has_given.resize(static_cast<size_t>(servers));
    key.orders.resize(static_cast<size_t>(servers));
  }
}

void Ledger::NoteReset(int key, uint64_t at, int64_t value) { KeyOf(key).resets.push_back({at, value}); }
void Ledger::NoteForgot(int key, uint64_t at, uint64_t since) { KeyOf(key).losses.push_back({at, since}); }
void Ledger::NoteEvicted(int key, int server, uint64_t at) { KeyOf(key).evicted[static_cast<size_t>(server)] = at; }

size_t Ledger::Add(const Grant& grant) {
  grants_.push_back(grant);
  KeyOf(grant.key).grants.push_back(grants_.size() - 1);
  return grants_.size() - 1;
}

bool Ledger::IsReset(int key, uint64_t from, uint64_t to, int64_t value) const {
  const std::vector<Reset>& resets = KeyOf(key).resets;
  return std::any_of(resets.begin(), resets.end(),
                     [&](const Reset& reset) { return reset.at > from && reset.at < to && reset.value < value; });
}

uint64_t Ledger::ForgotBetween(int key, uint64_t from, uint64_t to) const {
  uint64_t last = 0;
  for (const Loss& loss : KeyOf(key).losses)
    if (loss.since < from && loss.at > from && loss.at < to) last = loss.at;
  return last;
}

bool Ledger::Knows(const Gift& gift, const Grant& later) const {
  const Grant& grant = grants_[gift.grant];
  // Of two that were under way at the same time the second is identified by who gave it, unless a set came in between.
  if (grant.noted >= later.found &&
      (grant.process == later.process || IsReset(grant.key, grant.ran, std::max(grant.noted, later.noted), INT64_MAX)))
    return false;
  if (grant.noted >= later.found && KeyOf(grant.key).evicted[static_cast<size_t>(grant.server)] != 0) return false;
  if (KeyOf(grant.key).evicted[static_cast<size_t>(grant.server)] > grant.noted) return false;
  if (later.generation > grant.generation) return false;
  return grant.life == later.life || (gift.committed != 0 && grant.process != later.process);
}

std::string Ledger::JudgePair(const Gift& one, const Gift& other, int64_t value) const {
  const bool in_order = grants_[one.grant].ran < grants_[other.grant].ran;
  const Gift& a = in_order ? one : other;
  const Grant& first = grants_[a.grant];
  const Grant& second = grants_[(in_order ? other : one).grant];
  if (IsReset(first.key, first.ran, second.ran, value)) return "";
  uint64_t forgot = ForgotBetween(first.key, first.ran, second.ran);
  // Of two masters each one has forgotten what the other gives.
  if (forgot == 0 && !one_master_ && first.process != second.process) forgot = second.ran;
  const char* why = nullptr;
  if (forgot != 0 && !IsMarked(first.key)) return "";
  if (forgot == 0) {
    why = "is given twice, and the store forgot nothing";
  } else if (first.server == second.server) {
    if (Knows(a, second)) why = "is given again by the same server";
  } else {
    for (const size_t index : KeyOf(first.key).grants) {
      const Grant& asked = grants_[index];
      // A cluster that is restored once more has forgotten that it was raised.
      if (one_master_ && ForgotBetween(first.key, asked.ran, second.ran) != 0) continue;
      if (asked.server == first.server && asked.asked > forgot && asked.noted != 0 && asked.ran < second.ran &&
          asked.process == second.process && first.noted < asked.found && Knows(a, asked))
        why = "is given again by another server, though the first had asked";
    }
  }
  if (why == nullptr) return "";
  char text[300];
  snprintf(text, sizeof text,
           "key %d: the value %lld %s: to server %d in its life %d (event %llu), and to server %d in its life %d "
           "(event %llu)",
           first.key, static_cast<long long>(value), why, first.server, first.life,
           static_cast<unsigned long long>(first.ran), second.server, second.life,
           static_cast<unsigned long long>(second.ran));
  return text;
}

std::string Ledger::JudgeOrder(size_t index, int64_t value, uint64_t order) {
  const Grant& grant = grants_[index];
  auto& [life, taken] = KeyOf(grant.key).orders[static_cast<size_t>(grant.server)];
  if (life != grant.life) taken.clear();
  life = grant.life;
  const auto at = taken.emplace(order, std::pair(value, index)).first;
  if (at == taken.begin()) return "";
  const auto [before, before_index] = std::prev(at)->second;
  const Grant& earlier = grants_[before_index];
  if (before < value || IsReset(grant.key, earlier.ran, grant.ran, before) || earlier.noted >= grant.found) return "";
  if (grant.generation > earlier.generation) return "";
  if (KeyOf(grant.key).evicted[static_cast<size_t>(grant.server)] > earlier.noted) return "";
  char text[200];
  snprintf(text, sizeof text, "key %d: server %d gives %lld after %lld", grant.key, grant.server,
           static_cast<long long>(value), static_cast<long long>(before));
  return text;
}

void Ledger::Uncommit(int server, uint64_t since) {
  for (auto gift = gifts_.rbegin(); gift != gifts_.rend() && (gift->committed == 0 || gift->committed > since); ++gift)
    if (grants_[gift->grant].server == server) gift->committed = 0;
}

size_t Ledger::Give(size_t index, int64_t value, uint64_t order, uint64_t now, std::string* problem) {
  const Grant& grant = grants_[index];
  Key& key = KeyOf(grant.key);
  key.has_given[static_cast<size_t>(grant.server)] = true;
  gifts_.push_back({index, now, 0});
  std::vector<size_t>& same = key.gifts[value];
  for (const size_t other : same)
    if (problem->empty()) *problem = JudgePair(gifts_[other], gifts_.back(), value);
  if (!same.empty()) ++repeated_;
  same.push_back(gifts_.size() - 1);
  if (problem->empty() && order != 0) *problem = JudgeOrder(index, value, order);
  return gifts_.size() - 1;
}

}  // namespace idgen::sim::sequences
