// What is asked about each key next, by what has been seen of it.
#include "sequencer/etcd/store.h"

#include <algorithm>

#include "core/siphash.h"

namespace idgen::sequencer {

using Kind = Operation::Kind;
using Outcome = Answer::Outcome;
using Form = EtcdRecord::Form;

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

// The lease of a sliding TTL, by the keys of the call. Only a call that uses all of these keys binds keys to it or
// keeps it alive, so no key lives longer because another one is used; a key that is used otherwise changes to another
// lease.
int64_t EtcdSequenceStore::SharedLease() const noexcept {
  // Whoever found other keys with the same number could let these expire early. That takes 2^63 attempts.
  core::SipHash hash =
      core::SipHash128({key_, prefix_bytes_}, {.low = static_cast<uint64_t>(operation_.definition.ttl_ms)});
  for (int i = 0; i < group_count_; ++i)
    hash = core::SipHash128(ValueKey(groups_[i]), {.low = hash.low, .high = hash.high});
  return std::max(static_cast<int64_t>(hash.low & INT64_MAX), int64_t{1});
}

}  // namespace idgen::sequencer
