// The etcd of a simulation of sequences: the model, what a restore from a snapshot takes it back to, and when which key
// was set, which no store knows.
#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "etcd/model.h"
#include "sequences/store_model.h"

namespace idgen::sim::sequences {

class EtcdCluster {
 public:
  // The names as the model has them.
  explicit EtcdCluster(std::vector<std::string> names) : names_(std::move(names)) { now_.resets.resize(names_.size()); }

  int count() const noexcept { return static_cast<int>(names_.size()); }
  EtcdModel& model() noexcept { return now_.model; }
  KeyState StateOf(int key) const;
  int64_t RevisionOf(int key) const;  // that wrote it; 0: it does not exist
  bool HasLease(int key) const;

  void NoteReset(int key, uint64_t event) { now_.resets[static_cast<size_t>(key)] = event; }

  void TakeSnapshot(uint64_t event);
  // Returns the event at which the snapshot was taken; 0 if there is none, and nothing has happened.
  uint64_t Restore(size_t age);

  bool up = true;
  std::vector<size_t> waiting;  // calls that are carried out once it is up

 private:
  struct Moment {
    EtcdModel model;
    std::vector<uint64_t> resets;  // by key: the event of the latest set, drop, or expiry
    uint64_t event = 0;
  };

  const EtcdModel::Key* Find(int key) const;

  const std::vector<std::string> names_;
  Moment now_;
  std::deque<Moment> snapshots_;
};

}  // namespace idgen::sim::sequences
