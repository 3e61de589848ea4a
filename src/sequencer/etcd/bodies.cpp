// The calls of an exchange: which key is in which call, and what its transaction compares and puts.
#include "sequencer/etcd/store.h"

#include <algorithm>
#include <cstring>

namespace idgen::sequencer {

using Outcome = Answer::Outcome;
using Form = EtcdRecord::Form;
using wire::EtcdBody;
using Relation = EtcdBody::Relation;
using Revision = EtcdBody::Revision;

namespace {

// More keys than this are spread over calls that go out side by side.
constexpr int kFewLeaves = 32;

}  // namespace

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

}  // namespace idgen::sequencer
