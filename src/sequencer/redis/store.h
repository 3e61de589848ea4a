// The sequence store in a Redis or Valkey (5 or later). An operation on many keys goes out in one exchange; keys that
// the server did not carry out because they belong elsewhere are asked for one by one.
#pragma once

#include "io/redis/link.h"
#include "io/redis/script.h"
#include "sequencer/redis/script.h"
#include "sequencer/store.h"

namespace idgen::sequencer {

class RedisSequenceStore : public SequenceStore {
 public:
  explicit RedisSequenceStore(io::RedisLink& link) noexcept : link_(link) {}

  void Configure(const io::StoreAccess& access) noexcept override { link_.Configure(access); }
  void Begin(const Operation& operation, const StoreKey* keys, Answer* answers, int count, int64_t now_us,
             int64_t until_us) noexcept override;
  State Step(int64_t now_us) noexcept override;
  io::Wants wants(int64_t now_us) const noexcept override { return link_.wants(now_us); }
  const char* problem() const noexcept override { return link_.problem(); }
  const char* reason() const noexcept override { return link_.reason(); }
  bool is_unsure() const noexcept override { return unsure_; }
  bool is_garbled() const noexcept override { return link_.is_garbled(); }
  uint64_t connection() const noexcept override { return link_.connection(); }
  bool came_from_one() const noexcept override { return came_from_one_ && first_connection_ == link_.connection(); }
  bool is_exchanging() const noexcept override { return link_.is_exchanging(); }
  void Close() noexcept override { link_.Close(); }

 private:
  enum class Mode : uint8_t { kLoadingScript, kTogether, kSingly };

  void BeginExchange(int64_t now_us) noexcept;
  bool AsksForGenerationsTogether() const noexcept;
  void AddTogether(wire::Commands* commands) noexcept;
  bool HandleReplies() noexcept;
  void HandleTogether() noexcept;
  int Read(int at, Answer* answer) noexcept;

  io::RedisLink& link_;
  Operation operation_;
  const StoreKey* keys_ = nullptr;
  Answer* answers_ = nullptr;
  int count_ = 0;
  int index_ = 0;  // kSingly: whose turn it is
  Mode mode_ = Mode::kSingly;
  bool whole_ = false;      // the script is sent whole: the server has just said that it does not have it
  bool is_spread_ = false;  // the keys are on several nodes: a command for many is refused
  bool loads_ = false;      // the exchange loads the script, too
  int turns_ = 0;           // of one key
  bool unsure_ = false;
  uint64_t first_connection_ = 0;  // over which the first answers came
  bool came_from_one_ = true;
  int64_t until_us_ = 0;
  io::RedisScript script_{kRedisSequenceScript};
};

}  // namespace idgen::sequencer
