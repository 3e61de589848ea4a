// An operation on one key or on many, carried out over a line to a Redis: together in one exchange, and those that the
// server did not carry out because they belong elsewhere one by one. What may have been carried out is never sent
// again. It never waits; time is passed in, on the boot-time clock.
#pragma once

#include "io/redis/link.h"
#include "sequencer/redis/request.h"
#include "sequencer/redis/script.h"

namespace idgen::sequencer {

class Client {
 public:
  enum class State : uint8_t { kBusy, kDone, kFailed };

  explicit Client(io::RedisLink& link) noexcept : link_(link) {}

  // Keys and answers, `count` each, the answers fresh, live until it is done. What was under way is given up.
  void Begin(const Operation& operation, const StoreKey* keys, Answer* answers, int count, int64_t now_us,
             int64_t until_us) noexcept;
  // kDone: every answer is there. kFailed: problem() says why; answers that are there stay.
  State Step(int64_t now_us) noexcept;
  io::Wants wants(int64_t now_us) const noexcept { return link_.wants(now_us); }
  const char* problem() const noexcept { return link_.problem(); }
  const char* reason() const noexcept { return link_.reason(); }  // the same without whom
  // After kFailed: values may have been given, or a change made, that nobody was told of.
  bool is_unsure() const noexcept { return unsure_; }
  bool is_garbled() const noexcept { return link_.is_garbled(); }
  // After kDone: whether every answer came over one connection, the latest.
  bool came_from_one() const noexcept { return came_from_one_ && first_connection_ == link_.connection(); }
  void Close() noexcept { link_.Close(); }

 private:
  enum class Mode : uint8_t { kLoadingScript, kTogether, kSingly };

  void Ask(int64_t now_us) noexcept;
  bool AsksForGenerationsTogether() const noexcept;
  void AskTogether(wire::Commands* commands) noexcept;
  bool TakeReplies() noexcept;
  void TakeTogether() noexcept;
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
  bool loads_ = false;      // the exchange asks for the script's sum, too
  int turns_ = 0;           // of one key
  bool unsure_ = false;
  uint64_t first_connection_ = 0;  // over which the first answers came
  bool came_from_one_ = true;
  int64_t until_us_ = 0;
  io::RedisScript script_{kRedisSequenceScript};
};

}  // namespace idgen::sequencer
