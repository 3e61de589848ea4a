// Nodes, and how what one of them has gets lost.
#include "sequences/store.h"

#include <algorithm>

namespace idgen::sim::sequences {

using sequencer::Operation;

Store::Store(int nodes, int keys, const Breaks& breaks) : breaks_(breaks), nodes_(static_cast<size_t>(nodes)) {
  for (Node& node : nodes_) {
    node.keys.resize(static_cast<size_t>(keys));
    node.process = ++processes_;
  }
  NodeOf(master_).writer = ++writers_;
}

sequencer::Answer Store::Execute(uint64_t process, int key, const Operation& operation, int64_t now_us,
                                 uint64_t event) {
  Node& node = NodeOf(NodeWith(process));
  KeyState& state = node.keys[static_cast<size_t>(key)];
  const KeyState before = state;
  time_us_ = std::max(time_us_ + 1, now_us);
  const sequencer::Answer answer =
      Apply(state, operation, time_us_, breaks_.writer_never_changes ? 1 : node.writer, breaks_);
  using Kind = Operation::Kind;
  const bool was_set = (operation.kind == Kind::kSet || operation.kind == Kind::kSetIfNone) && answer.had;
  const bool began_anew =
      operation.kind == Kind::kNext && operation.definition.cycle && answer.grant.unbroken < answer.grant.count;
  if (was_set || began_anew || operation.kind == Kind::kDrop) state.reset = event;
  if (!(state == before)) Propagate(node, key);
  return answer;
}

// To replicas, in time. A master that is cut off has none.
void Store::Propagate(const Node& node, int key) {
  if (&node != &NodeOf(master_)) return;
  for (Node& other : nodes_)
    if (&other != &node && (old_ < 0 || &other != &NodeOf(old_)))
      other.backlog.push_back({key, node.keys[static_cast<size_t>(key)]});
}

void Store::NoteReset(uint64_t process, int key, uint64_t event) {
  Node& node = NodeOf(NodeWith(process));
  KeyState& state = node.keys[static_cast<size_t>(key)];
  if (event <= state.reset) return;
  state.reset = event;
  Propagate(node, key);
}

void Store::Replicate() {
  for (Node& node : nodes_) {
    if (node.cut) continue;
    for (const Change& change : node.backlog) node.keys[static_cast<size_t>(change.key)] = change.state;
    node.backlog.clear();
  }
}

void Store::TakeSnapshot() {
  if (!up()) return;
  snapshots_.push_front(NodeOf(master_).keys);
  if (snapshots_.size() > 4) snapshots_.pop_back();
}

void Store::Resynchronize() {
  for (Node& node : nodes_) {
    if (&node == &NodeOf(master_) || (old_ >= 0 && &node == &NodeOf(old_))) continue;
    node.backlog.clear();
    node.keys = NodeOf(master_).keys;
  }
}

void Store::Forget() {
  Node& node = NodeOf(master_);
  std::fill(node.keys.begin(), node.keys.end(), KeyState());
  snapshots_.clear();
  Resynchronize();
}

void Store::Restart(Memory memory, size_t age) {
  Node& node = NodeOf(master_);
  node.up = true;
  node.process = ++processes_;
  node.writer = ++writers_;
  if (memory == Memory::kEmpty || (memory == Memory::kSnapshot && snapshots_.empty()))
    std::fill(node.keys.begin(), node.keys.end(), KeyState());
  else if (memory == Memory::kSnapshot)
    node.keys = snapshots_[std::min(age, snapshots_.size() - 1)];
  if (memory != Memory::kKept) snapshots_.clear();
  Resynchronize();
}

void Store::EndOld() {
  if (old_ < 0) return;
  NodeOf(old_).process = ++processes_;
  old_ = -1;
  Resynchronize();
}

void Store::FailOver(int to, bool old_goes_on) {
  EndOld();
  Node& node = NodeOf(to);
  // Otherwise it is another process when it comes back, as a replica of this one.
  if (old_goes_on)
    old_ = master_;
  else
    NodeOf(master_).process = ++processes_;
  NodeOf(master_).up = true;
  master_ = to;
  node.up = true;
  node.cut = false;
  node.backlog.clear();
  node.writer = ++writers_;
  snapshots_.clear();
  Resynchronize();
}

}  // namespace idgen::sim::sequences
