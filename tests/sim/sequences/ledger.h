// Everything that was ever given of sequences, and what is promised of it (docs/sequencers.md):
//
// 1. Where the store forgot nothing, no value is given twice, but for what somebody set or dropped.
// 2. Whatever the store forgot, a server gives no value again that it gave before and that counts, under one
// generation;
//    and nobody else does, once that server has asked. But for a store that was emptied, and counted up by others,
//    while the server had crashed: that looks as if it had kept everything.
// 3. What one server gives grows in the order in which it is given.
//
// Times are numbers of events, of which no two are the same.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

namespace idgen::sim::sequences {

// What the store gave in one step, to one call or as a segment, and the server put down.
struct Grant {
  int key = 0;
  int server = 0;
  int life = 0;
  int64_t first = 0;
  int64_t count = 0;
  uint64_t found = 0;      // what the server knew before it asked
  uint64_t asked = 0;      // when the store was asked first
  uint64_t ran = 0;        // when it gave these
  uint64_t noted = 0;      // when the server knew of them
  int64_t generation = 0;  // in the store, then
  uint64_t process = 0;    // the store: another one after a restart or a fail-over, the same one when it was emptied
};

class Ledger {
 public:
  // `one_master`: whatever is not noted as forgotten the store knows, also if it is another process.
  Ledger(int keys, int servers, bool one_master);

  // Servers do not know what they were given of the key, so what the store forgot may be given again.
  void NoteUnmarked(int key) { KeyOf(key).is_marked = false; }
  bool IsMarked(int key) const { return KeyOf(key).is_marked; }

  void NoteReset(int key, uint64_t at, int64_t value);  // a set, or a drop, which is to -1
  // What the store did after the event `since`.
  void NoteForgot(int key, uint64_t at, uint64_t since = 0);
  // A server has found nothing of a key: what it knew made room for others.
  void NoteEvicted(int key, int server, uint64_t at);
  bool HasGiven(int key, int server) const { return KeyOf(key).has_given[static_cast<size_t>(server)]; }

  size_t Add(const Grant& grant);
  const Grant& grant(size_t index) const { return grants_[index]; }

  // `value` was given; `order`, if it is of a segment: when it was taken. Empty if nothing is wrong. Returns the
  // argument for Commit().
  size_t Give(size_t grant, int64_t value, uint64_t order, uint64_t now, std::string* problem);
  void Commit(size_t gift, uint64_t now) { gifts_[gift].committed = now; }
  // What the server has committed since then may be forgotten, as its machine has crashed.
  void Uncommit(int server, uint64_t since);

  // Whether the key was set or dropped to below the value in between.
  bool IsReset(int key, uint64_t from, uint64_t to, int64_t value) const;
  // When last it forgot, in between, what it did at `from`; 0 for never.
  uint64_t ForgotBetween(int key, uint64_t from, uint64_t to) const;
  uint64_t values() const noexcept { return gifts_.size(); }
  uint64_t repeated() const noexcept { return repeated_; }

 private:
  struct Reset {
    uint64_t at;
    int64_t value;
  };
  struct Loss {
    uint64_t at;
    uint64_t since;
  };
  struct Gift {
    size_t grant;
    uint64_t given;
    uint64_t committed;  // 0: not
  };
  struct Key {
    bool is_marked = true;
    std::vector<Reset> resets;
    std::vector<Loss> losses;
    std::vector<uint64_t> evicted;  // by server: when last
    std::vector<bool> has_given;    // by server
    std::vector<size_t> grants;
    std::unordered_map<int64_t, std::vector<size_t>> gifts;
    // Of a server, with its life: by when they were taken.
    std::vector<std::pair<int, std::map<uint64_t, std::pair<int64_t, size_t>>>> orders;
  };
  Key& KeyOf(int key) { return keys_[static_cast<size_t>(key)]; }
  const Key& KeyOf(int key) const { return keys_[static_cast<size_t>(key)]; }
  // Whether the grant's server knew, at a later grant, that the gift's value had been given.
  bool Knows(const Gift& gift, const Grant& later) const;
  std::string JudgePair(const Gift& a, const Gift& b, int64_t value) const;
  std::string JudgeOrder(size_t grant, int64_t value, uint64_t order);

  const bool one_master_;
  std::vector<Key> keys_;
  std::vector<Grant> grants_;
  std::vector<Gift> gifts_;
  uint64_t repeated_ = 0;  // values that a store that forgot may have given again
};

}  // namespace idgen::sim::sequences
