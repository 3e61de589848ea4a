// The lease store in a Redis or Valkey (5 or later): one hash per prefix, one script for all operations.
#pragma once

#include "io/redis/link.h"
#include "io/redis/script.h"
#include "lease/redis/script.h"
#include "lease/store.h"

namespace idgen::lease {

class RedisLeaseStore : public LeaseBackend {
 public:
  explicit RedisLeaseStore(io::RedisLink& link) noexcept : link_(link) {}

  void Configure(const LeaseStoreSettings& settings) noexcept override;
  void Begin(const StoreRequest& request, int64_t now_us) noexcept override;
  bool Step(int64_t now_us, StoreReply* reply) noexcept override;
  io::Wants wants(int64_t now_us) const noexcept override { return link_.wants(now_us); }
  const char* problem() const noexcept override;
  void Close() noexcept override { link_.Close(); }

  size_t record_count() const noexcept override;
  bool Record(size_t index, StoreRecord* record) const noexcept override;
  const char* advice() const noexcept override;

 private:
  void Ask(bool whole, int64_t now_us) noexcept;
  void AddCall(bool whole, bool is_first, wire::Words* words) const noexcept;
  bool WaitsForReplicas() const noexcept;
  StoreReply Read(const redisReply* reply) noexcept;
  void NoteWords(const char* what, const redisReply* said) noexcept;
  StoreReply Misread(const redisReply* reply) noexcept;
  StoreReply ReadAcquired(const redisReply* reply) noexcept;

  io::RedisLink& link_;
  LeaseStoreSettings settings_;
  StoreRequest request_;
  io::RedisScript script_{kRedisLeaseScript};
  bool sent_whole_ = false;  // the script, in the exchange that is under way
  bool loads_ = false;       // that exchange also loads it
  bool told_first_ = true;   // the last exchange could tell the script that it was the first
  char problem_[512] = {};
};

}  // namespace idgen::lease
