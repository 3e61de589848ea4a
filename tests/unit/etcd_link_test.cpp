// The link to etcd against servers that misbehave. Time stands still while anybody has something to do, and then goes
// on to what the link waits for.
#ifdef IDGEN_ETCD
#include "io/etcd/connection.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <type_traits>

#include "certificate.h"
#include "core/time.h"
#include "fake_http.h"
#include "io/etcd/urls.h"
#include "io/store_table.h"

namespace idgen::io {
namespace {

using State = EtcdLink::State;
using Then = FakeReply::Then;

static_assert(std::is_trivially_destructible_v<EtcdConnection>);
static_assert(sizeof(EtcdConnection) <= kMaxStoreBytes * 2 / 3, "a store needs room, too");

std::string Http(int status, const std::string& body, const std::string& headers = "") {
  return "HTTP/1.1 " + std::to_string(status) + " x\r\nDate: Sat, 21 Nov 2026 23:49:26 GMT\r\n" + headers +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

// A reply whose revision says what it is the reply to.
std::string Ok(int revision = 1, const std::string& fields = "") {
  return Http(200, R"({"header":{"cluster_id":"9","revision":")" + std::to_string(revision) + "\"}" + fields + "}");
}

std::string Error(int status, int code, const std::string& text) {
  return Http(status, R"({"error":")" + text + R"(","message":")" + text + R"(","code":)" + std::to_string(code) + "}");
}

int EntriesOf(const char* folder) {
  int count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder)) ++count;
  return count;
}

class NamedHosts final : public Resolver {
 public:
  std::map<std::string, std::vector<std::string>> addresses;
  void Begin(const char* host, uint16_t port) noexcept override {
    count_ = 0;
    for (const std::string& address : addresses[host]) AddressOfDigits(address.c_str(), port, &found_[count_++]);
    ++asked;
  }
  State Step() noexcept override { return count_ > 0 ? State::kDone : State::kFailed; }
  int count() const noexcept override { return count_; }
  const Address& address(int index) const noexcept override { return found_[index]; }
  Wants wants(int64_t) const noexcept override { return {}; }
  const char* problem() const noexcept override { return "unknown host"; }
  void Cancel() noexcept override {}
  int asked = 0;

 private:
  Address found_[kMaxAddresses];
  int count_ = 0;
};

class EtcdLinks : public testing::Test {
 protected:
  EtcdLinks() : link_(hosts_) {
    signal(SIGPIPE, SIG_IGN);
    descriptors_ = EntriesOf("/proc/self/fd") - static_cast<int>(std::size(servers_));
    for (FakeHttp& server : servers_) server.handle = [](const FakeRequest&) { return FakeReply{.bytes = Ok()}; };
  }
  ~EtcdLinks() override {
    link_.Close();
    for (FakeHttp& server : servers_) server.Stop();
    EXPECT_EQ(EntriesOf("/proc/self/fd"), descriptors_) << "a descriptor was left open";
  }

  std::string Endpoint(int index) const { return "127.0.0.1:" + std::to_string(servers_[index].port()); }

  void Configure(const std::string& url) {
    url_ = url;
    access_.url = url_.c_str();
    access_.connect_timeout_us = 1 * core::kUsPerSecond;
    access_.timeout_us = 4 * core::kUsPerSecond;
    link_.Configure(access_);
  }
  void ConfigureFor(int endpoints) {
    std::string url = "etcd://" + Endpoint(0);
    for (int i = 1; i < endpoints; ++i) url += "," + Endpoint(i);
    Configure(url);
  }

  int64_t Now() const { return now_us_; }

  void Wait() {
    const Wants wants = link_.wants(Now());
    if (link_.is_exchanging() && wants.read && !wants.write) {
      // A backend keeps the descriptor for as long as the connection has the same number.
      if (fd_of_connection_.count(link_.connection()) == 0) fd_of_connection_[link_.connection()] = wants.fd;
      EXPECT_EQ(fd_of_connection_[link_.connection()], wants.fd);
    }
    std::vector<pollfd> polled;
    if (wants.fd >= 0)
      polled.push_back({.fd = wants.fd,
                        .events = static_cast<short>((wants.read ? POLLIN : 0) | (wants.write ? POLLOUT : 0)),
                        .revents = 0});
    for (const FakeHttp& server : servers_) server.AddTo(&polled);
    if (own_ != nullptr) own_->AddTo(&polled);
    bool happened = wants.wake_boot_us <= Now();
    for (FakeHttp& server : servers_) happened = server.Step() || happened;
    if (own_ != nullptr) happened = own_->Step() || happened;
    // On a busy machine the loopback takes its time, too.
    const bool is_withheld = std::any_of(std::begin(servers_), std::end(servers_),
                                         [](const FakeHttp& server) { return server.is_withholding(); });
    const int patience_ms = wants.fd < 0 ? 0 : is_withheld ? 250 : 5000;
    if (!happened) happened = poll(polled.data(), polled.size(), patience_ms) > 0;
    if (!happened && wants.wake_boot_us != kNever) now_us_ = std::max(wants.wake_boot_us, now_us_);
  }

  State Finish() {
    State state;
    while ((state = link_.Step(Now())) == State::kBusy) Wait();
    return state;
  }

  State Call(bool is_repeatable, int64_t until_us = 0) {
    link_.NewExchange();
    link_.AddCall(kEtcdPut, is_repeatable).Put("key", "value");
    link_.Begin(Now(), until_us);
    return Finish();
  }

  int Requests() const {
    int count = 0;
    for (const FakeHttp& server : servers_) count += static_cast<int>(server.requests.size());
    return count;
  }

  NamedHosts hosts_;
  FakeHttp servers_[3];
  FakeHttp* own_ = nullptr;  // of a test, besides
  std::string url_;
  StoreAccess access_;
  CurlEtcdLink link_;
  int64_t now_us_ = 1 * core::kUsPerSecond;
  int descriptors_ = 0;
  std::map<uint64_t, int> fd_of_connection_;
};

TEST_F(EtcdLinks, ACallIsAPostOfJson) {
  ConfigureFor(1);
  ASSERT_EQ(Call(false), State::kDone) << link_.problem();
  EXPECT_EQ(link_.reply(0).revision(), 1);
  EXPECT_EQ(link_.store_now_ms(), 1795304966000);
  ASSERT_EQ(servers_[0].requests.size(), 1u);
  const FakeRequest& request = servers_[0].requests[0];
  EXPECT_EQ(request.head.substr(0, request.head.find("\r\n")), "POST /v3/kv/put HTTP/1.1");
  EXPECT_NE(request.head.find("\r\nContent-Type: application/json\r\n"), std::string::npos) << request.head;
  EXPECT_NE(request.head.find("\r\nHost: " + Endpoint(0) + "\r\n"), std::string::npos) << request.head;
  for (const char* header : {"Expect", "Authorization", "Transfer-Encoding"})
    EXPECT_EQ(request.head.find(header), std::string::npos) << request.head;
  EXPECT_EQ(request.body, R"({"key":"a2V5","value":"dmFsdWU="})");
}

// libcurl asks first whether the server wants a long body, and waits for a server that does not answer that.
TEST_F(EtcdLinks, ALongBodyIsSentWithoutAsking) {
  ConfigureFor(1);
  link_.NewExchange();
  link_.AddCall(kEtcdPut, false).Put("key", std::string(3 * 1024 * 1024, 'x'));
  link_.Begin(Now(), 0);
  ASSERT_EQ(Finish(), State::kDone) << link_.problem();
  EXPECT_EQ(servers_[0].requests[0].head.find("Expect"), std::string::npos) << servers_[0].requests[0].head;
  EXPECT_EQ(servers_[0].requests[0].body.size(), 4u * 1024 * 1024 + strlen(R"({"key":"a2V5","value":""})"));
}

TEST_F(EtcdLinks, AConnectionIsKept) {
  ConfigureFor(1);
  EXPECT_FALSE(link_.is_connected());
  ASSERT_EQ(Call(false), State::kDone);
  const uint64_t connection = link_.connection();
  EXPECT_TRUE(link_.is_connected());
  for (int i = 0; i < 10; ++i) ASSERT_EQ(Call(false), State::kDone);
  EXPECT_EQ(servers_[0].accepted, 1);
  EXPECT_EQ(link_.connection(), connection);
}

TEST_F(EtcdLinks, ARequestOverAKeptConnectionIsOnePacket) {
  ConfigureFor(1);
  ASSERT_EQ(Call(false), State::kDone);
  const unsigned before = servers_[0].packets();
  for (int i = 0; i < 10; ++i) ASSERT_EQ(Call(false), State::kDone);
  EXPECT_EQ(servers_[0].packets() - before, 10u);
}

TEST_F(EtcdLinks, CallsGoOutSideBySide) {
  ConfigureFor(1);
  // No reply before all four requests are there.
  servers_[0].handle = [](const FakeRequest& request) {
    return FakeReply{.bytes = Ok(request.path == kEtcdRange ? 2 : 3), .after = 4};
  };
  link_.NewExchange();
  link_.AddCall(kEtcdPut, false).Put("a", "");
  link_.AddCall(kEtcdRange, true).Range("b");
  link_.AddCall(kEtcdPut, false).Put("c", "");
  link_.AddCall(kEtcdRange, true).Range("d");
  link_.Begin(Now(), 0);
  ASSERT_EQ(Finish(), State::kDone) << link_.problem();
  for (int i = 0; i < 4; ++i) EXPECT_EQ(link_.reply(i).revision(), i % 2 == 1 ? 2 : 3);
  EXPECT_EQ(servers_[0].accepted, 4);
  ASSERT_EQ(Call(false), State::kDone);
  EXPECT_EQ(servers_[0].accepted, 4);
}

// A host reserves as many as the kind of store says.
TEST_F(EtcdLinks, HasNoMoreDescriptorsThanAHostReserves) {
  ConfigureFor(1);
  servers_[0].handle = [](const FakeRequest&) { return FakeReply{.bytes = Ok(), .after = EtcdLink::kMaxCalls}; };
  link_.NewExchange();
  for (int i = 0; i < EtcdLink::kMaxCalls; ++i) link_.AddCall(kEtcdRange, true).Range("key");
  link_.Begin(Now(), 0);
  int most = 0;
  while (link_.Step(Now()) == State::kBusy) {
    const int listeners = static_cast<int>(std::size(servers_));
    most = std::max(most, EntriesOf("/proc/self/fd") - descriptors_ - listeners - servers_[0].open());
    Wait();
  }
  EXPECT_GT(most, EtcdLink::kMaxCalls) << "a socket for each call, and one to wait for all";
  EXPECT_LE(most, kEtcdUrls.max_descriptors);
}

TEST_F(EtcdLinks, AnErrorOfEtcdIsAReply) {
  ConfigureFor(1);
  servers_[0].handle = [](const FakeRequest&) { return FakeReply{.bytes = Error(404, 5, "lease not found")}; };
  ASSERT_EQ(Call(false), State::kDone);
  EXPECT_EQ(link_.reply(0).error_code(), wire::kEtcdNotFound);
  EXPECT_STREQ(link_.reply(0).error(), "lease not found");
  EXPECT_EQ(Requests(), 1);
}

TEST_F(EtcdLinks, AnEndpointThatRefusesIsPassedOver) {
  ConfigureFor(3);
  servers_[0].Stop();
  servers_[1].Stop();
  ASSERT_EQ(Call(false), State::kDone) << link_.problem();
  ASSERT_EQ(Call(false), State::kDone);
  EXPECT_EQ(servers_[2].accepted, 1) << "the endpoint that worked is used again";
}

TEST_F(EtcdLinks, FailsIfEveryEndpointRefuses) {
  ConfigureFor(3);
  for (FakeHttp& server : servers_) server.Stop();
  const int64_t begun_us = Now();
  ASSERT_EQ(Call(false), State::kFailed);
  EXPECT_LT(Now(), begun_us + access_.timeout_us);
  EXPECT_FALSE(link_.may_have_run());
  EXPECT_FALSE(link_.is_garbled());
  EXPECT_EQ(std::string(link_.problem()), Endpoint(2) + ": Connection refused");
  EXPECT_STREQ(link_.reason(), "Connection refused");
}

TEST_F(EtcdLinks, ASilentEndpointIsLeftWhenTheCallIsRepeatable) {
  ConfigureFor(3);
  servers_[0].handle = [](const FakeRequest&) { return FakeReply{.bytes = "", .after = 1000}; };
  const int64_t begun_us = Now();
  ASSERT_EQ(Call(true), State::kDone) << link_.problem();
  EXPECT_LT(Now(), begun_us + access_.timeout_us);
  EXPECT_EQ(servers_[0].requests.size(), 1u);
  EXPECT_EQ(servers_[1].requests.size(), 1u);
}

TEST_F(EtcdLinks, WithoutAQuorumTheMembersThatAreDownDoNotHideTheSilentOne) {
  ConfigureFor(3);
  for (int silent = 0; silent < 3; ++silent) {
    for (FakeHttp& server : servers_) server.Stop();
    servers_[silent].Restart();
    servers_[silent].handle = [](const FakeRequest&) { return FakeReply{.bytes = "", .after = 1000}; };
    for (const bool is_repeatable : {false, true}) {
      ASSERT_EQ(Call(is_repeatable), State::kFailed);
      const std::string problem = link_.problem();
      EXPECT_EQ(problem.substr(0, problem.find(": ")), Endpoint(silent)) << problem;
      EXPECT_NE(problem.find(": no "), std::string::npos) << problem;
      const char* others = "; 2 of 3 endpoints could not be reached, so that etcd may have no quorum";
      // A call that is not repeatable is sent to no other endpoint after the silent one.
      EXPECT_TRUE(!is_repeatable || problem.ends_with(others)) << problem;
      EXPECT_TRUE(problem.ends_with(link_.reason())) << problem;
    }
  }
}

TEST_F(EtcdLinks, AMemberThatIsDownDoesNotHideTheErrorOfTheOthers) {
  ConfigureFor(3);
  servers_[2].Stop();
  for (FakeHttp& server : servers_)
    server.handle = [](const FakeRequest&) { return FakeReply{.bytes = Error(503, 14, "etcdserver: no leader")}; };
  ASSERT_EQ(Call(false), State::kFailed);
  EXPECT_STREQ(link_.reason(), "etcdserver: no leader; 1 of 3 endpoints could not be reached");
}

TEST_F(EtcdLinks, ACallThatMayHaveRunIsNotSentAgain) {
  ConfigureFor(3);
  servers_[0].handle = [](const FakeRequest&) { return FakeReply{.bytes = "", .after = 1000}; };
  ASSERT_EQ(Call(false), State::kFailed);
  EXPECT_TRUE(link_.may_have_run());
  EXPECT_FALSE(link_.is_garbled());
  EXPECT_STREQ(link_.reason(), "no reply within 4.000 s");
  EXPECT_EQ(Requests(), 1);
  ASSERT_EQ(Call(false), State::kDone) << "the next exchange begins with another endpoint";
  EXPECT_EQ(servers_[1].requests.size(), 1u);
}

TEST_F(EtcdLinks, EveryWayToLoseAReplyIsRepeatedOnlyIfThatDoesNoHarm) {
  const std::string whole = Ok();
  const FakeReply losses[] = {
      {.bytes = whole.substr(0, whole.size() / 2), .then = Then::kClose},
      {.bytes = whole.substr(0, whole.size() - 1), .then = Then::kClose},
      {.bytes = whole.substr(0, 20), .then = Then::kReset},
      {.bytes = "", .then = Then::kReset},
      {.bytes = "", .then = Then::kClose},
      {.bytes = Error(503, 14, "etcdserver: request timed out")},
      {.bytes = Error(504, 4, "context deadline exceeded")},
      {.bytes = Http(502, "<html>Bad Gateway</html>")},
      {.bytes = Http(200, "{}")},
      {.bytes = "SSH-2.0-OpenSSH_9.2\r\n", .then = Then::kClose},
  };
  ConfigureFor(2);
  for (const FakeReply& loss : losses) {
    for (const bool is_kept : {false, true}) {
      for (const bool is_repeatable : {false, true}) {
        SCOPED_TRACE(loss.bytes + (is_kept ? " kept" : " new") + (is_repeatable ? " repeatable" : " once"));
        link_.Configure(access_);
        bool has_lost = is_kept;
        for (FakeHttp& server : servers_) {
          server.requests.clear();
          server.handle = [&](const FakeRequest&) {
            const bool loses = !std::exchange(has_lost, true);
            return loses ? loss : FakeReply{.bytes = Ok()};
          };
        }
        if (is_kept) {
          ASSERT_EQ(Call(false), State::kDone);
        }
        has_lost = false;
        const int before = Requests();
        EXPECT_EQ(Call(is_repeatable), is_repeatable ? State::kDone : State::kFailed) << link_.problem();
        EXPECT_EQ(Requests() - before, is_repeatable ? 2 : 1);
        EXPECT_EQ(link_.may_have_run(), !is_repeatable);
      }
    }
  }
}

TEST_F(EtcdLinks, WhatWasNotCarriedOutIsSentAgain) {
  ConfigureFor(2);
  int errors = 5;
  for (FakeHttp& server : servers_)
    server.handle = [&](const FakeRequest&) {
      return FakeReply{.bytes = errors-- > 0 ? Error(503, 14, "etcdserver: no leader") : Ok()};
    };
  ASSERT_EQ(Call(false), State::kDone) << link_.problem();
  EXPECT_EQ(Requests(), 6) << "in several rounds over the endpoints";
}

TEST_F(EtcdLinks, WithoutALeaderTheTimeRunsOut) {
  ConfigureFor(2);
  for (FakeHttp& server : servers_)
    server.handle = [](const FakeRequest&) { return FakeReply{.bytes = Error(503, 14, "etcdserver: no leader")}; };
  ASSERT_EQ(Call(false, Now() + 2150 * core::kUsPerMs), State::kFailed);
  EXPECT_FALSE(link_.may_have_run());
  EXPECT_STREQ(link_.reason(), "etcdserver: no leader");
  EXPECT_GE(Requests(), 8) << "in several rounds";
  EXPECT_LT(Requests(), 20) << "with pauses";
}

TEST_F(EtcdLinks, TheCallerMaySetTheTime) {
  ConfigureFor(1);
  servers_[0].handle = [](const FakeRequest&) { return FakeReply{.bytes = "", .after = 1000}; };
  ASSERT_EQ(Call(true, Now() + 500 * core::kUsPerMs), State::kFailed);
  EXPECT_TRUE(link_.may_have_run());
  EXPECT_STREQ(link_.reason(), "no reply within 0.500 s");
}

TEST_F(EtcdLinks, AConnectionThatWasClosedMeanwhileIsReplaced) {
  ConfigureFor(1);
  ASSERT_EQ(Call(false), State::kDone);
  EXPECT_TRUE(link_.is_connected());
  const uint64_t connection = link_.connection();
  servers_[0].DropConnections();
  ASSERT_EQ(Call(false), State::kDone) << link_.problem();
  EXPECT_EQ(Requests(), 2);
  EXPECT_GT(link_.connection(), connection);
  servers_[0].DropConnections();
  EXPECT_FALSE(link_.is_connected());
}

TEST_F(EtcdLinks, AServerThatMovedIsFoundAgain) {
  hosts_.addresses["store.example"] = {"127.0.0.1"};
  Configure("etcd://store.example:" + std::to_string(servers_[0].port()));
  ASSERT_EQ(Call(false), State::kDone) << link_.problem();
  servers_[0].Stop();
  ASSERT_EQ(Call(false), State::kFailed);
  servers_[0].Restart();
  ASSERT_EQ(Call(false), State::kDone);
  EXPECT_GE(hosts_.asked, 2) << "the name is resolved again";
  EXPECT_NE(servers_[0].requests[0].head.find("\r\nHost: store.example:"), std::string::npos);
}

TEST_F(EtcdLinks, EveryAddressOfAHostIsTried) {
  hosts_.addresses["store.example"] = {"127.0.0.2", "::1", "127.0.0.1"};
  Configure("etcd://store.example:" + std::to_string(servers_[0].port()));
  ASSERT_EQ(Call(false), State::kDone) << link_.problem();
}

TEST_F(EtcdLinks, TheLastAddressIsUsedWhileNoNameServerAnswers) {
  hosts_.addresses["store.example"] = {"127.0.0.1"};
  Configure("etcd://store.example:" + std::to_string(servers_[0].port()));
  ASSERT_EQ(Call(false), State::kDone);
  hosts_.addresses.clear();
  servers_[0].DropConnections();
  EXPECT_FALSE(link_.is_connected());
  ASSERT_EQ(Call(false), State::kDone) << link_.problem();
  Configure("etcd://other.example");
  ASSERT_EQ(Call(false), State::kFailed);
  EXPECT_STREQ(link_.reason(), "the host name could not be resolved: unknown host");
}

TEST_F(EtcdLinks, SlowBytesAreAReplyOnceAllAreThere) {
  ConfigureFor(1);
  servers_[0].handle = [](const FakeRequest&) { return FakeReply{.bytes = Ok(7), .is_slow = true}; };
  ASSERT_EQ(Call(false), State::kDone) << link_.problem();
  EXPECT_EQ(link_.reply(0).revision(), 7);
}

TEST_F(EtcdLinks, ChunksAreAReply) {
  ConfigureFor(1);
  const std::string body = R"({"header":{"cluster_id":"9","revision":"5"}})";
  char size[8];
  snprintf(size, sizeof size, "%zx", body.size());
  servers_[0].handle = [&](const FakeRequest&) {
    return FakeReply{.bytes = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + std::string(size) + "\r\n" +
                              body + "\r\n0\r\n\r\n"};
  };
  ASSERT_EQ(Call(false), State::kDone) << link_.problem();
  EXPECT_EQ(link_.reply(0).revision(), 5);
  EXPECT_NE(link_.store_now_ms(), 1795304966000);
}

TEST_F(EtcdLinks, ADateThatNoClockShowsIsUnknown) {
  ConfigureFor(1);
  ASSERT_EQ(Call(false), State::kDone) << link_.problem();
  ASSERT_EQ(link_.store_now_ms(), 1795304966000);
  for (const char* date : {"Sat, 21 Nov 99999999 23:49:26 GMT", "Sat, 21 Nov 2600 23:49:26 GMT", "soon"}) {
    const std::string body = R"({"header":{"cluster_id":"9","revision":"5"}})";
    servers_[0].handle = [&](const FakeRequest&) {
      return FakeReply{.bytes = "HTTP/1.1 200 OK\r\nDate: " + std::string(date) +
                                "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body};
    };
    ASSERT_EQ(Call(false), State::kDone) << link_.problem();
    EXPECT_EQ(link_.store_now_ms(), 0) << date;
  }
}

TEST_F(EtcdLinks, AReplyHasAMaximumSize) {
  ConfigureFor(1);
  servers_[0].handle = [](const FakeRequest&) {
    return FakeReply{.bytes = Http(200, std::string(HttpClient::kMaxReplyBytes + 1, ' '))};
  };
  ASSERT_EQ(Call(false), State::kFailed);
  EXPECT_TRUE(link_.is_garbled());
  EXPECT_TRUE(link_.may_have_run());
  EXPECT_STREQ(link_.reason(), "the reply is larger than 4 MiB");
  const std::string spaces(1024 * 1024, ' ');
  servers_[0].handle = [&](const FakeRequest&) {
    return FakeReply{.bytes = Http(200, spaces + R"({"header":{"cluster_id":"9","revision":"5"}})")};
  };
  ASSERT_EQ(Call(false), State::kDone) << link_.problem();
}

TEST_F(EtcdLinks, ARedirectIsNotFollowed) {
  ConfigureFor(1);
  servers_[0].handle = [this](const FakeRequest&) {
    return FakeReply{.bytes = Http(307, "", "Location: http://" + Endpoint(1) + "/v3/kv/put\r\n")};
  };
  ASSERT_EQ(Call(false), State::kFailed);
  EXPECT_TRUE(link_.is_garbled());
  EXPECT_EQ(servers_[1].accepted, 0);
  EXPECT_STREQ(link_.reason(), "unexpected reply (HTTP status 307)");
}

TEST_F(EtcdLinks, WhatIsNoEtcdIsNamed) {
  ConfigureFor(1);
  servers_[0].handle = [](const FakeRequest&) { return FakeReply{.bytes = Http(404, "404 page not found\n")}; };
  ASSERT_EQ(Call(false), State::kFailed);
  EXPECT_TRUE(link_.is_garbled());
  EXPECT_STREQ(link_.reason(), "unexpected reply (HTTP status 404)");
  servers_[0].handle = [](const FakeRequest&) {
    return FakeReply{.bytes = "-ERR unknown command 'POST'\r\n", .then = Then::kClose};
  };
  ASSERT_EQ(Call(false), State::kFailed);
  EXPECT_TRUE(link_.is_garbled());
  EXPECT_STREQ(link_.reason(), "the server does not speak HTTP");
}

TEST_F(EtcdLinks, AProxyInTheEnvironmentIsNotUsed) {
  ConfigureFor(1);
  for (const char* name : {"http_proxy", "all_proxy", "ALL_PROXY"}) setenv(name, "http://127.0.0.1:1", 1);
  EXPECT_EQ(Call(false), State::kDone) << link_.problem();
  for (const char* name : {"http_proxy", "all_proxy", "ALL_PROXY"}) unsetenv(name);
}

TEST_F(EtcdLinks, AnAbandonedExchangeIsNotAnswered) {
  ConfigureFor(1);
  servers_[0].handle = [this](const FakeRequest&) {
    return FakeReply{.bytes = Ok(static_cast<int>(servers_[0].requests.size())), .after = 2};
  };
  link_.NewExchange();
  link_.AddCall(kEtcdPut, false).Put("a", "");
  link_.Begin(Now(), 0);
  while (Requests() == 0) {
    ASSERT_EQ(link_.Step(Now()), State::kBusy);
    Wait();
  }
  ASSERT_EQ(Call(false), State::kDone);
  EXPECT_EQ(link_.reply(0).revision(), 2);
}

TEST_F(EtcdLinks, ClosesEverythingInEveryStage) {
  hosts_.addresses["store.example"] = {"127.0.0.1"};
  Configure("etcd://app:secret@store.example:" + std::to_string(servers_[0].port()));
  servers_[0].handle = [](const FakeRequest& request) {
    return FakeReply{.bytes = Ok(1, request.path == kEtcdAuthenticate ? R"(,"token":"t.1")" : ""), .is_slow = true};
  };
  ASSERT_EQ(Call(true), State::kDone) << link_.problem();
  link_.Close();
  servers_[0].DropConnections();
  const int open = EntriesOf("/proc/self/fd");
  bool has_ended = false;
  for (int steps = 0; !has_ended; steps += steps < 10 ? 1 : 41) {
    link_.NewExchange();
    for (int i = 0; i < EtcdLink::kMaxCalls; ++i) link_.AddCall(kEtcdRange, true).Range("k");
    link_.Begin(Now(), 0);
    for (int i = 0; i < steps && !has_ended; ++i) {
      has_ended = link_.Step(Now()) == State::kDone;
      if (!has_ended) Wait();
    }
    link_.Close();
    servers_[0].Step();
    servers_[0].DropConnections();
    ASSERT_EQ(EntriesOf("/proc/self/fd"), open) << "after " << steps << " steps";
  }
}

TEST_F(EtcdLinks, StartsNoThread) {
  const int before = EntriesOf("/proc/self/task");
  hosts_.addresses["store.example"] = {"127.0.0.1"};
  Configure("etcd://store.example:" + std::to_string(servers_[0].port()));
  int most = 0;
  link_.NewExchange();
  for (int i = 0; i < EtcdLink::kMaxCalls; ++i) link_.AddCall(kEtcdRange, true).Range("k");
  link_.Begin(Now(), 0);
  while (link_.Step(Now()) == State::kBusy) {
    most = std::max(most, EntriesOf("/proc/self/task"));
    Wait();
  }
  EXPECT_EQ(most, before);
}

class EtcdLogins : public EtcdLinks {
 protected:
  EtcdLogins() {
    for (FakeHttp& server : servers_)
      server.handle = [this](const FakeRequest& request) { return FakeReply{.bytes = Handle(request)}; };
  }
  std::string Handle(const FakeRequest& request) {
    if (request.path == kEtcdAuthenticate) {
      ++logins_;
      if (login_reply_.empty()) return Ok(1, R"(,"token":"token.)" + std::to_string(logins_) + "\"");
      return login_reply_;
    }
    if (request.head.find("\r\nAuthorization: token." + std::to_string(valid_) + "\r\n") == std::string::npos)
      return refusal_;
    return Ok(5);
  }
  std::string LastLogin() const {
    for (auto request = servers_[0].requests.rbegin(); request != servers_[0].requests.rend(); ++request)
      if (request->path == kEtcdAuthenticate) return request->body;
    return "";
  }
  int logins_ = 0;
  int valid_ = 1;
  std::string login_reply_;
  std::string refusal_ = Error(401, 16, "etcdserver: invalid auth token");
};

TEST_F(EtcdLogins, TheTokenIsSentBare) {
  Configure("etcd://app:p%22w@" + Endpoint(0) + "/prefix");
  EXPECT_EQ(link_.key_prefix(), "/prefix");
  for (int i = 0; i < 3; ++i) ASSERT_EQ(Call(false), State::kDone) << link_.problem();
  EXPECT_EQ(logins_, 1);
  EXPECT_EQ(servers_[0].accepted, 1);
  EXPECT_EQ(LastLogin(), R"({"name":"app","password":"p\u0022w"})");
}

TEST_F(EtcdLogins, AnExpiredTokenIsRenewedOnce) {
  Configure("etcd://app:secret@" + Endpoint(0));
  ASSERT_EQ(Call(false), State::kDone);
  for (const std::string& refusal : {refusal_, Error(400, 3, "etcdserver: revision of auth store is old"),
                                     Error(400, 3, "etcdserver: user name is empty")}) {
    refusal_ = refusal;
    valid_ = logins_ + 1;
    ASSERT_EQ(Call(false), State::kDone) << link_.problem();
    EXPECT_EQ(logins_, valid_);
  }
  valid_ = 1000;
  const int before = logins_;
  ASSERT_EQ(Call(false), State::kFailed);
  EXPECT_EQ(logins_, before + 1);
  EXPECT_FALSE(link_.may_have_run());
  EXPECT_STREQ(link_.reason(), "etcdserver: user name is empty");
}

TEST_F(EtcdLogins, AUrlWithoutAUserIsNamedByItsSetting) {
  access_.url_setting = "the.url";
  Configure("etcd://" + Endpoint(0));
  refusal_ = Error(400, 3, "etcdserver: user name is empty");
  ASSERT_EQ(Call(false), State::kFailed);
  EXPECT_STREQ(link_.reason(), "etcd requires a user and a password: set them in \"the.url\"");
  EXPECT_FALSE(link_.may_have_run());
  EXPECT_EQ(logins_, 0);
}

// A log-in needs a quorum.
TEST_F(EtcdLogins, AMemberThatIsDownDoesNotHideTheOneThatDoesNotLogIn) {
  servers_[1].Stop();
  Configure("etcd://app:secret@" + Endpoint(0) + "," + Endpoint(1));
  servers_[0].handle = [](const FakeRequest&) { return FakeReply{.bytes = "", .after = 1000}; };
  ASSERT_EQ(Call(true, Now() + access_.connect_timeout_us + 40 * core::kUsPerMs), State::kFailed);
  EXPECT_STREQ(link_.reason(),
               "no answer within 1.000 s; 1 of 2 endpoints could not be reached, so that etcd may have no quorum");
  EXPECT_FALSE(link_.may_have_run());
  link_.Configure(access_);
  ASSERT_EQ(Call(true, Now() + access_.connect_timeout_us / 2), State::kFailed);
  EXPECT_STREQ(link_.reason(), "no reply within 0.500 s");
}

TEST_F(EtcdLogins, OnlyTheCallsThatWereRefusedAreRepeated) {
  Configure("etcd://app:secret@" + Endpoint(0));
  ASSERT_EQ(Call(false), State::kDone);
  int puts = 0;
  servers_[0].handle = [&](const FakeRequest& request) {
    if (request.path == kEtcdPut) ++puts;
    return FakeReply{.bytes = request.path == kEtcdPut ? Ok(6) : Handle(request)};
  };
  valid_ = 2;
  link_.NewExchange();
  link_.AddCall(kEtcdPut, false).Put("a", "");
  link_.AddCall(kEtcdRange, true).Range("b");
  link_.Begin(Now(), 0);
  ASSERT_EQ(Finish(), State::kDone) << link_.problem();
  EXPECT_EQ(puts, 1);
  EXPECT_EQ(link_.reply(0).revision(), 6);
  EXPECT_EQ(link_.reply(1).revision(), 5);
}

TEST_F(EtcdLogins, WithoutAuthenticationNoTokenIsNeeded) {
  Configure("etcd://app:secret@" + Endpoint(0));
  login_reply_ = Error(412, 9, "etcdserver: authentication is not enabled");
  servers_[0].handle = [this](const FakeRequest& request) {
    return FakeReply{.bytes = request.path == kEtcdAuthenticate ? Handle(request) : Ok()};
  };
  ASSERT_EQ(Call(false), State::kDone) << link_.problem();
  EXPECT_EQ(servers_[0].requests.back().head.find("Authorization"), std::string::npos);
}

TEST_F(EtcdLogins, AWrongPasswordIsSaidAndNotShown) {
  Configure("etcd://app:secret@" + Endpoint(0));
  login_reply_ = Error(400, 3, "etcdserver: authentication failed, invalid user ID or password");
  ASSERT_EQ(Call(false), State::kFailed);
  EXPECT_FALSE(link_.may_have_run());
  EXPECT_STREQ(link_.reason(), "log-in failed: etcdserver: authentication failed, invalid user ID or password");
  for (const std::string& reply :
       {Error(400, 3, "wrong: secret"), Http(400, "secret"), Http(200, "secret"), Ok(), Ok(1, R"(,"token":"a\nb")")}) {
    login_reply_ = reply;
    ASSERT_EQ(Call(false), State::kFailed);
    EXPECT_EQ(std::string(link_.problem()).find("secret"), std::string::npos) << link_.problem();
  }
  EXPECT_STREQ(link_.reason(), "the log-in returned no token");
}

TEST_F(EtcdLogins, ThePasswordFileIsReadAtEveryLogIn) {
  char path[] = "/tmp/idgen_etcd_password.XXXXXX";
  close(mkstemp(path));
  std::ofstream(path) << "first\n";
  access_.password_file = {.path = path, .setting = "idgen.lease_password_file"};
  Configure("etcd://app:ignored@" + Endpoint(0));
  ASSERT_EQ(Call(false), State::kDone);
  EXPECT_NE(LastLogin().find("\"first\""), std::string::npos);
  std::ofstream(path) << "second\n";
  valid_ = 2;
  ASSERT_EQ(Call(false), State::kDone);
  EXPECT_NE(LastLogin().find("\"second\""), std::string::npos);
  unlink(path);
  valid_ = 3;
  ASSERT_EQ(Call(false), State::kFailed);
  EXPECT_STREQ(link_.reason(),
               "the password file (\"idgen.lease_password_file\") cannot be read, or its first line is too long");
}

TEST_F(EtcdLogins, TheTokenIsGoodForOtherEndpoints) {
  Configure("etcd://app:secret@" + Endpoint(0) + "," + Endpoint(1));
  ASSERT_EQ(Call(false), State::kDone);
  servers_[0].Stop();
  ASSERT_EQ(Call(true), State::kDone) << link_.problem();
  EXPECT_EQ(logins_, 1);
}

#ifdef IDGEN_TLS
class EtcdTls : public EtcdLinks {
 protected:
  State CallOver(Certificate* certificate, const TlsFiles& files, const std::string& host = "127.0.0.1") {
    FakeHttp server(certificate->context());
    server.handle = [](const FakeRequest&) { return FakeReply{.bytes = Ok()}; };
    own_ = &server;
    access_.tls = files;
    Configure("etcds://" + host + ":" + std::to_string(server.port()));
    const State state = Call(false);
    requests_ += static_cast<int>(server.requests.size());
    link_.Close();
    own_ = nullptr;
    return state;
  }
  Certificate good_{"IP:127.0.0.1"};
  int requests_ = 0;
};

TEST_F(EtcdTls, ATrustedCertificateOfTheHostIsAccepted) {
  EXPECT_EQ(CallOver(&good_, {.ca = {.path = good_.path()}}), State::kDone) << link_.problem();
  Certificate named("DNS:store.example");
  hosts_.addresses["store.example"] = {"127.0.0.1"};
  EXPECT_EQ(CallOver(&named, {.ca = {.path = named.path()}}, "store.example"), State::kDone) << link_.problem();
}

TEST_F(EtcdTls, NothingIsSentToAServerThatIsNotTrusted) {
  EXPECT_EQ(CallOver(&good_, {}), State::kFailed);
  Certificate other("IP:127.0.0.1");
  EXPECT_EQ(CallOver(&other, {.ca = {.path = good_.path()}}), State::kFailed);
  Certificate elsewhere("IP:127.0.0.2");
  EXPECT_EQ(CallOver(&elsewhere, {.ca = {.path = elsewhere.path()}}), State::kFailed);
  EXPECT_STREQ(link_.reason(), "the TLS certificate is not trusted: hostname mismatch");
  Certificate expired("IP:127.0.0.1", -3600);
  EXPECT_EQ(CallOver(&expired, {.ca = {.path = expired.path()}}), State::kFailed);
  EXPECT_STREQ(link_.reason(), "the TLS certificate is not trusted: certificate has expired");
  EXPECT_EQ(requests_, 0);
  EXPECT_FALSE(link_.may_have_run());
}

TEST_F(EtcdTls, TlsBefore12IsRefused) {
  SSL_CTX_set_max_proto_version(good_.context(), TLS1_1_VERSION);
  SSL_CTX_set_min_proto_version(good_.context(), TLS1_VERSION);
  SSL_CTX_set_cipher_list(good_.context(), "ALL:@SECLEVEL=0");
  EXPECT_EQ(CallOver(&good_, {.ca = {.path = good_.path()}}), State::kFailed);
  EXPECT_EQ(std::string(link_.reason()).find("TLS: "), 0u) << link_.reason();
}

TEST_F(EtcdTls, TheClientShowsItsCertificate) {
  Certificate client("DNS:client");
  good_.Demand(client);
  EXPECT_EQ(CallOver(&good_, {.ca = {.path = good_.path()},
                              .certificate = {.path = client.path()},
                              .key = {.path = client.key_path()}}),
            State::kDone)
      << link_.problem();
  EXPECT_EQ(CallOver(&good_, {.ca = {.path = good_.path()}}), State::kFailed);
  EXPECT_EQ(requests_, 1);
}

TEST_F(EtcdTls, AFileThatCannotBeReadIsNamedByItsSetting) {
  EXPECT_EQ(CallOver(&good_, {.ca = {.path = "/nonexistent", .setting = "a_ca"}}), State::kFailed);
  EXPECT_STREQ(link_.reason(), "could not load the TLS authorities (\"a_ca\")");
  EXPECT_EQ(CallOver(&good_, {.ca = {.path = good_.path()},
                              .certificate = {.path = "/nonexistent", .setting = "a_certificate"},
                              .key = {.path = good_.key_path(), .setting = "a_key"}}),
            State::kFailed);
  EXPECT_STREQ(link_.reason(), "could not load the TLS certificate (\"a_certificate\") or its key (\"a_key\")");
}

TEST_F(EtcdTls, AServerWithoutTlsIsRefused) {
  Configure("etcds://" + Endpoint(0));
  servers_[0].handle = [](const FakeRequest&) { return FakeReply{.bytes = Ok()}; };
  link_.NewExchange();
  link_.AddCall(kEtcdPut, false).Put("k", "");
  link_.Begin(Now(), 0);
  EXPECT_EQ(Finish(), State::kFailed);
  EXPECT_FALSE(link_.may_have_run());
  EXPECT_TRUE(servers_[0].requests.empty());
}
#endif

}  // namespace
}  // namespace idgen::io
#endif
