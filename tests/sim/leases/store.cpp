// Nodes, replication and forgetting.
#include "leases/store.h"

#include <algorithm>
#include <utility>

namespace idgen::sim {

Store::Done Store::Receive(int index, const Call& call, int64_t now_us, Random& random, int64_t lag_us) {
  Node& node = nodes_[static_cast<size_t>(index)];
  if (!node.up) return {};
  if (node.master >= 0) {  // a replica answers READONLY: a failure
    return {.answered = true};
  }
  RedisState& state = node.state[static_cast<size_t>(call.prefix)];
  Done done{.answered = true, .reply = Apply(state, call, NowMs(now_us), node.writer, breaks_)};
  done.offset = ++node.offset;
  const int touched = state.touched;
  for (Node& replica : nodes_) {
    if (&replica == &node || replica.master != index || replica.cut || !replica.up) continue;
    const int64_t last_us = replica.coming.empty() ? 0 : replica.coming.back().arrives_us;
    replica.coming.push_back({.arrives_us = std::max(last_us, now_us + random.Exponential(lag_us)),
                              .offset = done.offset,
                              .prefix = call.prefix,
                              .touched = touched,
                              .record = touched >= 0 ? state.records[static_cast<size_t>(touched)] : Record(),
                              .born_ms = state.born_ms,
                              .ttl_ms = state.ttl_ms,
                              .new_until_ms = state.new_until_ms,
                              .writer = state.writer});
    if (replica.coming.size() > 64) CatchUp(replica, now_us);
  }
  return done;
}

void Store::CatchUp(Node& node, int64_t now_us) {
  while (!node.coming.empty() && node.coming.front().arrives_us <= now_us) {
    const Write& write = node.coming.front();
    RedisState& state = node.state[static_cast<size_t>(write.prefix)];
    if (write.touched >= 0) {
      const auto touched = static_cast<size_t>(write.touched);
      if (state.records.size() <= touched) state.records.resize(touched + 1);
      state.records[touched] = write.record;
    }
    state.born_ms = write.born_ms;
    state.ttl_ms = write.ttl_ms;
    state.new_until_ms = write.new_until_ms;
    state.writer = write.writer;
    node.offset = write.offset;
    node.coming.pop_front();
  }
}

int Store::Acknowledged(int index, uint64_t offset, int64_t now_us) {
  int count = 0;
  for (Node& replica : nodes_) {
    if (replica.master != index || !replica.up) continue;
    CatchUp(replica, now_us);
    if (replica.offset >= offset && !replica.cut) ++count;
  }
  return count;
}

void Store::TakeSnapshot(int64_t now_us) {
  for (Node& node : nodes_) {
    if (!node.up) continue;
    CatchUp(node, now_us);
    node.snapshots.push_back(node.state);
    if (node.snapshots.size() > 8) node.snapshots.erase(node.snapshots.begin());
  }
}

void Store::Restart(int index, Memory memory, size_t age) {
  Node& node = nodes_[static_cast<size_t>(index)];
  if (memory == Memory::kKept) {
    node.up = true;
    node.writer = ++last_writer_;
    return;
  }
  const bool has_snapshot = memory == Memory::kSnapshot && !node.snapshots.empty();
  RestartWith(index, has_snapshot ? node.snapshots[node.snapshots.size() - 1 - std::min(age, node.snapshots.size() - 1)]
                                  : Hashes());
}

void Store::RestartWith(int index, Hashes state) {
  Node& node = nodes_[static_cast<size_t>(index)];
  node.up = true;
  node.writer = ++last_writer_;
  node.state = std::move(state);
  node.snapshots.clear();
  // Replicas copy a master that has been restarted.
  for (Node& replica : nodes_)
    if (replica.master == index && !replica.cut) CopyFrom(replica, node);
}

void Store::CopyFrom(Node& node, const Node& master) {
  node.state = master.state;
  node.offset = master.offset;
  node.coming.clear();
}

void Store::Cut(int index, bool cut, int64_t now_us) {
  Node& node = nodes_[static_cast<size_t>(index)];
  if (node.master < 0) return;
  CatchUp(node, now_us);
  node.cut = cut;
  node.coming.clear();
  if (!cut) CopyFrom(node, nodes_[static_cast<size_t>(node.master)]);
}

void Store::FailOver(int index, int64_t now_us) {
  Node& node = nodes_[static_cast<size_t>(index)];
  if (node.master < 0) return;
  CatchUp(node, now_us);
  node.coming.clear();
  node.master = -1;
  node.cut = false;
  node.up = true;
  node.writer = ++last_writer_;
  master_ = index;
  for (size_t i = 0; i < nodes_.size(); ++i) {
    Node& other = nodes_[i];
    if (static_cast<int>(i) == index || other.master < 0) continue;
    other.master = index;
    other.cut = false;
    CopyFrom(other, node);
  }
}

void Store::Demote(int index, int64_t) {
  if (index == master_) return;
  Node& node = nodes_[static_cast<size_t>(index)];
  node.up = true;
  node.master = master_;
  node.cut = false;
  CopyFrom(node, nodes_[static_cast<size_t>(master_)]);
}

}  // namespace idgen::sim
