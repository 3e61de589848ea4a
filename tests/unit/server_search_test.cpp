// Which server a link tries next, for how long, and what it says if none can be reached.
#include "io/server_search.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include <unistd.h>

#include "redis_world.h"

namespace idgen::io {
namespace {

using Next = ServerSearch::Next;

wire::Endpoint Server(const std::string& host, uint16_t port = 7000) {
  wire::Endpoint server;
  snprintf(server.host, sizeof server.host, "%s", host.c_str());
  server.port = port;
  return server;
}

class ServerSearches : public testing::Test {
 protected:
  ServerSearches() : search_(resolver_, room_) {
    access_.connect_timeout_us = 1 * core::kUsPerSecond;
    access_.timeout_us = 4 * core::kUsPerSecond;
    Configure(3);
  }

  void Configure(int hosts) {
    search_.Configure(access_, hosts);
    search_.Begin(kNow, 0);
  }
  // To the first address of a name.
  void Find(const std::string& host, const std::vector<std::string>& addresses) {
    resolver_.names[host] = addresses;
    ASSERT_EQ(search_.Approach(Server(host), kNow), Next::kWait);
    ASSERT_EQ(search_.Step(kNow), Next::kConnect);
  }
  std::string Address() const { return NameOf(search_.address()); }

  static constexpr int64_t kNow = 1'000'000;
  FakeResolver resolver_;
  ServerSearch::KnownAddress room_[2];
  StoreAccess access_;
  ServerSearch search_;
};

TEST_F(ServerSearches, EachHostHasOneTurnInARound) {
  std::vector<int> hosts = {search_.host()};
  EXPECT_EQ(search_.hosts_left(), 3);
  while (search_.NextHost()) hosts.push_back(search_.host());
  EXPECT_EQ(hosts, (std::vector<int>{0, 1, 2}));
  search_.Begin(kNow, 0);
  EXPECT_EQ(search_.host(), 2) << "nothing says that another would do better";
  search_.SkipHost();
  EXPECT_EQ(search_.host(), 0);
  EXPECT_EQ(search_.hosts_left(), 3);
  Configure(1);
  EXPECT_FALSE(search_.NextHost());
  EXPECT_EQ(search_.host(), 0);
}

TEST_F(ServerSearches, DigitsAndPathsNeedNoNameServer) {
  EXPECT_EQ(search_.Approach(Server("10.0.0.1"), kNow), Next::kConnect);
  EXPECT_EQ(Address(), "10.0.0.1:7000");
  EXPECT_EQ(search_.NextAddress(kNow), Next::kNoMore);
  EXPECT_EQ(search_.ApproachPath("/run/store.sock", kNow), Next::kConnect);
  EXPECT_EQ(Address(), "/run/store.sock");
  EXPECT_EQ(search_.ApproachPath(std::string(200, 'x').c_str(), kNow), Next::kNoMore);
  EXPECT_STREQ(search_.reason(), "the path of the socket is too long");
  EXPECT_TRUE(resolver_.asked.empty());
}

TEST_F(ServerSearches, EachAddressOfANameHasOneTurnAndTheNextSearchGoesOnFromThere) {
  Find("store", {"10.0.0.1", "10.0.0.2", "10.0.0.3"});
  EXPECT_EQ(Address(), "10.0.0.1:7000");
  EXPECT_EQ(search_.NextAddress(kNow), Next::kConnect);
  EXPECT_EQ(Address(), "10.0.0.2:7000");
  Find("store", {"10.0.0.1", "10.0.0.2", "10.0.0.3"});
  EXPECT_EQ(Address(), "10.0.0.2:7000");
  EXPECT_EQ(search_.NextAddress(kNow), Next::kConnect);
  EXPECT_EQ(search_.NextAddress(kNow), Next::kConnect);
  EXPECT_EQ(Address(), "10.0.0.1:7000");
  EXPECT_EQ(search_.NextAddress(kNow), Next::kNoMore);
  Find("other", {"10.0.0.9"});
  EXPECT_EQ(Address(), "10.0.0.9:7000");
}

TEST_F(ServerSearches, AnAddressThatWorkedIsUsedWhileNoNameServerAnswers) {
  for (const char* host : {"one", "two"}) {
    Find(host, {std::string(host) == "one" ? "10.0.0.1" : "10.0.0.2"});
    search_.Remember();
  }
  resolver_.names.clear();
  ASSERT_EQ(search_.Approach(Server("one"), kNow), Next::kWait);
  EXPECT_EQ(search_.Step(kNow), Next::kConnect);
  EXPECT_EQ(Address(), "10.0.0.1:7000");
  EXPECT_STREQ(search_.problem(), "one:7000: the host name could not be resolved: no such name");
  EXPECT_EQ(search_.NextAddress(kNow), Next::kNoMore);
  // Another port is another server.
  ASSERT_EQ(search_.Approach(Server("one", 7001), kNow), Next::kWait);
  EXPECT_EQ(search_.Step(kNow), Next::kNoMore);
}

TEST_F(ServerSearches, TheOldestKnownAddressMakesRoom) {
  for (const char* host : {"one", "two", "two", "three"}) {
    Find(host, {"10.0.0.1"});
    search_.Remember();
  }
  resolver_.names.clear();
  for (const char* host : {"one", "two", "three"}) {
    ASSERT_EQ(search_.Approach(Server(host), kNow), Next::kWait);
    EXPECT_EQ(search_.Step(kNow), std::string(host) == "one" ? Next::kNoMore : Next::kConnect) << host;
  }
  Configure(3);
  ASSERT_EQ(search_.Approach(Server("two"), kNow), Next::kWait);
  EXPECT_EQ(search_.Step(kNow), Next::kNoMore) << "other settings forget it";
}

TEST_F(ServerSearches, AnAttemptAndTheExchangeHaveTheirLimits) {
  resolver_.silent = true;
  ASSERT_EQ(search_.Approach(Server("store"), kNow), Next::kWait);
  EXPECT_EQ(search_.Step(kNow), Next::kWait);
  EXPECT_EQ(search_.wants(kNow, {}).fd, resolver_.wants(kNow).fd);
  EXPECT_EQ(search_.wants(kNow, {}).wake_boot_us, kNow + access_.connect_timeout_us);
  EXPECT_FALSE(search_.IsAttemptOver(kNow + access_.connect_timeout_us - 1));
  EXPECT_TRUE(search_.IsAttemptOver(kNow + access_.connect_timeout_us));
  EXPECT_EQ(search_.GiveUpAttempt(kNow), Next::kNoMore);
  EXPECT_STREQ(search_.reason(), "the host name could not be resolved within 1.000 s");

  resolver_.silent = false;
  Find("store", {"10.0.0.1", "10.0.0.2"});
  EXPECT_EQ(search_.wants(kNow, {.fd = 5}).fd, 5);
  EXPECT_EQ(search_.GiveUpAttempt(kNow + 7), Next::kConnect);
  EXPECT_STREQ(search_.problem(), "store:7000: no answer within 1.000 s");
  EXPECT_FALSE(search_.IsAttemptOver(kNow + access_.connect_timeout_us)) << "the next address has as much time";
  search_.LimitAttempt(kNever);
  EXPECT_EQ(search_.wants(kNow, {}).wake_boot_us, kNow + access_.timeout_us);
  EXPECT_FALSE(search_.IsOver(kNow + access_.timeout_us - 1, false));
}

TEST_F(ServerSearches, TheEndOfTheTimeDoesNotHideWhyNoServerWasReached) {
  const int64_t until_us = kNow + 500 * core::kUsPerMs;
  for (const bool is_awaiting_reply : {false, true}) {
    search_.Begin(kNow, until_us);
    EXPECT_TRUE(search_.IsOver(until_us, is_awaiting_reply));
    EXPECT_STREQ(search_.reason(), is_awaiting_reply ? "no reply within 0.500 s" : "no connection within 0.500 s");
    search_.Begin(kNow, until_us);
    search_.Explain("it is on fire");
    EXPECT_TRUE(search_.IsOver(until_us, is_awaiting_reply));
    EXPECT_STREQ(search_.reason(), is_awaiting_reply ? "no reply within 0.500 s" : "it is on fire");
  }
}

TEST_F(ServerSearches, OnlyProblemsNameTheServer) {
  const struct {
    wire::Endpoint server;
    const char* problem;
  } cases[] = {{Server("10.0.0.1"), "10.0.0.1:7000: bad \\x0a news"}, {Server("::1"), "[::1]:7000: bad \\x0a news"}};
  search_.Explain("bad \n news");
  EXPECT_STREQ(search_.problem(), "bad \\x0a news");
  for (const auto& a_case : cases) {
    search_.Approach(a_case.server, kNow);
    search_.Explain("bad \n news");
    EXPECT_STREQ(search_.problem(), a_case.problem);
    EXPECT_STREQ(search_.reason(), "bad \\x0a news");
  }
  search_.ApproachPath("/run/store.sock", kNow);
  search_.Explain("gone");
  EXPECT_STREQ(search_.problem(), "/run/store.sock: gone");
  search_.Begin(kNow, 0);
  EXPECT_STREQ(search_.problem(), "");
  EXPECT_STREQ(search_.reason(), "");
}

TEST_F(ServerSearches, AProblemCanBeKeptAndAddedTo) {
  EXPECT_FALSE(search_.UseKeptProblem());
  search_.Approach(Server("10.0.0.1"), kNow);
  search_.Explain("no leader");
  search_.KeepProblem();
  search_.Approach(Server("10.0.0.2"), kNow);
  search_.Explain("refused");
  EXPECT_STREQ(search_.problem(), "10.0.0.2:7000: refused");
  EXPECT_TRUE(search_.UseKeptProblem());
  search_.Append("; %d more", 2);
  EXPECT_STREQ(search_.problem(), "10.0.0.1:7000: no leader; 2 more");
  EXPECT_STREQ(search_.reason(), "no leader; 2 more");
  search_.Append("%s", std::string(1000, 'x').c_str());
  EXPECT_EQ(std::string(search_.problem()).size(), 511u);
  search_.Begin(kNow, 0);
  EXPECT_FALSE(search_.UseKeptProblem()) << "it is of this exchange";
}

TEST_F(ServerSearches, APasswordFileReplacesTheUrlsPassword) {
  PasswordLine line;
  EXPECT_STREQ(search_.ReadPassword("of the URL", &line), "of the URL");
  char path[] = "/tmp/idgen_search_XXXXXX";
  const int fd = mkstemp(path);
  EXPECT_EQ(write(fd, "secret\nmore\n", 12), 12);
  close(fd);
  access_.password_file = {.path = path, .setting = "the.file"};
  Configure(1);
  EXPECT_STREQ(search_.ReadPassword("of the URL", &line), "secret");
  unlink(path);
  EXPECT_EQ(search_.ReadPassword("of the URL", &line), nullptr);
  EXPECT_NE(std::string(search_.problem()).find("\"the.file\""), std::string::npos);
}

}  // namespace
}  // namespace idgen::io
