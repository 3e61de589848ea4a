// Redis servers for the tests: a transport, a resolver and a clock that the test has in its hand.
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <gtest/gtest.h>

#include "core/time.h"
#include "io/redis/link.h"

namespace idgen {

using Command = std::vector<std::string>;

inline std::string Bulk(const std::string& text) { return "$" + std::to_string(text.size()) + "\r\n" + text + "\r\n"; }
inline std::string Array(const std::vector<std::string>& texts) {
  std::string bytes = "*" + std::to_string(texts.size()) + "\r\n";
  for (const std::string& text : texts) bytes += Bulk(text);
  return bytes;
}

// "10.0.0.1:7000", "[::1]:7000" or a path.
inline std::string NameOf(const io::Address& address) {
  char host[INET6_ADDRSTRLEN] = "";
  const auto* any = reinterpret_cast<const sockaddr*>(&address.storage);
  if (any->sa_family == AF_INET) {
    const auto* four = reinterpret_cast<const sockaddr_in*>(any);
    inet_ntop(AF_INET, &four->sin_addr, host, sizeof host);
    return std::string(host) + ":" + std::to_string(ntohs(four->sin_port));
  }
  if (any->sa_family == AF_INET6) {
    const auto* six = reinterpret_cast<const sockaddr_in6*>(any);
    inet_ntop(AF_INET6, &six->sin6_addr, host, sizeof host);
    return "[" + std::string(host) + "]:" + std::to_string(ntohs(six->sin6_port));
  }
  return reinterpret_cast<const sockaddr_un*>(any)->sun_path;
}

// Takes whole commands off the front of `bytes`.
inline std::vector<Command> TakeCommands(std::string* bytes) {
  std::vector<Command> commands;
  while (true) {
    size_t at = 0;
    const auto number = [&](char sign, size_t* value) {
      const size_t end = bytes->find("\r\n", at);
      if (end == std::string::npos || (*bytes)[at] != sign) return false;
      *value = std::stoul(bytes->substr(at + 1, end - at - 1));
      at = end + 2;
      return true;
    };
    size_t count = 0;
    if (!number('*', &count)) return commands;
    Command command;
    for (size_t size = 0; command.size() < count && number('$', &size) && at + size + 2 <= bytes->size();) {
      command.push_back(bytes->substr(at, size));
      at += size + 2;
    }
    if (command.size() < count) return commands;
    bytes->erase(0, at);
    commands.push_back(command);
  }
}

// One server: how it treats a connection, and what it says.
struct FakeRedis {
  enum class Door { kOpen, kRefuses, kSilent };
  Door door = Door::kOpen;
  bool mute = false;                                      // takes commands and says nothing
  bool reset = false;                                     // the connection is reset when something is sent
  std::map<std::string, std::string> answers;             // by the command's first word; "+OK" if there is none
  std::function<std::string(const Command&)> answers_by;  // instead, if it is set
  std::string unasked;                                    // said before anything is asked
  std::vector<Command> heard;

  std::string Answer(const Command& command) {
    heard.push_back(command);
    if (mute) return "";
    if (answers_by) return answers_by(command);
    const auto answer = answers.find(command[0]);
    return answer == answers.end() ? "+OK\r\n" : answer->second;
  }
  // The first words of what it heard.
  std::string Verbs() const {
    std::string verbs;
    for (const Command& command : heard) verbs += (verbs.empty() ? "" : " ") + command[0];
    return verbs;
  }
};

class FakeTransport final : public io::Transport {
 public:
  int Open(const io::Address& address) noexcept override {
    Close();
    opened.push_back(NameOf(address));
    server_ = &servers[opened.back()];
    inbox = server_->unasked;
    return 0;
  }
  int Encrypt(const io::TlsFiles&, const char* host) noexcept override {
    encrypted_for.push_back(host);
    return 0;
  }
  int Connected() noexcept override {
    if (server_->door == FakeRedis::Door::kRefuses) return Fail(ECONNREFUSED);
    return server_->door == FakeRedis::Door::kOpen ? 1 : 0;
  }
  int64_t Send(const char* bytes, size_t size) noexcept override {
    if (server_->reset) return Fail(ECONNRESET);
    if (stuffed) return 0;
    const size_t taken = std::min(size, piece);
    outbox_.append(bytes, taken);
    for (const Command& command : TakeCommands(&outbox_)) inbox += server_->Answer(command);
    return static_cast<int64_t>(taken);
  }
  int64_t Receive(char* bytes, size_t capacity) noexcept override {
    if (server_ == nullptr) return Fail(ENOTCONN);
    if (inbox.empty()) return broken ? Fail(ECONNRESET) : 0;
    const size_t given = inbox.copy(bytes, std::min(capacity, piece), read_);
    read_ += given;
    if (read_ == inbox.size()) Forget();
    return static_cast<int64_t>(given);
  }
  io::Wants wants(bool has_to_send) const noexcept override { return {.fd = 7, .read = true, .write = has_to_send}; }
  const char* problem() const noexcept override { return problem_.c_str(); }
  void Close() noexcept override {
    server_ = nullptr;
    Forget();
    outbox_.clear();
    broken = false;
  }

  bool is_open() const { return server_ != nullptr; }

  std::map<std::string, FakeRedis> servers;
  std::vector<std::string> opened;
  std::vector<std::string> encrypted_for;
  std::string inbox;        // of the connection
  bool broken = false;      // the connection is lost once the inbox has been read
  bool stuffed = false;     // nothing can be sent
  size_t piece = SIZE_MAX;  // so much is sent or received at a time

 private:
  int Fail(int error) {
    problem_ = strerror(error);
    return -error;
  }

  void Forget() {
    inbox.clear();
    read_ = 0;
  }

  FakeRedis* server_ = nullptr;
  std::string outbox_;
  size_t read_ = 0;  // of the inbox
  std::string problem_;
};

class FakeResolver final : public io::Resolver {
 public:
  void Begin(const char* host, uint16_t port) noexcept override {
    asked.push_back(host);
    addresses_.clear();
    for (const std::string& digits : names[host]) {
      addresses_.emplace_back();
      io::AddressOfDigits(digits.c_str(), port, &addresses_.back());
    }
    busy_ = true;
  }
  State Step() noexcept override {
    if (!busy_) return State::kIdle;
    if (silent) return State::kBusy;
    return addresses_.empty() ? State::kFailed : State::kDone;
  }
  int count() const noexcept override { return static_cast<int>(addresses_.size()); }
  const io::Address& address(int index) const noexcept override { return addresses_.at(static_cast<size_t>(index)); }
  io::Wants wants(int64_t) const noexcept override { return {.fd = 8, .read = true}; }
  const char* problem() const noexcept override { return "no such name"; }
  void Cancel() noexcept override { busy_ = false; }

  std::map<std::string, std::vector<std::string>> names;
  std::vector<std::string> asked;
  bool silent = false;

 private:
  std::vector<io::Address> addresses_;
  bool busy_ = false;
};

// A link in a world of servers. Time passes only when nothing else happens.
class RedisWorld {
 public:
  using State = io::RedisLink::State;
  static constexpr int64_t kConnectUs = core::kUsPerSecond;
  static constexpr int64_t kExchangeUs = 5 * core::kUsPerSecond;

  explicit RedisWorld(const char* url = "redis://10.0.0.1") : link(transport, resolver), url_(url) {
    wire::RedisUrl parsed;
    const char* problem = wire::ParseRedisUrl(url, &parsed);
    EXPECT_EQ(problem, nullptr) << problem;
    access.url = url_.c_str();
    access.url_setting = "the.url";
    access.connect_timeout_us = kConnectUs;
    access.timeout_us = kExchangeUs;
    link.Configure(access);
  }
  RedisWorld(const RedisWorld&) = delete;
  RedisWorld& operator=(const RedisWorld&) = delete;
  ~RedisWorld() { link.Close(); }

  FakeRedis& At(const std::string& address) { return transport.servers[address]; }

  // One exchange to its end.
  State Exchange(const Command& command = {"PING"}) {
    Begin(command);
    return Finish();
  }
  void Begin(const Command& command = {"PING"}) {
    wire::Words words;
    for (const std::string& word : command) words.Add(word);
    link.NewExchange().Add(words);
    link.Begin(now_us);
  }
  State Finish() {
    return Finish([this] { return link.Step(now_us); }, State::kBusy);
  }
  // Steps until the answer is another, or for too long.
  template <class Step, class Answer>
  Answer Finish(Step step, Answer busy) {
    for (int steps = 0; steps < 10000; ++steps) {
      const Answer answer = step();
      if (answer != busy) return answer;
      const io::Wants wants = link.wants(now_us);
      EXPECT_TRUE(wants.wake_boot_us != io::kNever) << "it would wait for ever";
      EXPECT_TRUE(wants.fd >= 0 && (wants.read || wants.write)) << "it waits for nothing but time";
      if (transport.inbox.empty() && !wants.write) now_us = std::max(now_us, wants.wake_boot_us);
      if (transport.stuffed) now_us += core::kUsPerMs;
    }
    ADD_FAILURE() << "it does not end";
    return busy;
  }
  std::string Reply() const { return link.reply(0)->str; }
  std::string Problem() const { return link.problem(); }

  int64_t now_us = 1000000;
  FakeTransport transport;
  FakeResolver resolver;
  io::StoreAccess access;
  io::RedisLink link;

 private:
  const std::string url_;
};

}  // namespace idgen
