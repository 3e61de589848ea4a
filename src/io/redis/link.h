// A connection to a Redis that this finds, logs in to and follows as it moves: hosts in turn, Sentinel, MOVED and ASK
// of a Redis Cluster. One exchange at a time: commands go out together, their replies come back together or not at all.
// It never waits; time is passed in, on the boot-time clock.
#pragma once

#include "io/server_search.h"
#include "wire/redis_url.h"
#include "wire/resp.h"

namespace idgen::io {

class RedisLink {
 public:
  enum class State : uint8_t { kIdle, kBusy, kDone, kFailed };

  struct ExchangeOptions {
    int64_t until_us = 0;  // when it fails; 0: the settings' timeout from now on
    // Handles errors that say where else to go, or that the server cannot serve now. That may repeat the exchange, so
    // all of its commands must take effect, or none. If false, such errors are replies like any other.
    bool follows = true;
    // If false, fails at once unless the connection of the previous exchange is still open.
    bool reconnects = true;
  };

  RedisLink(Transport& transport, Resolver& resolver) noexcept : transport_(transport), search_(resolver, known_) {}
  RedisLink(const RedisLink&) = delete;
  RedisLink& operator=(const RedisLink&) = delete;

  // Closes what was open. The URL must be valid.
  void Configure(const StoreAccess& access) noexcept;
  const wire::RedisUrl& url() const noexcept { return url_; }

  // The commands of the next exchange, which the caller adds before Begin. Abandons an exchange that is under way:
  // whether its commands were carried out is then unknown.
  wire::Commands& NewExchange() noexcept;
  void Begin(int64_t now_us) noexcept { Begin(now_us, ExchangeOptions()); }
  void Begin(int64_t now_us, const ExchangeOptions& options) noexcept;
  State Step(int64_t now_us) noexcept;
  State state() const noexcept { return state_; }

  // After kDone, until the next exchange. Errors are replies, except those that `follows` handles.
  const redisReply* reply(int index) const noexcept { return replies_[index]; }
  // Whether the next exchange will be the first over its connection: the server may be another one, or restarted.
  bool will_be_first() noexcept;
  // Whether the last one was.
  bool was_first() const noexcept { return was_first_; }
  // After kFailed: the commands were sent, at least in part, and the reply is missing.
  bool may_have_run() const noexcept { return may_have_run_; }
  // After kFailed: what answered was not a Redis.
  bool is_garbled() const noexcept { return is_garbled_; }
  // The exchange's own commands are being sent over connection(), or their replies awaited.
  bool is_exchanging() const noexcept { return state_ == State::kBusy && stage_ == Stage::kExchanging; }
  uint64_t connection() const noexcept { return connections_; }
  // The replies are useless: the next exchange goes to the next server.
  void Distrust() noexcept;

  Wants wants(int64_t now_us) const noexcept;
  // The last failure, with host and port.
  const char* problem() const noexcept { return search_.problem(); }
  // The same without host and port, which not every user may see.
  const char* reason() const noexcept { return search_.reason(); }
  void Close() noexcept;

 private:
  enum class Stage : uint8_t { kClosed, kResolving, kConnecting, kAskingSentinel, kLoggingIn, kExchanging, kReady };
  static constexpr int kMaxKnown = 16;
  static constexpr int kMaxMoves = 5;  // of one exchange

  void Seek(int64_t now_us) noexcept;
  void Proceed(ServerSearch::Next next, int64_t now_us) noexcept;
  void Connect(int64_t now_us) noexcept;
  void StepConnecting(int64_t now_us) noexcept;
  void Talk(int64_t now_us) noexcept;
  void HandleReplies(int64_t now_us) noexcept;
  void HandleSentinel(int64_t now_us) noexcept;
  void HandleLogin(int64_t now_us) noexcept;
  void HandleExchange(int64_t now_us) noexcept;
  bool Moved(const char* error, int64_t now_us) noexcept;
  void LogIn(int64_t now_us) noexcept;
  bool AddAuth() noexcept;
  void Send(const wire::Commands& commands, Stage stage) noexcept;
  void NextAddress(int64_t now_us) noexcept;
  void NextSeed(int64_t now_us) noexcept;
  void Fail() noexcept;
  void ExplainNoPassword() noexcept;
  void Disconnect() noexcept;
  bool MakeRoom(int replies) noexcept;
  void FreeReplies() noexcept;

  Transport& transport_;
  ServerSearch::KnownAddress known_[kMaxKnown];
  ServerSearch search_;
  wire::RedisUrl url_;
  State state_ = State::kIdle;
  Stage stage_ = Stage::kClosed;

  wire::Commands commands_;  // the exchange's
  wire::Commands own_;       // for logging in
  const wire::Commands* sending_ = nullptr;
  size_t sent_ = 0;
  wire::Replies reader_;
  static constexpr int kFewReplies = 4;
  redisReply* few_replies_[kFewReplies] = {};
  redisReply** replies_ = few_replies_;  // allocated if there are more
  int reply_count_ = 0;
  int awaited_ = 0;

  bool at_sentinel_ = false;
  bool has_moved_ = false;  // `moved_` says who has the key, by MOVED or Sentinel
  wire::Endpoint moved_;
  bool asking_ = false;  // ASK: for one exchange only
  int moves_ = 0;
  bool has_auth_ = false;  // the log-in begins with AUTH
  bool used_ = false;      // the connection has carried an exchange
  bool was_first_ = false;
  bool follows_ = true;
  bool may_have_run_ = false;
  bool is_garbled_ = false;
  uint64_t connections_ = 0;
};

}  // namespace idgen::io
