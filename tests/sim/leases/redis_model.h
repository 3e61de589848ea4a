// What src/lease/redis/script.h does, once more, on plain data and without a Redis: so that a store can be copied, cut
// off, emptied and set back. conformance.cpp holds the two against each other.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "leases/breaks.h"
#include "lease/store.h"

namespace idgen::sim {

struct Record {
  bool there = false;
  bool free = true;
  int holder = -1;
  int64_t ceiling_ms = 0;
  int64_t expiry_ms = 0;
  int64_t floor_ms = 0;
  char token[lease::kTokenBytes + 1] = {};
};

// The hash of one prefix.
struct RedisState {
  int64_t born_ms = -1;       // -1: there is no hash
  uint64_t writer = 0;        // run id and replication id in one; 0: none has written
  int64_t ttl_ms = -1;        // -1: no such field
  int64_t new_until_ms = -1;  // -1: no such field
  std::vector<Record> records;
  std::vector<Record> claims;  // of servers with a static worker id
  int touched = -1;            // the record that the last call wrote; for replication
};

constexpr int kPrefixes = 2;
using Hashes = std::array<RedisState, kPrefixes>;

// What the script is called with beyond the request.
struct Call {
  int prefix = 0;  // which hash
  lease::StoreRequest request;
  int holder = 0;
  int min_worker = 0;
  int max_workers = 0;
  int64_t ttl_ms = 0;
  int64_t reach_ms = 60000;
  bool durable = false;
  bool first = false;
  const char* (*name_of)(int holder) = nullptr;  // what a holder is called
};

// The answer, and the state changed. `now_ms` is TIME, `writer` who the Redis is; never 0.
lease::StoreReply Apply(RedisState& state, const Call& call, int64_t now_ms, uint64_t writer, const Breaks& breaks);

}  // namespace idgen::sim
