// The course of an operation: its keys, its exchanges one after the other, and its end. What the exchanges ask is in
// plans.cpp and bodies.cpp, what the replies mean in replies.cpp.
#include "sequencer/etcd/store.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace idgen::sequencer {

using Kind = Operation::Kind;
using Outcome = Answer::Outcome;

namespace {

constexpr const char* kLostTooOften = "other sessions changed the key during every attempt";

}  // namespace

void EtcdSequenceStore::Configure(const io::StoreAccess& access) noexcept {
  link_.Configure(access);
  next_fan_ = kMaxFan;
  call_bytes_ = kMaxCallBytes;
  cluster_ = 0;
  for (Remembered& remembered : remembered_) remembered.used = 0;
}

void EtcdSequenceStore::Begin(const Operation& operation, const StoreKey* keys, Answer* answers, int count,
                              int64_t now_us, int64_t until_us) noexcept {
  FreeGroups();
  operation_ = operation;
  keys_ = keys;
  answers_ = answers;
  count_ = count;
  until_us_ = until_us;
  lease_ = shared_lease_ = 0;
  is_lease_new_ = is_lease_settled_ = false;
  was_answered_ = false;
  has_reply_ = false;
  unsure_ = false;
  came_from_one_ = true;
  first_connection_ = 0;
  problem_ = nullptr;
  // The link chooses its connections, so a raise that is bound to one is left to the caller.
  is_over_ = operation_.only_over != 0;
  if (is_over_) return;
  // Every reply names the cluster.
  if (operation_.kind == Kind::kWriter && cluster_ != 0) {
    for (int i = 0; i < count_; ++i) {
      answers_[i].outcome = Outcome::kOk;
      answers_[i].writer = cluster_;
    }
    is_over_ = true;
    return;
  }
  const std::string_view prefix = link_.key_prefix();
  prefix_bytes_ = prefix.size();
  if (prefix_bytes_ > kMaxPrefix) {
    problem_ = "the path in the URL is too long";
    return;
  }
  memcpy(key_, prefix.data(), prefix.size());
  if (!prefix.empty()) key_[prefix_bytes_++] = '/';
  if (!MakeGroups()) {
    problem_ = "out of memory";
    return;
  }
  if (operation_.definition.sliding && operation_.definition.ttl_ms > 0) shared_lease_ = SharedLease();
  is_over_ = !BeginExchange(now_us);
}

// Keys that the caller names several times are asked for once: etcd refuses a transaction that puts a key twice.
bool EtcdSequenceStore::MakeGroups() noexcept {
  groups_ = &only_group_;
  order_ = &only_order_;
  if (count_ > 1) {
    groups_ = static_cast<Group*>(malloc(static_cast<size_t>(count_) * sizeof(Group)));
    order_ = static_cast<int*>(malloc(static_cast<size_t>(count_) * sizeof(int)));
    if (groups_ == nullptr || order_ == nullptr) return false;
  }
  for (int i = 0; i < count_; ++i) order_[i] = i;
  std::sort(order_, order_ + count_, [this](int a, int b) {
    const int difference = keys_[a].value().compare(keys_[b].value());
    return difference != 0 ? difference < 0 : a < b;
  });
  group_count_ = 0;
  for (int i = 0; i < count_; ++i) {
    if (i == 0 || keys_[order_[i]].value() != keys_[order_[i - 1]].value()) {
      groups_[group_count_] = Group();
      groups_[group_count_++].begin = i;
    }
    groups_[group_count_ - 1].end = i + 1;
  }
  if (!RemembersKeys()) return true;
  for (int i = 0; i < group_count_; ++i) {
    const Remembered* remembered = Recall(HashOf(ValueKey(groups_[i])));
    if (remembered == nullptr) continue;
    groups_[i].stage = Stage::kRemembered;
    groups_[i].sight = remembered->sight;
  }
  return true;
}

SequenceStore::State EtcdSequenceStore::Step(int64_t now_us) noexcept {
  if (problem_ == nullptr && !is_over_) {
    has_reply_ = false;
    const io::EtcdLink::State state = link_.Step(now_us);
    if (state == io::EtcdLink::State::kFailed) return HandleFailure();
    if (state != io::EtcdLink::State::kDone) return State::kBusy;
    if (first_connection_ == 0) first_connection_ = link_.connection();
    if (first_connection_ != link_.connection()) came_from_one_ = false;
    HandleReplies();
    was_answered_ = true;
    is_over_ = !BeginExchange(now_us);
    if (problem_ == nullptr && !is_over_) {
      has_reply_ = link_.Step(now_us) != io::EtcdLink::State::kBusy;
      return State::kBusy;
    }
  }
  return End(problem_ != nullptr ? State::kFailed : State::kDone);
}

io::Wants EtcdSequenceStore::wants(int64_t now_us) const noexcept {
  return has_reply_ ? io::Wants{.wake_boot_us = now_us} : link_.wants(now_us);
}

SequenceStore::State EtcdSequenceStore::HandleFailure() noexcept {
  // The values are there; that their keys may expire earlier is not worth an error.
  if (phase_ == Phase::kEnding) return End(State::kDone);
  unsure_ = phase_ == Phase::kAsking && link_.may_have_run() && ChangesSomething(operation_);
  return End(State::kFailed);
}

SequenceStore::State EtcdSequenceStore::End(State state) noexcept {
  if (state == State::kFailed && ChangesSomething(operation_))
    for (int i = 0; i < count_; ++i) unsure_ = unsure_ || answers_[i].outcome == Outcome::kOk;
  FreeGroups();
  return state;
}

void EtcdSequenceStore::Close() noexcept {
  FreeGroups();
  link_.Close();
}

void EtcdSequenceStore::FreeGroups() noexcept {
  if (groups_ != &only_group_) free(groups_);
  if (order_ != &only_order_) free(order_);
  groups_ = nullptr;
  order_ = nullptr;
  group_count_ = 0;
}

// False if there is nothing left to ask.
bool EtcdSequenceStore::BeginExchange(int64_t now_us) noexcept {
  bool is_left = false, needs_lease = false;
  for (int i = 0; i < group_count_; ++i) {
    Group& group = groups_[i];
    group.attempt = Attempt::kNone;
    if (group.stage == Stage::kDone) continue;
    Plan(group);
    is_left = is_left || group.stage != Stage::kDone;
    needs_lease = needs_lease || (group.attempt == Attempt::kSwap && TakesNewLease(group) && lease_ == 0);
  }
  if (is_left && was_answered_ && now_us >= until_us_) {
    problem_ = kLostTooOften;
    return true;
  }
  fan_ = next_fan_;
  link_.NewExchange();
  if (needs_lease) {
    phase_ = Phase::kGranting;
    link_.AddCall(io::kEtcdLeaseGrant, true).LeaseGrant(shared_lease_, (operation_.definition.ttl_ms + 999) / 1000);
  } else if (is_left) {
    phase_ = Phase::kAsking;
    AssignLeaves();
    AddCalls();
  } else {
    phase_ = Phase::kEnding;
    if (!AddEnding()) return false;
  }
  link_.Begin(now_us, until_us_);
  return true;
}

EtcdSequenceStore::Remembered* EtcdSequenceStore::Recall(const KeyHash& hash) noexcept {
  for (Remembered& remembered : remembered_)
    if (remembered.used != 0 && remembered.hash == hash) return &remembered;
  return nullptr;
}

void EtcdSequenceStore::Remember(const Group& group) noexcept {
  if (!RemembersKeys()) return;
  const KeyHash hash = HashOf(ValueKey(group));
  Remembered* remembered = Recall(hash);
  if (remembered == nullptr)
    remembered = std::min_element(remembered_, remembered_ + kRememberedKeys,
                                  [](const Remembered& a, const Remembered& b) { return a.used < b.used; });
  *remembered = {.hash = hash, .used = ++uses_, .sight = group.sight};
}

}  // namespace idgen::sequencer
