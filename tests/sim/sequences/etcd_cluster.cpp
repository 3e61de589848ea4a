// Reading keys, and going back in time.
#include "sequences/etcd_cluster.h"

#include <algorithm>

#include "sequencer/etcd/record.h"

namespace idgen::sim::sequences {

const EtcdModel::Key* EtcdCluster::Find(int key) const {
  const auto it = now_.model.keys().find(names_[static_cast<size_t>(key)]);
  return it == now_.model.keys().end() ? nullptr : &it->second;
}

KeyState EtcdCluster::StateOf(int key) const {
  KeyState state;
  state.reset = now_.resets[static_cast<size_t>(key)];
  const EtcdModel::Key* found = Find(key);
  sequencer::SequenceState read;
  if (found == nullptr || !sequencer::EtcdRecord::Read(found->value).StateAt(found->version, &read)) return state;
  state.there = read.has_value;
  state.value = read.last;
  state.generation = read.generation;
  return state;
}

int64_t EtcdCluster::RevisionOf(int key) const {
  const EtcdModel::Key* found = Find(key);
  return found == nullptr ? 0 : found->mod_revision;
}

bool EtcdCluster::HasLease(int key) const {
  const EtcdModel::Key* found = Find(key);
  return found != nullptr && found->lease != 0;
}

void EtcdCluster::TakeSnapshot(uint64_t event) {
  now_.event = event;
  snapshots_.push_front(now_);
  if (snapshots_.size() > 4) snapshots_.pop_back();
}

uint64_t EtcdCluster::Restore(size_t age) {
  if (snapshots_.empty()) return 0;
  const EtcdModel former = now_.model;
  now_ = snapshots_[std::min(age, snapshots_.size() - 1)];
  now_.model.ContinueLeaseIdsOf(former);
  return now_.event;
}

}  // namespace idgen::sim::sequences
