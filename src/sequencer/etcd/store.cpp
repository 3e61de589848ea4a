// What each key's transaction compares and puts, and what the replies mean.
#include "sequencer/etcd/store.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "core/fnv.h"
#include "wire/printable.h"

namespace idgen::sequencer {

using Kind = Operation::Kind;
using Outcome = Answer::Outcome;
using Form = EtcdRecord::Form;
using wire::EtcdBody;
using wire::EtcdOp;
using wire::EtcdReply;
using Relation = EtcdBody::Relation;
using Revision = EtcdBody::Revision;

namespace {

// More keys than this are spread over calls that go out side by side.
constexpr int kFewLeaves = 32;

constexpr const char* kLostTooOften = "other sessions changed the key during every attempt";

bool IsPut(const EtcdOp& op) noexcept { return op.kind() == EtcdOp::Kind::kPut; }
// To an operator, about an error of etcd.
const char* AdviceOn(const char* words) noexcept {
  if (strstr(words, "database space exceeded") != nullptr)
    return "etcd has used up its space quota. Make room (compact and defragment it, or raise its quota), then run "
           "\"etcdctl alarm disarm\".";
  if (strstr(words, "permission denied") != nullptr)
    return "Grant the user's role in etcd read and write permission for all keys under the path in the store's URL.";
  return nullptr;
}

bool IsRange(const EtcdOp& op) noexcept { return op.kind() == EtcdOp::Kind::kRange; }

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

// --- what to ask

bool EtcdSequenceStore::GivesValues() const noexcept {
  return operation_.kind == Kind::kNext || operation_.kind == Kind::kSegment || operation_.kind == Kind::kRaise;
}

bool EtcdSequenceStore::IsSegment() const noexcept {
  return operation_.kind == Kind::kSegment || (operation_.kind == Kind::kRaise && operation_.definition.HasSegments());
}

// If it is carried out twice, values are skipped, or nothing happens. A set that is carried out twice would give values
// again that others were given in between.
bool EtcdSequenceStore::IsRepeatable() const noexcept {
  return operation_.kind == Kind::kNext || operation_.kind == Kind::kSegment || !ChangesSomething(operation_);
}

// False if the key holds something else. Then it counts as a value that can be set or dropped.
bool EtcdSequenceStore::Before(const Group& group, SequenceState* state) const noexcept {
  if (group.sight.record.StateAt(group.sight.version - group.sight.unused_versions, state)) return true;
  *state = {.has_value = true, .last = 0, .generation = 0};
  return false;
}

// A new value gets the TTL, as does one that should have a TTL and has none. A sliding TTL is that of the latest call.
bool EtcdSequenceStore::TakesNewLease(const Group& group) const noexcept {
  if (operation_.definition.ttl_ms == 0) return false;
  if (shared_lease_ != 0) return group.sight.lease != shared_lease_;
  SequenceState state;
  Before(group, &state);
  return !state.has_value || group.sight.lease == 0;
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

// Sets the attempt, or settles what is known already.
void EtcdSequenceStore::Plan(Group& group) noexcept {
  switch (operation_.kind) {
    case Kind::kPeek:
    case Kind::kWriter: group.attempt = Attempt::kRead; break;
    case Kind::kReturn: group.attempt = PlanTakeBack(group); break;
    default: group.attempt = group.stage == Stage::kUnseen ? PlanUnseen(group) : PlanSeen(group); break;
  }
}

// The operation's number is the revision of the segment's put. As long as the key is as that put has left it, nobody
// was given anything after it.
EtcdSequenceStore::Attempt EtcdSequenceStore::PlanTakeBack(Group& group) noexcept {
  const int64_t last = operation_.value - operation_.count * operation_.definition.step;
  SequenceState state;
  const bool is_latest = group.sight.mod_revision == operation_.number && Before(group, &state) && state.has_value &&
                         state.last == operation_.value && state.generation == operation_.mark.generation;
  const bool may_be = operation_.number != 0 && last >= 0;
  if (may_be && !is_latest && group.stage != Stage::kSeen) return Attempt::kRead;
  if (!may_be || !is_latest) {
    SettleTakeBack(group, false);
    return Attempt::kNone;
  }
  group.put = EtcdRecord::Of({.has_value = true, .last = last, .generation = operation_.mark.generation});
  return Attempt::kTakeBack;
}

// Most keys have only ever been counted, so their text is known. The others are read by the same transaction.
EtcdSequenceStore::Attempt EtcdSequenceStore::PlanUnseen(Group& group) noexcept {
  const Definition& definition = operation_.definition;
  if (definition.ttl_ms > 0) return Attempt::kRead;
  if (operation_.kind != Kind::kNext) return PlanSeen(group);
  const Sight counted = {
      .record = EtcdRecord::Counted({.has_value = true, .last = definition.start}, definition.step, 1), .version = 1};
  Counting counting;
  if (!CanCount(definition, operation_.count * AnswerCount(group), counted.record, counted.version, &counting))
    return Attempt::kRead;
  group.sight = counted;
  group.put = counting.put;
  group.max_version = counting.max_version;
  return group_count_ == 1 ? Attempt::kCountOrCreate : Attempt::kCount;
}

EtcdSequenceStore::Attempt EtcdSequenceStore::PlanSeen(Group& group) noexcept {
  const Definition& definition = operation_.definition;
  const Sight& sight = group.sight;
  const bool has_lease = definition.ttl_ms > 0 || sight.lease != 0;
  Counting counting;
  if (operation_.kind == Kind::kNext && !has_lease &&
      CanCount(definition, operation_.count * AnswerCount(group), sight.record, sight.version, &counting)) {
    group.put = counting.put;
    group.max_version = counting.max_version;
    const bool is_single = group_count_ == 1 && operation_.count * AnswerCount(group) == 1;
    return is_single && counting.max_version - sight.version >= kFarFromMaximum ? Attempt::kTouch : Attempt::kCount;
  }
  SequenceState before;
  if (!Before(group, &before)) {
    if (group.stage != Stage::kSeen) return Attempt::kRead;
    if (GivesValues()) {
      SettleAll(group, Outcome::kNotAValue, nullptr);
      return Attempt::kNone;
    }
  }
  SequenceState after = before;
  bool gives_all = true;
  for (int i = 0; i < AnswerCount(group); ++i) {
    Answer answer;
    Apply(operation_, &after, &answer);
    gives_all = gives_all && answer.outcome == Outcome::kOk;
  }
  if (after == before) {
    if (group.stage != Stage::kSeen) return Attempt::kRead;
    SettleByRule(group, 0);
    return Attempt::kNone;
  }
  const bool counts = GivesValues() && !has_lease && after.last <= CountedUpTo(definition);
  group.put = counts ? EtcdRecord::Counted(after, definition.step, sight.version + 1) : EtcdRecord::Of(after);
  // Others who take single values meanwhile do not matter: they take a segment further, and a raise, which goes by what
  // was seen in this operation.
  const int64_t step = definition.step;
  const int64_t steps = (after.last - before.last) / step, count = operation_.count * AnswerCount(group);
  const bool is_raise = operation_.kind == Kind::kRaise;
  const bool goes_on = counts && gives_all && sight.record.form == Form::kCounted && sight.record.step == step &&
                       (is_raise ? steps >= count && group.stage == Stage::kSeen : steps == count);
  if (goes_on) {
    group.max_version = sight.version + (CountedUpTo(definition) - after.last) / step;
    return Attempt::kCount;
  }
  const bool has_text = sight.record.form != Form::kMissing && sight.record.form != Form::kForeign;
  return !GivesValues() && has_text && !has_lease ? Attempt::kReplace : Attempt::kSwap;
}

std::string_view EtcdSequenceStore::KeyOf(const Group& group) noexcept {
  const std::string_view key = ValueKey(group);
  memcpy(key_ + prefix_bytes_, key.data(), key.size());
  return {key_, prefix_bytes_ + key.size()};
}

// Spreads the attempts over calls. Those that find no room wait for the next exchange.
void EtcdSequenceStore::AssignLeaves() noexcept {
  int left = 0;
  for (int i = 0; i < group_count_; ++i) left += groups_[i].attempt != Attempt::kNone;
  const int wanted = std::min((left + kFewLeaves - 1) / kFewLeaves, io::EtcdLink::kMaxCalls);
  const int most = fan_ == 1 ? 1 : std::min((left + wanted - 1) / wanted, fan_ * fan_);
  size_t bytes = 0;
  calls_ = 0;
  for (int i = 0; i < group_count_; ++i) {
    Group& group = groups_[i];
    if (group.attempt == Attempt::kNone) continue;
    const size_t leaf_bytes = 400 + 4 * (prefix_bytes_ + ValueKey(group).size());
    if (calls_ == 0 || leaves_[calls_ - 1] == most || bytes + leaf_bytes > call_bytes_) {
      if (calls_ == io::EtcdLink::kMaxCalls) {
        for (; i < group_count_; ++i) groups_[i].attempt = Attempt::kNone;
        break;
      }
      leaves_[calls_++] = 0;
      bytes = 0;
    }
    bytes += leaf_bytes;
    group.call = calls_ - 1;
    group.leaf = leaves_[calls_ - 1]++;
  }
}

// A call for one key is that key's transaction; one for several keys is a transaction of these, or of such
// transactions.
void EtcdSequenceStore::AddCalls() noexcept {
  EtcdBody* body = nullptr;
  for (int i = 0; i < group_count_; ++i) {
    const Group& group = groups_[i];
    if (group.attempt == Attempt::kNone) continue;
    const int leaves = leaves_[group.call];
    const bool is_tree = leaves > fan_, is_last = group.leaf == leaves - 1;
    if (leaves == 1) {
      const bool reads = group.attempt == Attempt::kRead;
      const char* path = reads ? io::kEtcdRange : group.attempt == Attempt::kTouch ? io::kEtcdPut : io::kEtcdTxn;
      AddLeaf(group, link_.AddCall(path, reads || IsRepeatable()));
      continue;
    }
    if (group.leaf == 0) {
      body = &link_.AddCall(io::kEtcdTxn, IsRepeatable());
      body->BeginTxn();
      body->Then();
    }
    if (is_tree && group.leaf % fan_ == 0) {
      body->BeginTxn();
      body->Then();
    }
    AddLeaf(group, *body);
    if (is_tree && (is_last || group.leaf % fan_ == fan_ - 1)) body->EndTxn();
    if (is_last) body->EndTxn();
  }
}

void EtcdSequenceStore::AddLeaf(const Group& group, EtcdBody& body) noexcept {
  const std::string_view key = KeyOf(group);
  char seen_text[EtcdRecord::kMaxBytes], put_text[EtcdRecord::kMaxBytes];
  if (group.attempt == Attempt::kRead) return body.Range(key);
  if (group.attempt == Attempt::kTouch) return body.Touch(key);
  const std::string_view put = group.put.Write(put_text);
  body.BeginTxn();
  switch (group.attempt) {
    case Attempt::kCount:
    case Attempt::kCountOrCreate:
    case Attempt::kReplace:
      body.CompareValue(key, Relation::kEqual, group.sight.record.Write(seen_text));
      if (group.attempt != Attempt::kReplace && group.max_version != Counting::kAnyVersion)
        body.CompareRevision(key, Revision::kVersion, Relation::kLess, group.max_version + 1);
      body.Then();
      body.Put(key, put);
      body.Range(key);  // for the version
      body.Else();
      if (group.attempt == Attempt::kCountOrCreate) {
        body.BeginTxn();
        body.CompareRevision(key, Revision::kMod, Relation::kEqual, 0);
        body.Then();
        body.Put(key, put);
        body.Else();
        body.Range(key);
        body.EndTxn();
      } else {
        body.Range(key);
      }
      break;
    case Attempt::kSwap:
      CompareWithSight(group, key, body);
      body.Then();
      body.Put(key, put, TakesNewLease(group) ? lease_ : group.sight.lease);
      body.Else();
      body.Range(key);
      break;
    case Attempt::kTakeBack:
      CompareWithSight(group, key, body);
      body.Then();
      body.Put(key, put, group.sight.lease);
      break;
    case Attempt::kNone:
    case Attempt::kRead:
    case Attempt::kTouch: break;
  }
  body.EndTxn();
}

// The revision alone recurs after the cluster was restored from a snapshot, and so may the text, at another version.
// The text of a foreign key is not kept.
void EtcdSequenceStore::CompareWithSight(const Group& group, std::string_view key, EtcdBody& body) noexcept {
  const Sight& sight = group.sight;
  char seen_text[EtcdRecord::kMaxBytes];
  body.CompareRevision(key, Revision::kMod, Relation::kEqual, sight.mod_revision);
  if (sight.record.form == Form::kMissing) return;
  body.CompareRevision(key, Revision::kVersion, Relation::kEqual, sight.version);
  if (sight.record.form != Form::kForeign) body.CompareValue(key, Relation::kEqual, sight.record.Write(seen_text));
}

// A sliding TTL restarts; a lease that no key is bound to, since others have created the keys meanwhile, is revoked.
// False if there is nothing to do.
bool EtcdSequenceStore::AddEnding() noexcept {
  if (is_lease_settled_ || !ChangesSomething(operation_)) return false;
  is_lease_settled_ = true;
  const int64_t lease = shared_lease_ != 0 ? shared_lease_ : lease_;
  const auto may_be_on = [this, lease](const Group& group) {
    return group.sight.lease == lease || answers_[order_[group.begin]].outcome == Outcome::kMisread;
  };
  const bool is_bound = std::any_of(groups_, groups_ + group_count_, may_be_on);
  if (lease == 0 || is_bound != (shared_lease_ != 0) || (is_bound && is_lease_new_)) return false;
  link_.AddCall(is_bound ? io::kEtcdLeaseKeepAlive : io::kEtcdLeaseRevoke, true).Lease(lease);
  return true;
}

// The lease of a sliding TTL, by the keys of the call. Only a call that uses all of these keys binds keys to it or
// keeps it alive, so no key lives longer because another one is used; a key that is used otherwise changes to another
// lease.
int64_t EtcdSequenceStore::SharedLease() const noexcept {
  uint64_t hash = core::Fnv(core::kFnvStart, &operation_.definition.ttl_ms, sizeof operation_.definition.ttl_ms);
  hash = core::Fnv(hash, key_, prefix_bytes_);
  for (int i = 0; i < group_count_; ++i) {
    const KeyHash key = HashOf(ValueKey(groups_[i]));
    hash = core::Fnv(hash, &key, sizeof key);
  }
  return static_cast<int64_t>(std::max(hash & INT64_MAX, uint64_t{1}));
}

// --- what the replies mean

void EtcdSequenceStore::HandleReplies() noexcept {
  if (const uint64_t cluster = link_.reply(0).cluster_id(); cluster != 0) cluster_ = cluster;
  if (phase_ == Phase::kEnding) return;
  if (phase_ == Phase::kGranting) return HandleGrant();
  for (int call = 0; call < calls_; ++call)
    if (link_.reply(call).error_code() != wire::kEtcdOk) HandleError(call);
  for (int i = 0; i < group_count_; ++i) {
    Group& group = groups_[i];
    if (group.attempt == Attempt::kNone || group.stage == Stage::kDone) continue;
    const EtcdReply& reply = link_.reply(group.call);
    if (reply.error_code() != wire::kEtcdOk) continue;
    const EtcdOp whole = reply.whole();
    const int leaves = leaves_[group.call];
    const EtcdOp op = leaves == 1      ? whole
                      : leaves <= fan_ ? whole.op(group.leaf)
                                       : whole.op(group.leaf / fan_).op(group.leaf % fan_);
    // The whole call's reply does not say what it is of.
    const auto expected = group.attempt == Attempt::kRead ? EtcdOp::Kind::kRange : EtcdOp::Kind::kTxn;
    const bool fits = leaves == 1 || op.kind() == expected;
    if (!fits || !HandleLeaf(group, op, reply)) SettleAll(group, Outcome::kMisread, nullptr);
  }
}

void EtcdSequenceStore::HandleGrant() noexcept {
  const EtcdReply& reply = link_.reply(0);
  is_lease_new_ = reply.error_code() == wire::kEtcdOk;
  const bool is_there = shared_lease_ != 0 && reply.error_code() == wire::kEtcdFailedPrecondition;
  lease_ = is_lease_new_ ? reply.lease_id() : is_there ? shared_lease_ : 0;
  if (lease_ != 0) return;
  for (int i = 0; i < group_count_; ++i) {
    if (groups_[i].stage == Stage::kDone) continue;
    if (reply.error_code() != wire::kEtcdOk)
      SettleAll(groups_[i], Outcome::kRefused, reply.error());
    else
      SettleAll(groups_[i], Outcome::kMisread, nullptr);
  }
}

// The call was not carried out.
void EtcdSequenceStore::HandleError(int call) noexcept {
  if (leaves_[call] > 1 && HandleTooMuch(call)) return;
  const EtcdReply& reply = link_.reply(call);
  const bool lost_lease = operation_.definition.ttl_ms > 0 && reply.error_code() == wire::kEtcdNotFound;
  if (lost_lease) lease_ = 0;
  for (int i = 0; i < group_count_; ++i) {
    Group& group = groups_[i];
    if (group.attempt == Attempt::kNone || group.call != call) continue;
    const bool is_missing = group.attempt == Attempt::kTouch && reply.error_code() == wire::kEtcdInvalidArgument;
    if (is_missing) group.sight = {};
    if (lost_lease || is_missing)
      group.stage = Stage::kUnseen;
    else
      SettleAll(group, Outcome::kRefused, reply.error());
  }
}

// etcd allows fewer operations or bytes than by default: the keys are asked for again, fewer at a time.
bool EtcdSequenceStore::HandleTooMuch(int call) noexcept {
  const char* words = link_.reply(call).error();
  if (strstr(words, "too many operations") != nullptr && fan_ > 1) {
    next_fan_ = fan_ / 2;
    return true;
  }
  if (strstr(words, "too large") != nullptr || strstr(words, "larger than max") != nullptr) {
    call_bytes_ /= 2;
    return true;
  }
  return false;
}

// False if it does not fit the attempt.
bool EtcdSequenceStore::HandleLeaf(Group& group, const EtcdOp& op, const EtcdReply& reply) noexcept {
  if (group.attempt == Attempt::kRead) {
    See(group, op);
    if (operation_.kind == Kind::kPeek) SettlePeek(group);
    if (operation_.kind == Kind::kWriter) SettleWriter(group);
    return true;
  }
  if (group.attempt == Attempt::kTouch) {
    SeeTouched(group, op, reply.revision());
    return true;
  }
  const bool won = op.succeeded();
  if (won && !IsPut(op.op(0))) return false;
  switch (group.attempt) {
    case Attempt::kCount:
    case Attempt::kCountOrCreate: {
      if (won) {
        if (!IsRange(op.op(1))) return false;
        const Sight before = group.sight;
        See(group, op.op(1));
        const bool was_latest = group.sight.version == before.version + 1;
        SettleCounted(group, group.sight.version, was_latest ? before.mod_revision : 0);
        return true;
      }
      const EtcdOp other = op.op(0);
      if (group.attempt == Attempt::kCountOrCreate && other.succeeded()) {
        if (!IsPut(other.op(0))) return false;
        group.sight = {.record = group.put, .version = 1, .mod_revision = reply.revision()};
        Remember(group);
        SettleCounted(group, 1, 0);
        return true;
      }
      const EtcdOp range = group.attempt == Attempt::kCount ? other : other.op(0);
      if (!IsRange(range)) return false;
      See(group, range);
      return true;
    }
    case Attempt::kReplace:
    case Attempt::kSwap: {
      if (const EtcdOp range = won ? op.op(1) : op.op(0); !won || group.attempt == Attempt::kReplace) {
        if (!IsRange(range)) return false;
        if (won) SettleByRule(group, reply.revision());
        See(group, range);
        return true;
      }
      SettleByRule(group, reply.revision());
      group.sight = {.record = group.put,
                     .version = group.sight.version + 1,
                     .mod_revision = reply.revision(),
                     .lease = TakesNewLease(group) ? lease_ : group.sight.lease};
      Remember(group);
      return true;
    }
    case Attempt::kTakeBack: SettleTakeBack(group, won); return true;
    case Attempt::kNone:
    case Attempt::kRead:
    case Attempt::kTouch: break;
  }
  return false;
}

// Somebody may have changed the text since it was seen. Unless it still counts by the same step, the touch has given
// nothing, and done no harm.
void EtcdSequenceStore::SeeTouched(Group& group, const EtcdOp& op, int64_t revision) noexcept {
  See(group, op);
  Sight& sight = group.sight;
  if (sight.version == 0) return;
  ++sight.version;
  sight.mod_revision = revision;
  Remember(group);
  group.put = sight.record;
  if (sight.record.form != Form::kCounted) return;
  if (sight.record.step == operation_.definition.step) return SettleCounted(group, sight.version, 0);
  // Counted by another step, so no value of this definition: as long as this revision is the latest, nobody else has
  // the value either, and the swap that follows goes on from before it.
  sight.unused_versions = 1;
}

void EtcdSequenceStore::See(Group& group, const EtcdOp& range) noexcept {
  group.sight = {};
  wire::EtcdKv kv;
  if (range.kv(0, &kv))
    group.sight = {.record = EtcdRecord::Read(kv.value),
                   .version = kv.version,
                   .mod_revision = kv.mod_revision,
                   .lease = kv.lease};
  if (group.stage != Stage::kDone) group.stage = Stage::kSeen;
  Remember(group);
}

void EtcdSequenceStore::SettlePeek(Group& group) noexcept {
  SequenceState state;
  if (Before(group, &state)) return SettleByRule(group, 0);
  SettleAll(group, Outcome::kNotAValue, nullptr);
  for (int i = 0; i < AnswerCount(group); ++i) AnswerOf(group, i).had = true;
}

void EtcdSequenceStore::SettleWriter(Group& group) noexcept {
  SettleAll(group, Outcome::kOk, nullptr);
  for (int i = 0; i < AnswerCount(group); ++i) AnswerOf(group, i).writer = cluster_;
}

// The put was carried out at this version. If somebody has deleted the key and written the same text since it was seen,
// the version may belong to no value: then the key has been seen, and is asked for again.
// `revision_before`: of the put before it; 0: unknown.
void EtcdSequenceStore::SettleCounted(Group& group, int64_t version, int64_t revision_before) noexcept {
  const Definition& definition = operation_.definition;
  const int count = AnswerCount(group);
  SequenceState state;
  Grant grant;
  if (!group.put.StateAt(version, &state) || !GrantUpTo(definition, operation_.count * count, state.last, &grant))
    return;
  for (int i = 0; i < count; ++i) {
    Answer& answer = AnswerOf(group, i);
    answer.outcome = Outcome::kOk;
    if (operation_.with_generation || operation_.kind != Kind::kNext) answer.generation = state.generation;
    if (operation_.kind == Kind::kRaise) answer.had = state.generation <= operation_.mark.generation;
    if (IsSegment()) {
      answer.number = group.sight.mod_revision;
      answer.number_before = revision_before;
    }
    answer.grant = grant;
    answer.grant.first = grant.Value(i * operation_.count);
    answer.grant.count = answer.grant.unbroken = operation_.count;
  }
  group.stage = Stage::kDone;
}

// `revision`: of the put.
void EtcdSequenceStore::SettleByRule(Group& group, int64_t revision) noexcept {
  SequenceState state;
  Before(group, &state);
  for (int i = 0; i < AnswerCount(group); ++i) {
    Answer& answer = AnswerOf(group, i);
    Apply(operation_, &state, &answer);
    if (!IsSegment() || answer.outcome != Outcome::kOk) continue;
    answer.number = revision;
    answer.number_before = group.sight.mod_revision;
  }
  group.stage = Stage::kDone;
}

void EtcdSequenceStore::SettleTakeBack(Group& group, bool had) noexcept {
  SettleAll(group, Outcome::kOk, nullptr);
  Answer& answer = AnswerOf(group, 0);
  answer.had = had;
  answer.generation = operation_.mark.generation;
}

void EtcdSequenceStore::SettleAll(Group& group, Outcome outcome, const char* words) noexcept {
  for (int i = 0; i < AnswerCount(group); ++i) {
    Answer& answer = AnswerOf(group, i);
    answer.outcome = outcome;
    if (words == nullptr) continue;
    wire::WritePrintable(words, answer.problem);
    answer.advice = AdviceOn(words);
  }
  group.stage = Stage::kDone;
}

// --- keys that were used lately

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
