// The store of a simulation of sequences: a master with its replicas, which lag, and snapshots. What it forgets is
// known here, and nowhere else.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "sequences/store_model.h"

namespace idgen::sim::sequences {

class Store {
 public:
  enum class Memory : uint8_t { kKept, kEmpty, kSnapshot };

  Store(int nodes, int keys, const Breaks& breaks);

  int master() const noexcept { return master_; }
  bool up() const noexcept { return NodeOf(master_).up; }
  // Another number for another process: connections to the one before are gone.
  uint64_t process() const noexcept { return NodeOf(master_).process; }
  // Of a master of before, which was cut off and goes on; 0: there is none.
  uint64_t old_process() const noexcept { return old_ < 0 ? 0 : NodeOf(old_).process; }
  bool IsUp(uint64_t process) const noexcept {
    return (up() && process == this->process()) || (old_ >= 0 && process == old_process());
  }
  const KeyState& state(int key) const noexcept { return state(key, process()); }
  const KeyState& state(int key, uint64_t process) const noexcept {
    return NodeOf(NodeWith(process)).keys[static_cast<size_t>(key)];
  }

  // What the old master has is other than what the master has.
  bool IsOldOther(int key) const { return old_ >= 0 && !(state(key, old_process()) == state(key)); }

  // On one that is up.
  sequencer::Answer Execute(uint64_t process, int key, const sequencer::Operation& operation, int64_t now_us,
                            uint64_t event);

  // What was set last, where a server has brought that back.
  void NoteReset(uint64_t process, int key, uint64_t event);

  // Replicas take over what they lag behind, but for those that are cut off.
  void Replicate();
  void Cut(int node, bool cut) { NodeOf(node).cut = cut; }
  void TakeSnapshot();

  // What changes hands. What was lost does not come back: snapshots of it neither. Which keys have another state than
  // before is up to the caller: see state().
  void Forget();
  void Kill() { NodeOf(master_).up = false; }
  void Restart(Memory memory, size_t age);
  void FailOver(int node, bool old_goes_on);
  // What only it had is gone.
  void EndOld();

  int count() const noexcept { return static_cast<int>(nodes_.size()); }

 private:
  using Keys = std::vector<KeyState>;
  struct Change {
    int key;
    KeyState state;
  };
  struct Node {
    Keys keys;
    std::deque<Change> backlog;
    bool up = true;
    bool cut = false;
    uint64_t process = 0;
    uint64_t writer = 0;
  };
  int NodeWith(uint64_t process) const noexcept { return process == old_process() ? old_ : master_; }
  Node& NodeOf(int node) noexcept { return nodes_[static_cast<size_t>(node)]; }
  const Node& NodeOf(int node) const noexcept { return nodes_[static_cast<size_t>(node)]; }
  void Propagate(const Node& node, int key);
  // All others are as the master, at once.
  void Resynchronize();

  const Breaks& breaks_;
  std::vector<Node> nodes_;
  std::deque<Keys> snapshots_;
  int master_ = 0;
  int old_ = -1;
  int64_t time_us_ = 0;
  uint64_t processes_ = 0;
  uint64_t writers_ = 0;
};

}  // namespace idgen::sim::sequences
