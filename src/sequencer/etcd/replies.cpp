// What the replies mean: the answers, what was seen of each key, and what has to be asked again.
#include "sequencer/etcd/store.h"

#include <cstring>

#include "wire/printable.h"

namespace idgen::sequencer {

using Kind = Operation::Kind;
using Outcome = Answer::Outcome;
using Form = EtcdRecord::Form;
using wire::EtcdOp;
using wire::EtcdReply;

namespace {

bool IsPut(const EtcdOp& op) noexcept { return op.kind() == EtcdOp::Kind::kPut; }
bool IsRange(const EtcdOp& op) noexcept { return op.kind() == EtcdOp::Kind::kRange; }

// To an operator, about an error of etcd.
const char* AdviceOn(const char* words) noexcept {
  if (strstr(words, "database space exceeded") != nullptr)
    return "etcd has used up its space quota. Make room (compact and defragment it, or raise its quota), then run "
           "\"etcdctl alarm disarm\".";
  if (strstr(words, "permission denied") != nullptr)
    return "Grant the user's role in etcd read and write permission for all keys under the path in the store's URL.";
  return nullptr;
}

}  // namespace

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

}  // namespace idgen::sequencer
