// The simulated stores: one Redis that keeps what it acknowledged, or a master with replicas that lag, fail over, are
// cut off, forget, or come back from an older snapshot. Requests arrive and replies leave as events of the world.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "leases/breaks.h"
#include "engine/random.h"
#include "leases/redis_model.h"

namespace idgen::sim {

class Store {
 public:
  Store(int nodes, const Breaks& breaks) : breaks_(breaks), nodes_(static_cast<size_t>(nodes)) {
    for (size_t i = 0; i < nodes_.size(); ++i) nodes_[i].master = i == 0 ? -1 : 0;
    nodes_[0].writer = ++last_writer_;
  }

  struct Done {
    bool answered = false;
    lease::StoreReply reply;
    uint64_t offset = 0;  // of the write, for WAIT
  };

  // A request arrives at `node`, at `now_us`. A node that is down does not answer. `lag_us`: how long the write takes
  // to reach each replica.
  Done Receive(int node, const Call& call, int64_t now_us, Random& random, int64_t lag_us);
  // How many replicas of `node` have what was written up to `offset`.
  int Acknowledged(int node, uint64_t offset, int64_t now_us);

  bool up(int node) const { return nodes_[static_cast<size_t>(node)].up; }
  int master() const { return master_; }
  int count() const { return static_cast<int>(nodes_.size()); }
  int64_t NowMs(int64_t now_us) const { return (now_us + clock_us_) / 1000; }

  // Faults.
  void StepClock(int64_t by_us) { clock_us_ += by_us; }
  void TakeSnapshot(int64_t now_us);
  void Kill(int node) { nodes_[static_cast<size_t>(node)].up = false; }
  uint64_t WriterOf(int node) const { return nodes_[static_cast<size_t>(node)].writer; }
  const Hashes& StateOf(int node) const { return nodes_[static_cast<size_t>(node)].state; }
  enum class Memory { kKept, kEmpty, kSnapshot };
  // A new process with what it remembers; `age`: which snapshot, 0 being the last.
  void Restart(int node, Memory memory, size_t age);
  // A new process with an earlier copy of a node.
  void RestartWith(int node, Hashes state);
  void Forget(int node) { nodes_[static_cast<size_t>(node)].state = Hashes(); }  // FLUSHALL: the process lives on
  // Replicas get nothing from the master any more, or again.
  void Cut(int replica, bool cut, int64_t now_us);
  // `replica` is master from now on. The old one goes on as it was (for those who still reach it), until Demote.
  void FailOver(int replica, int64_t now_us);
  void Demote(int node, int64_t now_us);

 private:
  struct Write {
    int64_t arrives_us;
    uint64_t offset;
    int prefix;
    int touched;
    Record record;
    int64_t born_ms, ttl_ms, new_until_ms;
    uint64_t writer;
  };
  struct Node {
    bool up = true;
    bool cut = false;
    int master = -1;  // -1: it is one
    uint64_t writer = 0;
    uint64_t offset = 0;  // written, or applied
    Hashes state;
    std::deque<Write> coming;
    std::vector<Hashes> snapshots;  // the last is the newest
  };

  void CatchUp(Node& node, int64_t now_us);
  void CopyFrom(Node& node, const Node& master);

  const Breaks& breaks_;
  std::vector<Node> nodes_;
  int master_ = 0;
  uint64_t last_writer_ = 0;
  int64_t clock_us_ = 0;
};

}  // namespace idgen::sim
