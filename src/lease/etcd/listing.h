// All records of a prefix, as one range of etcd returned them, and the worker ids among which an acquisition chooses.
#pragma once

#include "lease/etcd/keys.h"
#include "wire/etcd_reply.h"

namespace idgen::lease {

// The keys are in order. If a reply's are not, records may go unnoticed; an acquisition compares them in etcd anyway.
class EtcdListing {
 public:
  // Borrows both.
  EtcdListing(EtcdKeys& keys, const wire::EtcdOp& range) noexcept : keys_(keys), range_(range) {}

  // The key and value of one worker id. False if there is none.
  bool Find(EtcdKeys::Kind kind, uint32_t worker, wire::EtcdKv* kv) const noexcept;
  // 0 if there is none. False if what is there is not a ceiling.
  bool ReadCeiling(uint32_t worker, bool* has_ceiling, int64_t* ceiling_ms) const noexcept;
  // The record with this token. False if there is none.
  bool FindToken(std::string_view token, uint32_t* worker, wire::EtcdKv* kv) const noexcept;
  // How many worker ids this holder has leased under tokens other than `token`.
  int CountHolder(std::string_view holder, std::string_view token) const noexcept;

 private:
  EtcdKeys& keys_;
  wire::EtcdOp range_;
};

// A worker id that may be free, or the previous lease of this server that is to be swapped.
struct Candidate {
  uint32_t worker = 0;
  bool has_ceiling = false;  // there is a key ceiling/n
  bool is_previous = false;
};

struct ChoiceRules {
  uint32_t min_worker = 0;
  uint32_t max_workers = 0;
  int64_t now_ms = 0;             // a worker id whose ceiling is not later is as good as any
  int64_t reach_ms = 0;           // a ceiling further ahead is not accepted
  int64_t previous_reach_ms = 0;  // the same for the previous lease
  FencedLease previous = {};
  uint64_t seed = 0;
};

// The previous lease first. Then the free worker ids with the lowest ceilings, and among equals the lowest numbers: so
// a few servers use few worker ids. Then others at random: so many servers that start together find one soon.
struct Choice {
  static constexpr int kLowest = 8;
  static constexpr int kRandom = 8;
  static constexpr int kMax = 1 + kLowest + kRandom;

  Candidate candidates[kMax];
  int count = 0;
  bool previous_is_ahead = false;  // it is this server's, but its ceiling is not accepted
  int64_t ahead_until_ms = 0;      // if there is no candidate: when the first free worker id will be one; 0: never
};

Choice Choose(const EtcdListing& listing, const ChoiceRules& rules) noexcept;

// The previous lease alone, which is known to be this server's; none if its ceiling or the range does not permit it.
Choice ChoosePrevious(const ChoiceRules& rules, bool has_ceiling, int64_t ceiling_ms) noexcept;

}  // namespace idgen::lease
