// Finding a Redis, logging in, exchanging commands for replies.
#include "io/redis/link.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>

#include "wire/printable.h"

namespace idgen::io {
namespace {

using wire::RedisUrl;

bool StartsWith(const char* text, const char* prefix) noexcept { return strncmp(text, prefix, strlen(prefix)) == 0; }

bool IsError(const redisReply* reply) noexcept { return reply->type == REDIS_REPLY_ERROR; }

constexpr size_t kShown = 200;  // of an error of the store
constexpr const char* kRestHidden = " (the rest is hidden because it may repeat the password)";

// How many bytes of an error in reply to AUTH may be shown: some servers repeat an unknown command, password and all.
// Known errors of Redis, Valkey and their proxies are shown in full, of others only the first word.
size_t ShownAfterAuth(const char* error) noexcept {
  for (const char* safe : {"WRONGPASS ", "NOPERM ", "NOAUTH ", "DENIED ", "LOADING ", "ERR invalid password",
                           "ERR AUTH <password> called without", "ERR Client sent AUTH, but no password",
                           "ERR wrong number of arguments", "ERR max number of clients", "ERR No such master"})
    if (StartsWith(error, safe)) return kShown;
  return std::min(strcspn(error, " "), kShown - 1);
}

}  // namespace

void RedisLink::Configure(const StoreAccess& access) noexcept {
  Close();
  wire::ParseRedisUrl(access.url, &url_);
  search_.Configure(access, url_.endpoint_count);
  has_moved_ = false;
}

wire::Commands& RedisLink::NewExchange() noexcept {
  if (state_ == State::kBusy) Disconnect();
  state_ = State::kIdle;
  FreeReplies();
  commands_.Clear();
  return commands_;
}

void RedisLink::Begin(int64_t now_us, const ExchangeOptions& options) noexcept {
  state_ = State::kBusy;
  search_.Begin(now_us, options.until_us);
  moves_ = 0;
  follows_ = options.follows;
  may_have_run_ = is_garbled_ = false;
  if (commands_.problem() != nullptr) {
    search_.Explain("%s", commands_.problem());
    return Fail();
  }
  if (!will_be_first()) return Send(commands_, Stage::kExchanging);
  if (!options.reconnects) {
    search_.Explain("the connection is lost");
    return Fail();
  }
  // Another server may have become master meanwhile.
  if (url_.kind == RedisUrl::Kind::kSentinel) has_moved_ = false;
  Seek(now_us);
}

bool RedisLink::will_be_first() noexcept {
  if (stage_ != Stage::kReady) return true;
  // Notices a server that has closed the connection before anything is sent to it.
  char byte;
  if (transport_.Receive(&byte, 1) != 0) Disconnect();
  return stage_ != Stage::kReady || !used_;
}

RedisLink::State RedisLink::Step(int64_t now_us) noexcept {
  if (state_ != State::kBusy) return state_;
  switch (stage_) {
    case Stage::kResolving: Proceed(search_.Step(now_us), now_us); break;
    case Stage::kConnecting: StepConnecting(now_us); break;
    case Stage::kAskingSentinel:
    case Stage::kLoggingIn:
    case Stage::kExchanging: Talk(now_us); break;
    case Stage::kClosed:
    case Stage::kReady: break;
  }
  if (state_ != State::kBusy) return state_;
  if (search_.IsOver(now_us, stage_ == Stage::kExchanging)) {
    Fail();
  } else if (search_.IsAttemptOver(now_us)) {
    transport_.Close();
    Proceed(search_.GiveUpAttempt(now_us), now_us);
  }
  return state_;
}

// Begins to connect to the server that is to carry the exchange.
void RedisLink::Seek(int64_t now_us) noexcept {
  Disconnect();
  at_sentinel_ = url_.kind == RedisUrl::Kind::kSentinel && !has_moved_;
  if (has_moved_) return Proceed(search_.Approach(moved_, now_us), now_us);
  if (url_.kind == RedisUrl::Kind::kUnix) return Proceed(search_.ApproachPath(url_.path, now_us), now_us);
  Proceed(search_.Approach(url_.endpoints[search_.host()], now_us), now_us);
}

void RedisLink::Proceed(ServerSearch::Next next, int64_t now_us) noexcept {
  switch (next) {
    case ServerSearch::Next::kWait: stage_ = Stage::kResolving; return;
    case ServerSearch::Next::kConnect: return Connect(now_us);
    case ServerSearch::Next::kNoMore: return NextSeed(now_us);
  }
}

void RedisLink::Connect(int64_t now_us) noexcept {
  stage_ = Stage::kConnecting;
  used_ = false;
  ++connections_;
  int result = transport_.Open(search_.address());
  if (result == 0 && url_.tls) result = transport_.Encrypt(search_.access().tls, search_.target().host);
  if (result == 0) return StepConnecting(now_us);
  search_.Explain("%s", transport_.problem());
  NextAddress(now_us);
}

void RedisLink::NextAddress(int64_t now_us) noexcept {
  transport_.Close();
  Proceed(search_.NextAddress(now_us), now_us);
}

void RedisLink::StepConnecting(int64_t now_us) noexcept {
  const int result = transport_.Connected();
  if (result == 0) return;
  if (result < 0) {
    search_.Explain("%s", transport_.problem());
    return NextAddress(now_us);
  }
  search_.Remember();
  if (!reader_.Reset()) {
    search_.Explain("out of memory");
    return Fail();
  }
  LogIn(now_us);
}

bool RedisLink::AddAuth() noexcept {
  PasswordLine line;
  const char* password = search_.ReadPassword(url_.password, &line);
  if (password == nullptr) return false;
  if (*url_.user != '\0')
    own_.AddTexts("AUTH", url_.user, password);
  else if (*password != '\0')
    own_.AddTexts("AUTH", password);
  return true;
}

void RedisLink::LogIn(int64_t now_us) noexcept {
  own_.Clear();
  if (!AddAuth()) return Fail();
  has_auth_ = own_.count() > 0;
  if (at_sentinel_) {
    own_.AddTexts("SENTINEL", "get-master-addr-by-name", url_.master);
    Send(own_, Stage::kAskingSentinel);
  } else {
    char db[16];
    snprintf(db, sizeof db, "%d", url_.db);
    if (url_.db != 0) own_.AddTexts("SELECT", db);
    if (asking_) own_.AddTexts("ASKING");
    if (own_.count() == 0)
      Send(commands_, Stage::kExchanging);
    else
      Send(own_, Stage::kLoggingIn);
  }
  Talk(now_us);
}

void RedisLink::Send(const wire::Commands& commands, Stage stage) noexcept {
  FreeReplies();
  reader_.BeginExchange();
  stage_ = stage;
  if (stage == Stage::kExchanging) search_.LimitAttempt(kNever);  // it has all the time that the exchange has
  sending_ = &commands;
  sent_ = 0;
  awaited_ = commands.count();
  if (commands.problem() != nullptr || !MakeRoom(awaited_)) {
    search_.Explain("%s", commands.problem() != nullptr ? commands.problem() : "out of memory");
    Fail();
  }
}

void RedisLink::Talk(int64_t now_us) noexcept {
  if (state_ != State::kBusy) return;
  const bool has_to_send = sent_ < sending_->size();
  while (sent_ < sending_->size()) {
    const int64_t taken = transport_.Send(sending_->bytes() + sent_, sending_->size() - sent_);
    if (taken < 0) {
      search_.Explain("%s", transport_.problem());
      return stage_ == Stage::kExchanging ? Fail() : NextSeed(now_us);
    }
    if (taken == 0) break;
    if (stage_ == Stage::kExchanging) may_have_run_ = true;
    sent_ += static_cast<size_t>(taken);
  }
  // The reply to what was just sent cannot be there yet.
  if (has_to_send && sent_ == sending_->size()) return;
  // A limit per step, so that a server that sends without end does not keep the caller from its latch.
  char bytes[8192];
  for (int reads = 0; reads < 16; ++reads) {
    const int64_t size = transport_.Receive(bytes, sizeof bytes);
    if (size == 0) return;
    if (size < 0) {
      search_.Explain("%s", transport_.problem());
      // What was sent may have been carried out, so it is not sent again.
      return stage_ == Stage::kExchanging ? Fail() : NextSeed(now_us);
    }
    bool good = reader_.Feed(bytes, static_cast<size_t>(size));
    while (good && reply_count_ < awaited_) {
      redisReply* reply = reader_.Next();
      if (reply == nullptr) break;
      replies_[reply_count_++] = reply;
    }
    if (reader_.error() != nullptr) {
      is_garbled_ = true;
      search_.Explain("the server does not speak the Redis protocol: %s", reader_.error());
      return Fail();
    }
    if (reply_count_ == awaited_) return HandleReplies(now_us);
  }
}

void RedisLink::HandleReplies(int64_t now_us) noexcept {
  switch (stage_) {
    case Stage::kAskingSentinel: return HandleSentinel(now_us);
    case Stage::kLoggingIn: return HandleLogin(now_us);
    default: return HandleExchange(now_us);
  }
}

void RedisLink::HandleSentinel(int64_t now_us) noexcept {
  // A Sentinel without a password answers AUTH with an error, which means nothing.
  const redisReply* reply = replies_[reply_count_ - 1];
  if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 && reply->element[0]->type == REDIS_REPLY_STRING &&
      reply->element[1]->type == REDIS_REPLY_STRING) {
    const char* host = reply->element[0]->str;
    const char* digits = reply->element[1]->str;
    uint16_t port;
    if (strlen(host) < sizeof moved_.host && wire::ParsePort(digits, digits + strlen(digits), &port)) {
      moved_ = wire::Endpoint();
      memcpy(moved_.host, host, strlen(host));
      moved_.port = port;
      has_moved_ = true;
      return Seek(now_us);
    }
  }
  if (IsError(reply))
    search_.Explain("Sentinel says: %.*s%s", static_cast<int>(ShownAfterAuth(reply->str)), reply->str,
                    ShownAfterAuth(reply->str) < kShown ? kRestHidden : "");
  else
    search_.Explain("Sentinel knows no master \"%s\"", url_.master);
  NextSeed(now_us);
}

void RedisLink::HandleLogin(int64_t now_us) noexcept {
  for (int i = 0; i < reply_count_; ++i) {
    if (!IsError(replies_[i])) continue;
    const size_t size = i == 0 && has_auth_ ? ShownAfterAuth(replies_[i]->str) : kShown;
    search_.Explain("the login is refused: %.*s%s", static_cast<int>(size), replies_[i]->str,
                    size < kShown ? kRestHidden : "");
    return Fail();
  }
  if (reader_.has_more()) {  // it would be taken for the exchange's reply
    is_garbled_ = true;
    search_.Explain("the server does not speak the Redis protocol: it sent a reply too many");
    return Fail();
  }
  Send(commands_, Stage::kExchanging);
  Talk(now_us);
}

void RedisLink::HandleExchange(int64_t now_us) noexcept {
  may_have_run_ = false;
  for (int i = 0; i < reply_count_; ++i) may_have_run_ = may_have_run_ || !IsError(replies_[i]);
  for (int i = 0; follows_ && i < reply_count_; ++i) {
    if (!IsError(replies_[i])) continue;
    const char* error = replies_[i]->str;
    if (Moved(error, now_us)) return;
    if (strstr(error, "unauthenticated") != nullptr || StartsWith(error, "NOAUTH")) {
      ExplainNoPassword();
      return Fail();
    }
    for (const char* passing : {"LOADING", "CLUSTERDOWN", "MASTERDOWN", "TRYAGAIN", "BUSY ", "NOREPLICAS", "MISCONF",
                                "READONLY", "MOVED", "ASK "}) {
      if (!StartsWith(error, passing)) continue;
      const std::string_view words = wire::WithoutAddress(error);
      search_.Explain("the store says: %.*s", static_cast<int>(std::min(words.size(), kShown)), words.data());
      return Fail();
    }
  }
  was_first_ = !used_;
  used_ = true;
  state_ = State::kDone;
  if (reader_.has_more()) {  // unrequested replies, which must not be taken for the next exchange's
    Disconnect();
  } else if (asking_) {  // the key has not moved yet: the next exchange goes to the server that has it
    asking_ = false;
    has_moved_ = false;
    Disconnect();
  } else {
    stage_ = Stage::kReady;
  }
}

void RedisLink::ExplainNoPassword() noexcept {
  const char* file = search_.access().password_file.setting;
  if (*file == '\0')
    search_.Explain("the store requires a password: set one in \"%s\"", search_.access().url_setting);
  else
    search_.Explain("the store requires a password: set one in \"%s\", or in the file that \"%s\" names",
                    search_.access().url_setting, file);
}

// True if the server said to go elsewhere, and the exchange goes there.
bool RedisLink::Moved(const char* error, int64_t now_us) noexcept {
  const bool moved = StartsWith(error, "MOVED "), ask = StartsWith(error, "ASK "),
             replica = strstr(error, "READONLY") != nullptr;
  if ((!moved && !ask && !replica) || moves_ >= kMaxMoves) return false;
  ++moves_;
  if (replica) {
    search_.Explain("the server is a replica: %.200s", error);
    has_moved_ = false;
    NextSeed(now_us);
    return true;
  }
  const char* space = strchr(error, ' ');
  space = space == nullptr ? nullptr : strchr(space + 1, ' ');
  wire::Endpoint to;
  if (space == nullptr || wire::ParseEndpoint(space + 1, space + 1 + strcspn(space + 1, " "), 0, &to) != nullptr ||
      to.port == 0) {
    // "MOVED 1234 :6380" is the same host with another port.
    uint16_t port;
    if (space == nullptr || space[1] != ':' || !wire::ParsePort(space + 2, space + 2 + strcspn(space + 2, " "), &port))
      return false;
    to = search_.target();
    to.port = port;
  }
  moved_ = to;
  has_moved_ = true;
  asking_ = ask;
  Seek(now_us);
  return true;
}

// The server failed: tries the next of the list, until each has had its turn.
void RedisLink::NextSeed(int64_t now_us) noexcept {
  Disconnect();
  asking_ = false;
  if (has_moved_) {
    has_moved_ = false;
    // Sentinel would say the same again until it has noticed.
    return url_.kind == RedisUrl::Kind::kSentinel ? Fail() : Seek(now_us);
  }
  if (!search_.NextHost()) return Fail();
  Seek(now_us);
}

void RedisLink::Distrust() noexcept {
  Disconnect();
  has_moved_ = false;
  search_.SkipHost();
}

void RedisLink::Fail() noexcept {
  // A server that has not answered any exchange may never do so: the next exchange begins with another.
  if (!used_) search_.SkipHost();
  Disconnect();
  asking_ = false;
  has_moved_ = false;
  FreeReplies();
  state_ = State::kFailed;
}

Wants RedisLink::wants(int64_t now_us) const noexcept {
  if (state_ != State::kBusy) return {};
  const bool has_to_send = sending_ != nullptr && stage_ != Stage::kConnecting && sent_ < sending_->size();
  return search_.wants(now_us, stage_ == Stage::kResolving ? Wants() : transport_.wants(has_to_send));
}

void RedisLink::Close() noexcept {
  Disconnect();
  FreeReplies();
  commands_.Free();
  own_.Free();
  state_ = State::kIdle;
}

void RedisLink::Disconnect() noexcept {
  transport_.Close();
  search_.Cancel();
  reader_.Free();
  stage_ = Stage::kClosed;
  used_ = false;
}

bool RedisLink::MakeRoom(int replies) noexcept {
  if (replies <= kFewReplies) return true;
  auto** room = static_cast<redisReply**>(malloc(sizeof(redisReply*) * static_cast<size_t>(replies)));
  if (room != nullptr) replies_ = room;
  return room != nullptr;
}

void RedisLink::FreeReplies() noexcept {
  for (int i = 0; i < reply_count_; ++i) freeReplyObject(replies_[i]);
  reply_count_ = 0;
  if (replies_ != few_replies_) free(replies_);
  replies_ = few_replies_;
}

}  // namespace idgen::io
