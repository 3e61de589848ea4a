// Searching the records of a prefix, and choosing the worker ids to ask for.
#include "lease/etcd/listing.h"

#include <algorithm>

namespace idgen::lease {
namespace {

using Kind = EtcdKeys::Kind;

struct Free {
  Candidate candidate;
  int64_t from_ms = 0;  // the ceiling, or now if that is later
};

uint64_t Next(uint64_t& state) noexcept {
  state ^= state << 13;  // xorshift64, Marsaglia 2003
  state ^= state >> 7;
  state ^= state << 17;
  return state;
}

// Keeps the lowest in order, earlier ones first among equals. True if there are too many: `added` is then the one that
// is left out.
bool KeepLowest(Free (&lowest)[Choice::kLowest], int& count, Free& added) noexcept {
  int at = count;
  while (at > 0 && lowest[at - 1].from_ms > added.from_ms) --at;
  if (at == Choice::kLowest) return true;
  const bool is_full = count == Choice::kLowest;
  const Free last = lowest[Choice::kLowest - 1];
  if (!is_full) ++count;
  std::copy_backward(lowest + at, lowest + count - 1, lowest + count);
  lowest[at] = added;
  added = last;
  return is_full;
}

bool IsSame(const wire::EtcdKv& kv, const FencedLease& lease) noexcept {
  return kv.mod_revision == lease.fence && ParseHolder(kv.value).token == lease.token;
}

}  // namespace

bool EtcdListing::Find(Kind kind, uint32_t worker, wire::EtcdKv* kv) const noexcept {
  const std::string_view key = keys_.Key(kind, worker);
  int low = 0, high = range_.kv_count();
  while (low < high) {
    const int middle = low + (high - low) / 2;
    if (!range_.kv(middle, kv)) return false;
    if (kv->key == key) return true;
    kv->key < key ? low = middle + 1 : high = middle;
  }
  return false;
}

bool EtcdListing::ReadCeiling(uint32_t worker, bool* has_ceiling, int64_t* ceiling_ms) const noexcept {
  wire::EtcdKv kv;
  *ceiling_ms = 0;
  *has_ceiling = Find(Kind::kCeiling, worker, &kv);
  return !*has_ceiling || ParseCeiling(kv.value, ceiling_ms);
}

bool EtcdListing::FindToken(std::string_view token, uint32_t* worker, wire::EtcdKv* kv) const noexcept {
  for (int i = 0; i < range_.kv_count(); ++i)
    if (range_.kv(i, kv) && keys_.Parse(kv->key, worker) == Kind::kWorker && ParseHolder(kv->value).token == token)
      return true;
  return false;
}

int EtcdListing::CountHolder(std::string_view holder, std::string_view token) const noexcept {
  int count = 0;
  for (int i = 0; i < range_.kv_count(); ++i) {
    wire::EtcdKv kv;
    uint32_t worker;
    if (!range_.kv(i, &kv) || keys_.Parse(kv.key, &worker) != Kind::kWorker) continue;
    const EtcdHolder value = ParseHolder(kv.value);
    if (value.token != token && value.holder == holder) ++count;
  }
  return count;
}

Choice Choose(const EtcdListing& listing, const ChoiceRules& rules) noexcept {
  Choice choice;
  Free lowest[Choice::kLowest];
  Candidate random[Choice::kRandom];
  int lowest_count = 0, random_count = 0;
  uint64_t seen = 0, state = rules.seed | 1;
  int64_t first_ahead_ms = INT64_MAX;
  for (uint32_t worker = rules.min_worker; worker < rules.max_workers; ++worker) {
    wire::EtcdKv kv;
    if (listing.Find(Kind::kStatic, worker, &kv)) continue;
    const bool is_held = listing.Find(Kind::kWorker, worker, &kv);
    const bool is_previous =
        is_held && rules.previous.known() && worker == rules.previous.worker && IsSame(kv, rules.previous);
    if (is_held && !is_previous) continue;
    Free free{.candidate = {.worker = worker, .is_previous = is_previous}};
    int64_t ceiling_ms;
    // Somebody else has written it, so nobody knows how far this worker id's ids have come.
    if (!listing.ReadCeiling(worker, &free.candidate.has_ceiling, &ceiling_ms)) continue;
    free.from_ms = std::max(ceiling_ms, rules.now_ms);
    const int64_t from_ms = ceiling_ms - (is_previous ? rules.previous_reach_ms : rules.reach_ms);
    if (from_ms > rules.now_ms) {
      first_ahead_ms = std::min(first_ahead_ms, from_ms);
      choice.previous_is_ahead = choice.previous_is_ahead || is_previous;
      continue;
    }
    if (is_previous) {
      choice.candidates[choice.count++] = free.candidate;
      continue;
    }
    if (!KeepLowest(lowest, lowest_count, free)) continue;
    // Each of those that are left has the same chance (Vitter, "Random sampling with a reservoir", 1985).
    ++seen;
    const uint64_t at = random_count < Choice::kRandom ? static_cast<uint64_t>(random_count++) : Next(state) % seen;
    if (at < Choice::kRandom) random[at] = free.candidate;
  }
  for (int i = 0; i < lowest_count; ++i) choice.candidates[choice.count++] = lowest[i].candidate;
  for (int i = 0; i < random_count; ++i) choice.candidates[choice.count++] = random[i];
  if (choice.count == 0 && first_ahead_ms != INT64_MAX) choice.ahead_until_ms = first_ahead_ms;
  return choice;
}

Choice ChoosePrevious(const ChoiceRules& rules, bool has_ceiling, int64_t ceiling_ms) noexcept {
  const uint32_t worker = rules.previous.worker;
  Choice choice;
  if (worker < rules.min_worker || worker >= rules.max_workers) return choice;
  if (ceiling_ms - rules.previous_reach_ms > rules.now_ms) return choice;
  choice.candidates[choice.count++] = {.worker = worker, .has_ceiling = has_ceiling, .is_previous = true};
  return choice;
}

}  // namespace idgen::lease
