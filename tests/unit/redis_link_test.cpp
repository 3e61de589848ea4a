// A line to a Redis: finding it, logging in, following it as it moves, giving up in time.
#include "io/redis/link.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <string>
#include <vector>

#include <unistd.h>

#include "redis_world.h"

namespace idgen::io {
namespace {

using Door = FakeRedis::Door;
using State = RedisLink::State;
using Names = std::vector<std::string>;

constexpr char kFirst[] = "10.0.0.1:6379";
constexpr char kSecond[] = "10.0.0.2:6379";
constexpr char kSentinel[] = "10.0.0.9:26379";
constexpr char kSentinelUrl[] = "redis+sentinel://10.0.0.9/mymaster";

class PasswordFile {
 public:
  explicit PasswordFile(const std::string& contents) {
    const int fd = mkstemp(path_);
    EXPECT_EQ(write(fd, contents.data(), contents.size()), static_cast<ssize_t>(contents.size()));
    close(fd);
  }
  PasswordFile(const PasswordFile&) = delete;
  PasswordFile& operator=(const PasswordFile&) = delete;
  ~PasswordFile() { unlink(path_); }
  const char* path() const { return path_; }

 private:
  char path_[32] = "/tmp/idgen_password_XXXXXX";
};

TEST(RedisLink, CarriesAnExchange) {
  RedisWorld world;
  world.At(kFirst).answers["PING"] = "+PONG\r\n";
  EXPECT_EQ(world.Exchange(), State::kDone);
  EXPECT_EQ(world.Reply(), "PONG");
  EXPECT_EQ(world.transport.opened, Names{kFirst});
  EXPECT_EQ(world.Problem(), "");
}

TEST(RedisLink, KeepsItsConnection) {
  RedisWorld world;
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(world.link.will_be_first(), i == 0);
    ASSERT_EQ(world.Exchange(), State::kDone);
  }
  EXPECT_EQ(world.transport.opened.size(), 1u);
}

TEST(RedisLink, CarriesSeveralCommandsTogether) {
  RedisWorld world;
  world.At(kFirst).answers = {{"A", ":1\r\n"}, {"B", ":2\r\n"}};
  wire::Commands& commands = world.link.NewExchange();
  commands.AddTexts("A");
  commands.AddTexts("B");
  world.link.Begin(world.now_us);
  ASSERT_EQ(world.Finish(), State::kDone);
  EXPECT_EQ(world.link.reply(0)->integer, 1);
  EXPECT_EQ(world.link.reply(1)->integer, 2);
}

TEST(RedisLink, SendsAndReadsByteByByte) {
  RedisWorld world("redis://u:p@10.0.0.1/1");
  world.transport.piece = 1;
  world.At(kFirst).answers["PING"] = Bulk("hello");
  EXPECT_EQ(world.Exchange(), State::kDone);
  EXPECT_EQ(world.Reply(), "hello");
}

TEST(RedisLink, ReachesASocketAndAnIpv6Address) {
  RedisWorld unix("unix:///run/redis.sock");
  EXPECT_EQ(unix.Exchange(), State::kDone);
  EXPECT_EQ(unix.transport.opened, Names{"/run/redis.sock"});
  RedisWorld six("redis://[2001:db8::1]:7000");
  EXPECT_EQ(six.Exchange(), State::kDone);
  EXPECT_EQ(six.transport.opened, Names{"[2001:db8::1]:7000"});
}

TEST(RedisLink, EncryptsForTheHostsName) {
  RedisWorld world("rediss://cache.example");
  world.resolver.names["cache.example"] = {"10.0.0.1"};
  EXPECT_EQ(world.Exchange(), State::kDone);
  EXPECT_EQ(world.transport.encrypted_for, Names{"cache.example"});
}

TEST(RedisLink, LogsInWithWhatTheUrlSays) {
  const struct {
    const char* url;
    std::vector<Command> login;
  } cases[] = {
      {"redis://10.0.0.1", {}},
      {"redis://:secret@10.0.0.1", {{"AUTH", "secret"}}},
      {"redis://app:secret@10.0.0.1", {{"AUTH", "app", "secret"}}},
      {"redis://app@10.0.0.1", {{"AUTH", "app", ""}}},
      {"redis://10.0.0.1/3", {{"SELECT", "3"}}},
      {"redis://app:secret@10.0.0.1/3", {{"AUTH", "app", "secret"}, {"SELECT", "3"}}},
  };
  for (const auto& a_case : cases) {
    RedisWorld world(a_case.url);
    EXPECT_EQ(world.Exchange(), State::kDone);
    std::vector<Command> heard = a_case.login;
    heard.push_back({"PING"});
    EXPECT_EQ(world.At(kFirst).heard, heard) << a_case.url;
  }
}

TEST(RedisLink, ThePasswordFileGoesBeforeTheUrl) {
  const PasswordFile file("from the file\r\nsecond line\n");
  RedisWorld world("redis://app:secret@10.0.0.1");
  world.access.password_file.path = file.path();
  world.link.Configure(world.access);
  EXPECT_EQ(world.Exchange(), State::kDone);
  EXPECT_EQ(world.At(kFirst).heard[0], (Command{"AUTH", "app", "from the file"}));
}

TEST(RedisLink, AnUnusablePasswordFileIsAProblem) {
  const PasswordFile large(std::string(512, 'x'));
  for (const char* path : {"/nonexistent/password", "/tmp", large.path()}) {
    RedisWorld world;
    world.access.password_file = {.path = path, .setting = "the.file"};
    world.link.Configure(world.access);
    EXPECT_EQ(world.Exchange(), State::kFailed);
    EXPECT_NE(world.Problem().find("password file (\"the.file\")"), std::string::npos) << world.Problem();
    EXPECT_EQ(world.At(kFirst).Verbs(), "");
  }
}

TEST(RedisLink, ARefusedLogInFailsAndSendsNothingMore) {
  RedisWorld world("redis://:wrong@10.0.0.1");
  world.At(kFirst).answers["AUTH"] = "-WRONGPASS invalid username-password pair\r\n";
  EXPECT_EQ(world.Exchange(), State::kFailed);
  EXPECT_EQ(world.Problem(), "10.0.0.1:6379: the login is refused: WRONGPASS invalid username-password pair");
  EXPECT_EQ(world.At(kFirst).Verbs(), "AUTH");
}

TEST(RedisLink, ReportsWhyALoginIsRefusedButNotThePassword) {
  const std::string refused = "10.0.0.1:6379: the login is refused: ";
  const std::string hidden = " (the rest is hidden because it may repeat the password)";
  for (const std::string told :
       {"ERR AUTH <password> called without any password configured for the default user. Are you sure?",
        "ERR Client sent AUTH, but no password is set", "ERR invalid password", "DENIED Redis is in protected mode"}) {
    RedisWorld world("redis://:secret@10.0.0.1");
    world.At(kFirst).answers["AUTH"] = "-" + told + "\r\n";
    EXPECT_EQ(world.Exchange(), State::kFailed);
    EXPECT_EQ(world.Problem(), refused + told);
  }
  for (const std::string echo :
       {"ERR unknown command `AUTH`, with args beginning with: `secret`", "ERR secret", "E secret"}) {
    RedisWorld world("redis://:secret@10.0.0.1");
    world.At(kFirst).answers["AUTH"] = "-" + echo + "\r\n";
    EXPECT_EQ(world.Exchange(), State::kFailed);
    EXPECT_EQ(world.Problem(), refused + echo.substr(0, echo.find(' ')) + hidden);
  }
}

TEST(RedisLink, ErrorsAreRepliesToo) {
  RedisWorld world;
  world.At(kFirst).answers["PING"] = "-NOSCRIPT No matching script\r\n";
  EXPECT_EQ(world.Exchange(), State::kDone);
  EXPECT_EQ(world.link.reply(0)->type, REDIS_REPLY_ERROR);
}

TEST(RedisLink, ATransientErrorIsAFailure) {
  for (const char* error : {"LOADING Redis is loading", "CLUSTERDOWN The cluster is down", "NOREPLICAS Not enough",
                            "MISCONF Errors writing", "MASTERDOWN Link", "BUSY Redis is busy"}) {
    RedisWorld world;
    world.At(kFirst).answers["PING"] = "-" + std::string(error) + "\r\n";
    EXPECT_EQ(world.Exchange(), State::kFailed);
    EXPECT_EQ(world.Problem(), "10.0.0.1:6379: the store says: " + std::string(error));
  }
}

TEST(RedisLink, NamesTheSettingsWhenAPasswordIsRequired) {
  // The second is what a command of more than ten words gets.
  for (const char* error :
       {"NOAUTH Authentication required.", "ERR Protocol error: unauthenticated multibulk length"}) {
    RedisWorld world;
    world.At(kFirst).answers["PING"] = "-" + std::string(error) + "\r\n";
    EXPECT_EQ(world.Exchange(), State::kFailed);
    EXPECT_EQ(world.Problem(), "10.0.0.1:6379: the store requires a password: set one in \"the.url\"");
    world.access.password_file.setting = "the.file";
    world.link.Configure(world.access);
    EXPECT_EQ(world.Exchange(), State::kFailed);
    EXPECT_EQ(
        world.Problem(),
        "10.0.0.1:6379: the store requires a password: set one in \"the.url\", or in the file that \"the.file\" names");
  }
}

TEST(RedisLink, SendsNothingTwiceAfterAFailure) {
  for (const bool reset : {true, false}) {
    RedisWorld world("redis://10.0.0.1,10.0.0.2");
    ASSERT_EQ(world.Exchange(), State::kDone);
    world.At(kFirst).mute = true;
    world.Begin({"SET"});
    world.link.Step(world.now_us);
    world.transport.broken = reset;  // or there is no answer
    EXPECT_EQ(world.Finish(), State::kFailed);
    EXPECT_EQ(world.At(kFirst).Verbs(), "PING SET");
    EXPECT_EQ(world.At(kSecond).Verbs(), "");
    EXPECT_FALSE(world.transport.is_open());
  }
}

TEST(RedisLink, AFailedExchangeIsFollowedByAnotherOverANewConnection) {
  RedisWorld world;
  world.At(kFirst).reset = true;
  EXPECT_EQ(world.Exchange(), State::kFailed);
  world.At(kFirst).reset = false;
  EXPECT_TRUE(world.link.will_be_first());
  EXPECT_EQ(world.Exchange(), State::kDone);
  EXPECT_EQ(world.Problem(), "");
}

TEST(RedisLink, GivesUpAnExchangeInProgress) {
  RedisWorld world;
  world.At(kFirst).mute = true;
  world.Begin({"OLD"});
  world.link.Step(world.now_us);
  world.At(kFirst).mute = false;
  EXPECT_EQ(world.Exchange({"NEW"}), State::kDone);
  EXPECT_EQ(world.At(kFirst).Verbs(), "OLD NEW");
  EXPECT_EQ(world.transport.opened.size(), 2u) << "the answer to the old one may still come";
}

// ---- what a server says too much

TEST(RedisLink, AnExtraReplyIsNotMistakenForTheNext) {
  RedisWorld world;
  world.At(kFirst).answers["ONE"] = "+one\r\n+one\r\n";
  world.At(kFirst).answers["TWO"] = "+two\r\n";
  world.Exchange({"ONE"});
  ASSERT_EQ(world.Exchange({"TWO"}), State::kDone);
  EXPECT_EQ(world.Reply(), "two");
}

TEST(RedisLink, ALateReplyIsNotMistakenForTheNext) {
  RedisWorld world;
  ASSERT_EQ(world.Exchange(), State::kDone);
  world.transport.inbox = "+late\r\n";
  world.At(kFirst).answers["TWO"] = "+two\r\n";
  ASSERT_EQ(world.Exchange({"TWO"}), State::kDone);
  EXPECT_EQ(world.Reply(), "two");
}

TEST(RedisLink, AnExtraReplyToTheLoginIsNotMistakenForTheExchanges) {
  RedisWorld world("redis://:p@10.0.0.1");
  world.At(kFirst).answers["AUTH"] = "+OK\r\n+OK\r\n";
  world.At(kFirst).answers["ONE"] = "+one\r\n";
  if (world.Exchange({"ONE"}) == State::kDone) {
    EXPECT_EQ(world.Reply(), "one");
  }
}

TEST(RedisLink, GarbageIsAFailure) {
  for (const char* garbage : {"HTTP/1.1 400 Bad Request\r\n\r\n", "SSH-2.0-OpenSSH_9.2\r\n", "*2000000000\r\n"}) {
    RedisWorld world;
    world.At(kFirst).unasked = garbage;
    EXPECT_EQ(world.Exchange(), State::kFailed);
    EXPECT_NE(world.Problem().find("does not speak the Redis protocol"), std::string::npos) << world.Problem();
    EXPECT_FALSE(world.transport.is_open());
  }
}

TEST(RedisLink, AnEndlessReplyIsAFailure) {
  RedisWorld world;
  world.At(kFirst).answers["PING"] = "$1000000000\r\n" + std::string(17 << 20, 'x');
  EXPECT_EQ(world.Exchange(), State::kFailed);
  EXPECT_NE(world.Problem().find("too long"), std::string::npos);
}

TEST(RedisLink, ControlCharactersDoNotReachTheProblem) {
  RedisWorld world;
  world.At(kFirst).answers["PING"] = "-LOADING \x1b[31m\x07red\x7f\r\n";
  EXPECT_EQ(world.Exchange(), State::kFailed);
  EXPECT_EQ(world.Problem(), "10.0.0.1:6379: the store says: LOADING \\x1b[31m\\x07red\\x7f");
  EXPECT_EQ(world.link.reason(), std::string("the store says: LOADING \\x1b[31m\\x07red\\x7f"));
}

// hiredis takes it for a part of the error up to 1.0, and for a breach of the protocol from then on.
TEST(RedisLink, ALineBreakWithinAnErrorDoesNotReachTheProblem) {
  RedisWorld world;
  world.At(kFirst).answers["PING"] = "-LOADING two\nlines\r\n";
  EXPECT_EQ(world.Exchange(), State::kFailed);
  EXPECT_NE(world.Problem(), "");
  EXPECT_EQ(world.Problem().find('\n'), std::string::npos) << world.Problem();
}

TEST(RedisLink, ALongErrorIsCutShort) {
  RedisWorld world;
  world.At(kFirst).answers["PING"] = "-LOADING " + std::string(100000, 'x') + "\r\n";
  EXPECT_EQ(world.Exchange(), State::kFailed);
  EXPECT_LT(world.Problem().size(), 300u);
}

// ---- time limits

TEST(RedisLink, EndsInTimeAtEveryStage) {
  const struct {
    const char* stage;
    const char* url;
    void (*hang)(RedisWorld&);
    int64_t within_us;
    const char* problem;
  } cases[] = {
      {"resolving", "redis://cache", [](RedisWorld& world) { world.resolver.silent = true; }, RedisWorld::kConnectUs,
       "cache:6379: the host name could not be resolved within 1.000 s"},
      {"connecting", "redis://10.0.0.1", [](RedisWorld& world) { world.At(kFirst).door = Door::kSilent; },
       RedisWorld::kConnectUs, "10.0.0.1:6379: no answer within 1.000 s"},
      {"logging in", "redis://:p@10.0.0.1", [](RedisWorld& world) { world.At(kFirst).mute = true; },
       RedisWorld::kConnectUs, "10.0.0.1:6379: no answer within 1.000 s"},
      {"asking Sentinel", kSentinelUrl, [](RedisWorld& world) { world.At(kSentinel).mute = true; },
       RedisWorld::kConnectUs, "10.0.0.9:26379: no answer within 1.000 s"},
      {"exchanging", "redis://10.0.0.1", [](RedisWorld& world) { world.At(kFirst).mute = true; },
       RedisWorld::kExchangeUs, "10.0.0.1:6379: no reply within 5.000 s"},
      {"sending", "redis://10.0.0.1", [](RedisWorld& world) { world.transport.stuffed = true; },
       RedisWorld::kExchangeUs, "10.0.0.1:6379: no reply within 5.000 s"},
  };
  for (const auto& a_case : cases) {
    RedisWorld world(a_case.url);
    a_case.hang(world);
    const int64_t began_us = world.now_us;
    EXPECT_EQ(world.Exchange(), State::kFailed) << a_case.stage;
    EXPECT_EQ(world.now_us - began_us, a_case.within_us) << a_case.stage;
    EXPECT_EQ(world.Problem(), a_case.problem);
    EXPECT_FALSE(world.transport.is_open());
  }
}

TEST(RedisLink, AllStagesTogetherKeepTheExchangesLimit) {
  RedisWorld world("redis://10.0.0.1,10.0.0.2,10.0.0.3,10.0.0.4,10.0.0.5,10.0.0.6,10.0.0.7,10.0.0.8");
  for (int host = 1; host <= 8; ++host) world.At("10.0.0." + std::to_string(host) + ":6379").door = Door::kSilent;
  const int64_t began_us = world.now_us;
  EXPECT_EQ(world.Exchange(), State::kFailed);
  EXPECT_EQ(world.now_us - began_us, RedisWorld::kExchangeUs);
}

TEST(RedisLink, AConnectTimeoutAboveTheExchangesDoesNotExtendIt) {
  RedisWorld world;
  world.access.connect_timeout_us = 10 * RedisWorld::kExchangeUs;
  world.link.Configure(world.access);
  world.At(kFirst).door = Door::kSilent;
  const int64_t began_us = world.now_us;
  EXPECT_EQ(world.Exchange(), State::kFailed);
  EXPECT_EQ(world.now_us - began_us, RedisWorld::kExchangeUs);
  EXPECT_EQ(world.Problem(), "10.0.0.1:6379: no connection within 5.000 s");
}

TEST(RedisLink, WantsNothingWhileNothingIsInProgress) {
  RedisWorld world;
  EXPECT_EQ(world.link.wants(world.now_us).wake_boot_us, kNever);
  ASSERT_EQ(world.Exchange(), State::kDone);
  EXPECT_EQ(world.link.wants(world.now_us).wake_boot_us, kNever);
  EXPECT_EQ(world.link.wants(world.now_us).fd, -1);
}

TEST(RedisLink, WantsToWriteOnlyWhatIsNotSentYet) {
  RedisWorld world;
  world.At(kFirst).mute = true;
  world.transport.stuffed = true;
  world.Begin();
  EXPECT_TRUE(world.link.wants(world.now_us).write);
  world.transport.stuffed = false;
  world.link.Step(world.now_us);
  EXPECT_FALSE(world.link.wants(world.now_us).write);
  EXPECT_TRUE(world.link.wants(world.now_us).read);
}

// ---- hosts in turn

TEST(RedisLink, TriesTheHostsInTurn) {
  for (const Door door : {Door::kRefuses, Door::kSilent}) {
    RedisWorld world("redis://10.0.0.1,10.0.0.2");
    world.At(kFirst).door = door;
    EXPECT_EQ(world.Exchange(), State::kDone);
    EXPECT_EQ(world.transport.opened, (Names{kFirst, kSecond}));
  }
}

TEST(RedisLink, TriesEachHostOnce) {
  RedisWorld world("redis://10.0.0.1,10.0.0.2");
  world.At(kFirst).door = world.At(kSecond).door = Door::kRefuses;
  for (int i = 0; i < 2; ++i) EXPECT_EQ(world.Exchange(), State::kFailed);
  EXPECT_EQ(world.transport.opened, (Names{kFirst, kSecond, kFirst, kSecond}));
  EXPECT_EQ(world.Problem(), "10.0.0.2:6379: Connection refused");
}

TEST(RedisLink, StaysWithTheHostThatWasGood) {
  RedisWorld world("redis://10.0.0.1,10.0.0.2");
  world.At(kFirst).door = Door::kRefuses;
  ASSERT_EQ(world.Exchange(), State::kDone);
  world.At(kFirst).door = Door::kOpen;
  world.transport.broken = true;
  EXPECT_EQ(world.Exchange(), State::kDone);
  EXPECT_EQ(world.transport.opened.back(), kSecond);
}

// A stopped process still accepts connections.
TEST(RedisLink, AHostThatAnswersNothingIsLeftAtTheNextExchange) {
  RedisWorld world("redis://10.0.0.1,10.0.0.2");
  world.At(kFirst).mute = true;
  EXPECT_EQ(world.Exchange(), State::kFailed);
  EXPECT_EQ(world.Exchange(), State::kDone);
  EXPECT_EQ(world.transport.opened.back(), kSecond);
}

TEST(RedisLink, AnUnusableHostIsLeftAtTheNextExchange) {
  for (const char* answer :
       {"-LOADING Redis is loading\r\n", "-MASTERDOWN Link with MASTER is down\r\n", "garbage\r\n"}) {
    RedisWorld world("redis://10.0.0.1,10.0.0.2");
    world.At(kFirst).answers["PING"] = answer;
    EXPECT_EQ(world.Exchange(), State::kFailed);
    EXPECT_EQ(world.Exchange(), State::kDone) << answer;
  }
}

TEST(RedisLink, AReplicaIsLeftForTheNextHost) {
  RedisWorld world("redis://10.0.0.1,10.0.0.2");
  world.At(kFirst).answers["PING"] = "-READONLY You can't write against a read only replica.\r\n";
  EXPECT_EQ(world.Exchange(), State::kDone);
  EXPECT_EQ(world.transport.opened, (Names{kFirst, kSecond}));
}

// What Redis before 7 answers where a script writes.
TEST(RedisLink, AReplicaOfAnOldVersionIsLeftForTheNextHost) {
  RedisWorld world("redis://10.0.0.1,10.0.0.2");
  world.At(kFirst).answers["EVAL"] =
      "-ERR Error running script (call to f_0123): @user_script:31: @user_script: 31: -READONLY You can't write "
      "against a read only replica.\r\n";
  EXPECT_EQ(world.Exchange({"EVAL"}), State::kDone);
  EXPECT_EQ(world.transport.opened, (Names{kFirst, kSecond}));
}

TEST(RedisLink, OnlyReplicasAreAFailure) {
  RedisWorld world("redis://10.0.0.1,10.0.0.2");
  for (const char* host : {kFirst, kSecond}) world.At(host).answers["PING"] = "-READONLY No.\r\n";
  EXPECT_EQ(world.Exchange(), State::kFailed);
  EXPECT_EQ(world.transport.opened, (Names{kFirst, kSecond}));
  EXPECT_EQ(world.Problem(), "10.0.0.2:6379: the server is a replica: READONLY No.");
}

// ---- names

TEST(RedisLink, TriesEveryAddressOfAName) {
  for (const Door door : {Door::kRefuses, Door::kSilent}) {
    RedisWorld world("redis://cache:7000");
    world.resolver.names["cache"] = {"10.0.0.1", "::1", "10.0.0.2"};
    world.At("10.0.0.1:7000").door = world.At("[::1]:7000").door = door;
    EXPECT_EQ(world.Exchange(), State::kDone);
    EXPECT_EQ(world.transport.opened, (Names{"10.0.0.1:7000", "[::1]:7000", "10.0.0.2:7000"}));
  }
}

TEST(RedisLink, TriesEveryAddressOfANameOnce) {
  RedisWorld world("redis://cache,10.0.0.3");
  world.resolver.names["cache"] = {"10.0.0.1", "10.0.0.2"};
  for (const char* host : {kFirst, kSecond}) world.At(host).door = Door::kRefuses;
  EXPECT_EQ(world.Exchange(), State::kDone);
  EXPECT_EQ(world.transport.opened, (Names{kFirst, kSecond, "10.0.0.3:6379"}));
}

TEST(RedisLink, ANameThatIsNotResolvedIsAProblem) {
  RedisWorld world("redis://cache");
  EXPECT_EQ(world.Exchange(), State::kFailed);
  EXPECT_EQ(world.Problem(), "cache:6379: the host name could not be resolved: no such name");
}

TEST(RedisLink, TheLastGoodAddressStandsInForANameThatIsNotResolved) {
  for (const bool silent : {true, false}) {
    RedisWorld world("redis://cache");
    world.resolver.names["cache"] = {"10.0.0.1", "10.0.0.2"};
    world.At(kFirst).door = Door::kRefuses;
    ASSERT_EQ(world.Exchange(), State::kDone);
    world.resolver.silent = silent;
    world.resolver.names.clear();
    world.transport.broken = true;
    EXPECT_EQ(world.Exchange(), State::kDone);
    EXPECT_EQ(world.transport.opened, (Names{kFirst, kSecond, kSecond}));
  }
}

TEST(RedisLink, OtherSettingsForgetTheLastGoodAddress) {
  RedisWorld world("redis://cache");
  world.resolver.names["cache"] = {"10.0.0.1"};
  ASSERT_EQ(world.Exchange(), State::kDone);
  world.link.Configure(world.access);
  world.resolver.names.clear();
  EXPECT_EQ(world.Exchange(), State::kFailed);
}

// ---- a connection that is lost while nobody looks

TEST(RedisLink, AConnectionThatTheServerClosedIsNoticedBeforeTheNextExchange) {
  RedisWorld world;
  ASSERT_EQ(world.Exchange(), State::kDone);
  world.transport.broken = true;
  EXPECT_TRUE(world.link.will_be_first());
  EXPECT_EQ(world.Exchange(), State::kDone);
  EXPECT_EQ(world.transport.opened.size(), 2u);
}

TEST(RedisLink, CloseClosesTheConnection) {
  RedisWorld world;
  ASSERT_EQ(world.Exchange(), State::kDone);
  world.link.Close();
  EXPECT_FALSE(world.transport.is_open());
  EXPECT_EQ(world.link.state(), State::kIdle);
  EXPECT_EQ(world.Exchange(), State::kDone);
}

TEST(RedisLink, RenewsForWeeksOverOneConnection) {
  RedisWorld world;
  world.At(kFirst).answers["PING"] = Bulk(std::string(100000, 'x'));
  for (int i = 0; i < 400; ++i) ASSERT_EQ(world.Exchange(), State::kDone) << i << ": " << world.Problem();
  EXPECT_EQ(world.transport.opened.size(), 1u);
}

TEST(RedisLink, AServerThatIsDistrustedIsLeftForTheNextHost) {
  RedisWorld world("redis://10.0.0.1,10.0.0.2");
  ASSERT_EQ(world.Exchange(), State::kDone);
  world.link.Distrust();
  EXPECT_FALSE(world.transport.is_open());
  EXPECT_EQ(world.Exchange(), State::kDone);
  EXPECT_EQ(world.transport.opened, (Names{kFirst, kSecond}));
}

// Some servers repeat the command that they did not understand.
TEST(RedisLink, NoPasswordReachesTheProblem) {
  for (const char* url : {"redis://:secret@10.0.0.1", "redis+sentinel://:secret@10.0.0.1:6379/m"}) {
    RedisWorld world(url);
    world.At(kFirst).answers["AUTH"] = world.At(kFirst).answers["SENTINEL"] =
        "-ERR unknown command 'AUTH', with args beginning with: 'secret'\r\n";
    EXPECT_EQ(world.Exchange(), State::kFailed);
    EXPECT_EQ(world.Problem().find("secret"), std::string::npos) << world.Problem();
    EXPECT_NE(world.Problem().find("ERR"), std::string::npos);
  }
}

// ---- Redis Cluster

TEST(RedisLink, FollowsMovedAndStaysThere) {
  RedisWorld world;
  world.At(kFirst).answers["PING"] = "-MOVED 1234 10.0.0.2:6379\r\n";
  for (int i = 0; i < 2; ++i) EXPECT_EQ(world.Exchange(), State::kDone);
  EXPECT_EQ(world.transport.opened, (Names{kFirst, kSecond}));
  EXPECT_EQ(world.At(kSecond).Verbs(), "PING PING");
}

TEST(RedisLink, LogsInToTheServerThatItIsMovedTo) {
  RedisWorld world("redis://app:secret@10.0.0.1");
  world.At(kFirst).answers["PING"] = "-MOVED 1234 10.0.0.2:6379\r\n";
  EXPECT_EQ(world.Exchange(), State::kDone);
  EXPECT_EQ(world.At(kSecond).Verbs(), "AUTH PING");
}

TEST(RedisLink, UnderstandsEveryFormOfMoved) {
  const struct {
    const char* moved;
    const char* to;
  } cases[] = {{"MOVED 1 :7001", "10.0.0.1:7001"},
               {"MOVED 1 2001:db8::1:7001", "[2001:db8::1]:7001"},
               {"MOVED 1 [2001:db8::1]:7001", "[2001:db8::1]:7001"},
               {"MOVED 1 node2:7001", "10.0.0.7:7001"},
               {"MOVED 1 10.0.0.2:7001 more", "10.0.0.2:7001"}};
  for (const auto& a_case : cases) {
    RedisWorld world;
    world.resolver.names["node2"] = {"10.0.0.7"};
    world.At(kFirst).answers["PING"] = "-" + std::string(a_case.moved) + "\r\n";
    EXPECT_EQ(world.Exchange(), State::kDone) << a_case.moved;
    EXPECT_EQ(world.transport.opened.back(), a_case.to) << a_case.moved;
  }
}

TEST(RedisLink, AMovedThatLeadsNowhereIsAFailure) {
  for (const char* moved : {"MOVED", "MOVED ", "MOVED 1", "MOVED 1 ", "MOVED 1 :", "MOVED 1 :x", "MOVED 1 10.0.0.2",
                            "MOVED 1 10.0.0.2:0", "MOVED 1 10.0.0.2:99999", "ASK 1", "ASK 1 :-5"}) {
    RedisWorld world;
    world.At(kFirst).answers["PING"] = "-" + std::string(moved) + "\r\n";
    EXPECT_EQ(world.Exchange(), State::kFailed) << moved;
    EXPECT_NE(world.Problem(), "");
  }
}

TEST(RedisLink, AMovedToAPortAboveAllIsAFailure) {
  RedisWorld world;
  world.At(kFirst).answers["PING"] = "-MOVED 1 :70000\r\n";
  EXPECT_EQ(world.Exchange(), State::kFailed);
  EXPECT_EQ(world.transport.opened, Names{kFirst});
}

TEST(RedisLink, EndlessMovedIsAFailure) {
  RedisWorld world;
  world.At(kFirst).answers["PING"] = "-MOVED 1 10.0.0.2:6379\r\n";
  world.At(kSecond).answers["PING"] = "-MOVED 1 10.0.0.1:6379\r\n";
  EXPECT_EQ(world.Exchange(), State::kFailed);
  EXPECT_LE(world.transport.opened.size(), 6u);
}

TEST(RedisLink, AMovedToADeadServerIsAFailureAndTheNextExchangeStartsOver) {
  RedisWorld world;
  world.At(kFirst).answers["PING"] = "-MOVED 1 10.0.0.2:6379\r\n";
  world.At(kSecond).door = Door::kRefuses;
  EXPECT_EQ(world.Exchange(), State::kFailed);
  EXPECT_LE(world.transport.opened.size(), 12u);
  world.At(kFirst).answers.clear();
  EXPECT_EQ(world.Exchange(), State::kDone);
  EXPECT_EQ(world.transport.opened.back(), kFirst);
}

TEST(RedisLink, AServerThatFailsAfterAMoveIsLookedUpAgain) {
  RedisWorld world;
  world.At(kFirst).answers["PING"] = "-MOVED 1 10.0.0.2:6379\r\n";
  ASSERT_EQ(world.Exchange(), State::kDone);
  world.transport.broken = true;
  world.At(kSecond).door = Door::kRefuses;
  world.At(kFirst).answers.clear();
  EXPECT_EQ(world.Exchange(), State::kDone);
  EXPECT_EQ(world.transport.opened.back(), kFirst);
}

TEST(RedisLink, AskIsForOneExchangeOnly) {
  RedisWorld world;
  world.At(kFirst).answers["PING"] = "-ASK 1 10.0.0.2:6379\r\n";
  for (int i = 0; i < 2; ++i) EXPECT_EQ(world.Exchange(), State::kDone);
  EXPECT_EQ(world.transport.opened, (Names{kFirst, kSecond, kFirst, kSecond}));
  EXPECT_EQ(world.At(kSecond).Verbs(), "ASKING PING ASKING PING");
}

TEST(RedisLink, AskingIsSentToNobodyElse) {
  RedisWorld world;
  world.At(kFirst).answers["PING"] = "-ASK 1 10.0.0.2:6379\r\n";
  world.At(kSecond).door = Door::kRefuses;
  EXPECT_EQ(world.Exchange(), State::kFailed);
  world.At(kFirst).answers.clear();
  EXPECT_EQ(world.Exchange(), State::kDone);
  EXPECT_EQ(world.At(kFirst).Verbs().find("ASKING"), std::string::npos);
}

// ---- Sentinel

struct SentinelWorld : RedisWorld {
  explicit SentinelWorld(const char* url = kSentinelUrl) : RedisWorld(url) { Name("10.0.0.1"); }
  void Name(const std::string& master) { At(kSentinel).answers["SENTINEL"] = Array({master, "6379"}); }
};

TEST(RedisLink, AsksSentinelAndFollows) {
  SentinelWorld world;
  for (int i = 0; i < 2; ++i) EXPECT_EQ(world.Exchange(), State::kDone);
  EXPECT_EQ(world.At(kSentinel).heard, (std::vector<Command>{{"SENTINEL", "get-master-addr-by-name", "mymaster"}}));
  EXPECT_EQ(world.transport.opened, (Names{kSentinel, kFirst}));
}

TEST(RedisLink, ASentinelWithoutAPasswordIsGoodEnough) {
  SentinelWorld world("redis+sentinel://:secret@10.0.0.9/mymaster/4");
  world.At(kSentinel).answers["AUTH"] = "-ERR AUTH <password> called without any password configured\r\n";
  EXPECT_EQ(world.Exchange(), State::kDone);
  EXPECT_EQ(world.At(kSentinel).Verbs(), "AUTH SENTINEL");
  EXPECT_EQ(world.At(kFirst).Verbs(), "AUTH SELECT PING");
}

TEST(RedisLink, AsksSentinelAgainAfterALostConnection) {
  SentinelWorld world;
  ASSERT_EQ(world.Exchange(), State::kDone);
  world.Name("10.0.0.2");
  world.transport.broken = true;
  EXPECT_EQ(world.Exchange(), State::kDone);
  EXPECT_EQ(world.transport.opened, (Names{kSentinel, kFirst, kSentinel, kSecond}));
}

TEST(RedisLink, AMasterThatWasDemotedIsLeftForTheNewOne) {
  SentinelWorld world;
  ASSERT_EQ(world.Exchange(), State::kDone);
  world.Name("10.0.0.2");
  world.At(kFirst).answers["PING"] = "-READONLY No.\r\n";
  world.Exchange();
  EXPECT_EQ(world.Exchange(), State::kDone);
  EXPECT_EQ(world.transport.opened.back(), kSecond);
}

TEST(RedisLink, AMasterThatSentinelDoesNotKnowIsAProblem) {
  SentinelWorld world;
  const struct {
    const char* answer;
    const char* problem;
  } cases[] = {{"*-1\r\n", "10.0.0.9:26379: Sentinel knows no master \"mymaster\""},
               {"-ERR No such master\r\n", "10.0.0.9:26379: Sentinel says: ERR No such master"},
               {"*1\r\n$1\r\nx\r\n", "10.0.0.9:26379: Sentinel knows no master \"mymaster\""},
               {"*2\r\n:1\r\n:2\r\n", "10.0.0.9:26379: Sentinel knows no master \"mymaster\""},
               {"*2\r\n$1\r\nh\r\n$5\r\n70000\r\n", "10.0.0.9:26379: Sentinel knows no master \"mymaster\""},
               // 2^32 + 6390
               {"*2\r\n$1\r\nh\r\n$10\r\n4294973686\r\n", "10.0.0.9:26379: Sentinel knows no master \"mymaster\""}};
  for (const auto& a_case : cases) {
    world.At(kSentinel).answers["SENTINEL"] = a_case.answer;
    EXPECT_EQ(world.Exchange(), State::kFailed);
    EXPECT_EQ(world.Problem(), a_case.problem);
  }
}

TEST(RedisLink, ASentinelThatIsDeadOrDoesNotKnowIsLeftForTheNext) {
  for (const bool dead : {true, false}) {
    SentinelWorld world("redis+sentinel://10.0.0.8,10.0.0.9/mymaster");
    world.At("10.0.0.8:26379").answers["SENTINEL"] = "*-1\r\n";
    if (dead) world.At("10.0.0.8:26379").door = Door::kSilent;
    EXPECT_EQ(world.Exchange(), State::kDone);
    EXPECT_EQ(world.transport.opened, (Names{"10.0.0.8:26379", kSentinel, kFirst}));
  }
}

// Sentinel names it until it has noticed.
TEST(RedisLink, ADeadMasterIsAFailureAndNotALoop) {
  SentinelWorld world("redis+sentinel://10.0.0.9,10.0.0.9,10.0.0.9/mymaster");
  world.At(kFirst).door = Door::kRefuses;
  EXPECT_EQ(world.Exchange(), State::kFailed);
  EXPECT_EQ(world.transport.opened, (Names{kSentinel, kFirst}));
  EXPECT_EQ(world.Problem(), "10.0.0.1:6379: Connection refused");
  world.Name("10.0.0.2");
  EXPECT_EQ(world.Exchange(), State::kDone);
}

TEST(RedisLink, AMasterThatIsAReplicaForEverIsAFailure) {
  SentinelWorld world;
  world.At(kFirst).answers["PING"] = "-READONLY No.\r\n";
  EXPECT_EQ(world.Exchange(), State::kFailed);
  EXPECT_LE(world.transport.opened.size(), 4u);
}

}  // namespace
}  // namespace idgen::io
