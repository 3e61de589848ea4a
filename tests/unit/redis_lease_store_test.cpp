// The lease's operations as Redis commands, and its answers.
#include "lease/redis/store.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "lease/redis/script.h"
#include "redis_world.h"

namespace idgen::lease {
namespace {

using Kind = StoreRequest::Kind;
using Why = StoreReply::Why;

constexpr char kRedis[] = "10.0.0.1:6379";
constexpr char kToken[] = "11111111-2222-3333-4444-555555555555";
constexpr char kNow[] = "0001767225600000";
constexpr int64_t kNowMs = 1767225600000;
const std::string kSha(40, 'a');

// A Redis with the script's answers, and a store on it.
struct StoreWorld : RedisWorld {
  explicit StoreWorld(const char* url = "redis://10.0.0.1") : RedisWorld(url) {
    At(kRedis).answers["SCRIPT"] = Bulk(kSha);
    store_settings = {.access = access,
                      .prefix = "my:prefix",
                      .holder = "h|5432|/data",
                      .min_worker = 3,
                      .max_workers = 100,
                      .ttl_ms = 30000};
    Configure();
  }
  void Configure() { store.Configure(store_settings); }
  void Says(const std::string& answer) { At(kRedis).answers["EVAL"] = At(kRedis).answers["EVALSHA"] = answer; }

  StoreReply Ask(StoreRequest request) {
    memcpy(request.token, kToken, sizeof kToken);
    store.Begin(request, now_us);
    StoreReply reply;
    EXPECT_TRUE(Finish([&] { return store.Step(now_us, &reply); }, false));
    return reply;
  }
  StoreReply Ask(Kind kind) {
    StoreRequest request;
    request.kind = kind;
    return Ask(request);
  }
  // What the script was called with: verb and what follows.
  Command LastArguments() {
    for (auto command = At(kRedis).heard.rbegin(); command != At(kRedis).heard.rend(); ++command)
      if ((*command)[0].rfind("EVAL", 0) == 0) return Command(command->begin() + 4, command->end());
    return {};
  }

  LeaseStoreSettings store_settings;
  RedisLeaseStore store{link};
};

const std::string kAcquired = Array({"ok", "7", "0001767225500000", "0001767225630000", kNow, "noeviction"});
const std::string kRenewed = Array({"ok", "0001767225621000", "0001767225630000", kNow});

TEST(RedisLeaseStore, TheFirstExchangeLearnsTheScriptsName) {
  StoreWorld world;
  world.Says(kAcquired);
  EXPECT_EQ(world.Ask(Kind::kAcquire).outcome, StoreOutcome::kOk);
  world.Says(kRenewed);
  EXPECT_EQ(world.Ask(Kind::kRenew).outcome, StoreOutcome::kOk);
  const std::vector<Command>& heard = world.At(kRedis).heard;
  ASSERT_EQ(world.At(kRedis).Verbs().substr(world.At(kRedis).Verbs().size() - 7), "EVALSHA");
  EXPECT_NE(std::find(heard.begin(), heard.end(), Command({"SCRIPT", "LOAD", kRedisLeaseScript})), heard.end());
  EXPECT_EQ(heard.size(), 3u);
  EXPECT_EQ(heard.back()[1], kSha);
}

TEST(RedisLeaseStore, TheScriptIsCalledWithItsOneKey) {
  StoreWorld world;
  world.Says(kAcquired);
  for (int i = 0; i < 2; ++i) {
    world.Ask(Kind::kAcquire);
    for (const Command& command : world.At(kRedis).heard) {
      if (command[0] == "SCRIPT") continue;
      EXPECT_EQ(command[1], command[0] == "EVAL" ? kRedisLeaseScript : kSha);
      EXPECT_EQ(command[2], "1");
      EXPECT_EQ(command[3], "my:prefix");
    }
  }
}

TEST(RedisLeaseStore, ReadsWhoElseHasTheWorkerId) {
  using Rival = StoreReply::Rival;
  StoreWorld world;
  world.Says(Array({"ok", kNow, "static", "other|5432|/data"}));
  const StoreReply present = world.Ask(Kind::kPresent);
  EXPECT_EQ(present.outcome, StoreOutcome::kOk);
  EXPECT_EQ(present.rival, Rival::kStatic);
  EXPECT_STREQ(present.rival_holder, "other|5432|/data");
  world.Says(Array({"ok", kNow, "lease", "other|5432|/data"}));
  EXPECT_EQ(world.Ask(Kind::kPresent).rival, Rival::kLease);
  world.Says(Array({"ok", kNow, "", ""}));
  EXPECT_EQ(world.Ask(Kind::kPresent).rival, Rival::kNone);
  world.Says(kRenewed);
  EXPECT_EQ(world.Ask(Kind::kRenew).rival, Rival::kNone);
  world.Says(Array({"ok", "0001767225621000", "0001767225630000", kNow, "other|5432|/data"}));
  const StoreReply renewed = world.Ask(Kind::kRenew);
  EXPECT_EQ(renewed.rival, Rival::kStatic);
  EXPECT_STREQ(renewed.rival_holder, "other|5432|/data");
}

TEST(RedisLeaseStore, AForgottenScriptIsSentWhole) {
  StoreWorld world;
  world.Says(kAcquired);
  world.Ask(Kind::kAcquire);
  world.Says(kRenewed);
  world.At(kRedis).answers["EVALSHA"] = "-NOSCRIPT No matching script. Please use EVAL.\r\n";
  world.At(kRedis).heard.clear();
  EXPECT_EQ(world.Ask(Kind::kRenew).outcome, StoreOutcome::kOk);
  EXPECT_EQ(world.At(kRedis).Verbs(), "EVALSHA EVAL");
}

TEST(RedisLeaseStore, WithoutPermissionToLoadTheScriptIsSentWholeEachTime) {
  StoreWorld world;
  world.At(kRedis).answers["SCRIPT"] = "-NOPERM this user has no permissions\r\n";
  world.Says(kAcquired);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(world.Ask(Kind::kAcquire).outcome, StoreOutcome::kOk);
  EXPECT_EQ(world.At(kRedis).Verbs().find("EVALSHA"), std::string::npos);
}

TEST(RedisLeaseStore, AServerWithoutScriptsIsAFailure) {
  StoreWorld world;
  world.Says("-NOSCRIPT No matching script.\r\n");
  world.Ask(Kind::kAcquire);
  EXPECT_EQ(world.Ask(Kind::kAcquire).outcome, StoreOutcome::kFailed);
  EXPECT_NE(std::string(world.store.problem()).find("NOSCRIPT"), std::string::npos);
}

// ASKING holds for the command that follows it, which has to be the one with the key.
TEST(RedisLeaseStore, AskingDirectlyPrecedesTheScriptOfAKeyThatIsBeingMoved) {
  StoreWorld world;
  world.Says("-ASK 1 10.0.0.2:6379\r\n");
  FakeRedis& other = world.At("10.0.0.2:6379");
  other.answers = {{"SCRIPT", Bulk(kSha)}, {"EVAL", kAcquired}};
  EXPECT_EQ(world.Ask(Kind::kAcquire).outcome, StoreOutcome::kOk);
  EXPECT_EQ(other.Verbs().substr(0, 11), "ASKING EVAL");
}

TEST(RedisLeaseStore, SendsEachVerbsArguments) {
  StoreWorld world;
  world.store_settings.durable = true;
  world.Configure();
  world.Says(kAcquired);  // reads well as an answer to each of them
  StoreRequest renewal;
  renewal.kind = Kind::kRenew;
  renewal.worker = 7;
  renewal.ceiling_ms = kNowMs + 21000;
  renewal.last_expiry_ms = kNowMs + 30000;
  renewal.floor_ms = kNowMs;
  StoreRequest release;
  release.kind = Kind::kRelease;
  release.worker = 7;
  StoreRequest known_release = release;
  known_release.worker_known = true;
  const std::string ttl = "0000000000030000", holder = "h|5432|/data";

  StoreRequest present;
  present.kind = Kind::kPresent;
  present.worker = 7;
  present.ceiling_ms = kNowMs + 21000;

  world.Ask(present);
  EXPECT_EQ(world.LastArguments(), (Command{"present", ttl, "7", kToken, holder, "0001767225621000"}));
  world.Ask(Kind::kAcquire);
  EXPECT_EQ(world.LastArguments(), (Command{"acquire", ttl, kToken, holder, "3", "100", "60000"}));
  world.Ask(renewal);
  EXPECT_EQ(world.LastArguments(), (Command{"renew", ttl, "7", kToken, holder, "0001767225621000", "0001767225630000",
                                            "1", "0", "0001767225600000"}));
  world.Ask(release);
  EXPECT_EQ(world.LastArguments(), (Command{"release", ttl, "", kToken}));
  world.Ask(known_release);
  EXPECT_EQ(world.LastArguments(), (Command{"release", ttl, "7", kToken}));
  world.Ask(Kind::kList);
  EXPECT_EQ(world.LastArguments(), (Command{"list", ttl}));
  world.Ask(Kind::kDeclareNew);
  EXPECT_EQ(world.LastArguments(), (Command{"declare new", ttl}));
}

TEST(RedisLeaseStore, OnlyTheOperatorDeclaresAStoreDurable) {
  StoreWorld world;
  world.Says(kRenewed);
  world.Ask(Kind::kRenew);
  EXPECT_EQ(world.LastArguments()[7], "0");
}

// ---- whether the server may be another than before

// The last but one of a renewal's arguments.
std::string First(const Command& command) { return command.at(command.size() - 2); }
std::string First(StoreWorld& world) { return First(world.LastArguments()); }

TEST(RedisLeaseStore, MarksTheFirstRenewalOverAConnection) {
  StoreWorld world;
  world.Says(kRenewed);
  for (const char* first : {"1", "0"}) {
    world.Ask(Kind::kRenew);
    EXPECT_EQ(First(world), first);
  }
  world.transport.broken = true;
  world.Ask(Kind::kRenew);
  EXPECT_EQ(First(world), "1");
}

// A server that was restarted knows no script: that renewal is the one that must say it.
TEST(RedisLeaseStore, MarksTheFirstRenewalEvenIfTheScriptIsForgotten) {
  StoreWorld world;
  world.Says(kRenewed);
  world.Ask(Kind::kRenew);
  world.transport.broken = true;
  world.At(kRedis).answers["EVALSHA"] = "-NOSCRIPT No matching script.\r\n";
  world.Ask(Kind::kRenew);
  ASSERT_EQ(world.At(kRedis).heard.back()[0], "EVAL");
  EXPECT_EQ(First(world), "1");
}

// After a fail-over the old master says MOVED, and the new one must hear it at the latest in the next renewal.
TEST(RedisLeaseStore, MarksTheFirstRenewalEvenIfTheKeyHasMoved) {
  StoreWorld world;
  world.Says(kRenewed);
  for (int i = 0; i < 2; ++i) world.Ask(Kind::kRenew);
  world.Says("-MOVED 1 10.0.0.2:6379\r\n");
  FakeRedis& other = world.At("10.0.0.2:6379");
  other.answers = {{"EVAL", kRenewed}, {"EVALSHA", kRenewed}};
  for (int i = 0; i < 2; ++i) world.Ask(Kind::kRenew);
  ASSERT_EQ(other.heard.size(), 2u);
  EXPECT_TRUE(First(other.heard[0]) == "1" || First(other.heard[1]) == "1");
}

// ---- replicas

TEST(RedisLeaseStore, WaitsForReplicasOfWhatMustBeKept) {
  StoreWorld world;
  world.store_settings.replicas = 2;
  world.Configure();
  world.At(kRedis).answers["WAIT"] = ":2\r\n";
  world.Says(kAcquired);
  EXPECT_EQ(world.Ask(Kind::kAcquire).outcome, StoreOutcome::kOk);
  EXPECT_NE(world.At(kRedis).Verbs().find("EVAL WAIT"), std::string::npos);
  world.Says(kRenewed);
  world.At(kRedis).heard.clear();
  EXPECT_EQ(world.Ask(Kind::kRenew).outcome, StoreOutcome::kOk);
  EXPECT_EQ(world.At(kRedis).Verbs(), "EVALSHA WAIT");
  EXPECT_EQ(world.At(kRedis).heard.back(), (Command{"WAIT", "2", "2500"}));
  world.At(kRedis).heard.clear();
  for (const Kind kind : {Kind::kRelease, Kind::kList, Kind::kDeclareNew}) world.Ask(kind);
  EXPECT_EQ(world.At(kRedis).Verbs(), "EVALSHA EVALSHA EVALSHA");
}

TEST(RedisLeaseStore, TooFewReplicasAreAFailure) {
  StoreWorld world;
  world.store_settings.replicas = 2;
  world.Configure();
  for (const bool renewal : {false, true}) {
    world.Says(renewal ? kRenewed : kAcquired);
    const Kind kind = renewal ? Kind::kRenew : Kind::kAcquire;
    for (const char* answer : {":1\r\n", ":0\r\n", ":-1\r\n"}) {
      world.At(kRedis).answers["WAIT"] = answer;
      EXPECT_EQ(world.Ask(kind).outcome, StoreOutcome::kFailed);
      EXPECT_NE(std::string(world.store.problem()).find("of 2 replicas"), std::string::npos);
    }
    for (const char* answer : {"+OK\r\n", "-ERR unknown command\r\n", "*0\r\n", "$1\r\n2\r\n", "$-1\r\n"}) {
      world.At(kRedis).answers["WAIT"] = answer;
      EXPECT_EQ(world.Ask(kind).outcome, StoreOutcome::kFailed) << answer;
      EXPECT_STRNE(world.store.problem(), "");
    }
  }
}

TEST(RedisLeaseStore, ALostLeaseIsLostWhateverTheReplicasHave) {
  StoreWorld world;
  world.store_settings.replicas = 1;
  world.Configure();
  world.At(kRedis).answers["WAIT"] = ":0\r\n";
  world.Says(Array({"lost", "taken", kNow}));
  EXPECT_EQ(world.Ask(Kind::kRenew).outcome, StoreOutcome::kLost);
}

// ---- answers

TEST(RedisLeaseStore, ReadsAnAcquisition) {
  StoreWorld world;
  world.Says(kAcquired);
  const StoreReply reply = world.Ask(Kind::kAcquire);
  EXPECT_EQ(reply.outcome, StoreOutcome::kOk);
  EXPECT_EQ(reply.worker, 7u);
  EXPECT_EQ(reply.floor_ms, kNowMs - 100000);
  EXPECT_EQ(reply.expiry_ms, kNowMs + 30000);
  EXPECT_EQ(reply.store_now_ms, kNowMs);
  EXPECT_EQ(reply.memory, StoreMemory::kLimited);
}

TEST(RedisLeaseStore, ReadsWhetherRecordsMayBeEvicted) {
  StoreWorld world;
  for (const auto& [policy, memory] : {std::pair{"allkeys-lru", StoreMemory::kEvicts},
                                       {"allkeys-random", StoreMemory::kEvicts},
                                       {"noeviction", StoreMemory::kLimited},
                                       {"volatile-lru", StoreMemory::kLimited},
                                       {"unlimited", StoreMemory::kUnlimited},
                                       {"", StoreMemory::kUnknown}}) {
    world.Says(Array({"ok", "7", kNow, kNow, kNow, policy}));
    EXPECT_EQ(world.Ask(Kind::kAcquire).memory, memory) << policy;
    world.Says(Array({"ok", kNow, kNow, kNow, "", policy}));
    EXPECT_EQ(world.Ask(Kind::kRenew).memory, memory) << policy;
  }
}

TEST(RedisLeaseStore, ReadsARenewal) {
  StoreWorld world;
  world.Says(kRenewed);
  const StoreReply reply = world.Ask(Kind::kRenew);
  EXPECT_EQ(reply.outcome, StoreOutcome::kOk);
  EXPECT_EQ(reply.granted_ms, kNowMs + 21000);
  EXPECT_EQ(reply.expiry_ms, kNowMs + 30000);
  EXPECT_EQ(reply.store_now_ms, kNowMs);
}

TEST(RedisLeaseStore, ReadsWhyNoWorkerIsAvailable) {
  StoreWorld world;
  for (const auto& [text, why] : {std::pair{"quarantine", Why::kQuarantine},
                                  {"crashes", Why::kCrashes},
                                  {"full", Why::kFull},
                                  {"ahead", Why::kAhead},
                                  {"something new", Why::kNone}}) {
    world.Says(Array({"busy", "0001767225610000", text, kNow}));
    const StoreReply reply = world.Ask(Kind::kAcquire);
    EXPECT_EQ(reply.outcome, StoreOutcome::kBusy);
    EXPECT_EQ(reply.why, why) << text;
    EXPECT_EQ(reply.until_ms, kNowMs + 10000);
    EXPECT_EQ(reply.store_now_ms, kNowMs);
  }
}

TEST(RedisLeaseStore, ReadsWhyALeaseIsLost) {
  StoreWorld world;
  for (const auto& [text, why] :
       {std::pair{"free", Why::kTaken}, {"taken", Why::kTaken}, {"forgotten", Why::kForgotten}}) {
    world.Says(Array({"lost", text, kNow}));
    for (const Kind kind : {Kind::kRenew, Kind::kRelease}) {
      const StoreReply reply = world.Ask(kind);
      EXPECT_EQ(reply.outcome, StoreOutcome::kLost);
      EXPECT_EQ(reply.why, why);
    }
  }
}

TEST(RedisLeaseStore, ReadsADeclaration) {
  StoreWorld world;
  world.Says(Array({"ok", "0001767225630000"}));
  EXPECT_EQ(world.Ask(Kind::kDeclareNew).until_ms, kNowMs + 30000);
  world.Says(Array({"in use", "3"}));
  EXPECT_EQ(world.Ask(Kind::kDeclareNew).outcome, StoreOutcome::kInUse);
}

TEST(RedisLeaseStore, AMalformedAnswerIsAFailureWithAProblem) {
  const std::string anything[] = {"+OK\r\n",
                                  ":1\r\n",
                                  "$-1\r\n",
                                  "*0\r\n",
                                  "*-1\r\n",
                                  "*1\r\n:1\r\n",
                                  "*1\r\n*0\r\n",
                                  "-ERR oops\r\n",
                                  "-OOM command not allowed\r\n",
                                  Array({""}),
                                  Array({"OK"}),
                                  Array({"ok"}),
                                  Array({"busy"}),
                                  Array({"lost"}),
                                  Array({"ok", "x"}),
                                  Array({"ok", "-1", kNow, kNow, kNow}),
                                  "*2\r\n$2\r\nok\r\n:7\r\n",
                                  "*2\r\n$2\r\nok\r\n$-1\r\n"};
  const std::string of_acquire[] = {Array({"ok", "100", kNow, kNow, kNow, ""}),
                                    Array({"ok", "2", kNow, kNow, kNow, ""}),
                                    Array({"ok", "4294967303", kNow, kNow, kNow, ""}),
                                    Array({"ok", "", kNow, kNow, kNow, ""}),
                                    Array({"ok", "7", kNow, kNow}),
                                    Array({"ok", "7", "1.7e+12", kNow, kNow, ""}),
                                    Array({"ok", "7", kNow, "never", kNow, ""}),
                                    Array({"ok", "7", kNow, kNow, "", ""}),
                                    Array({"ok", "7", "1234567890123456789", kNow, kNow, ""}),
                                    Array({"busy", "soon", "full", kNow}),
                                    Array({"busy", kNow, "full"}),
                                    Array({"lost", "taken", kNow}),
                                    Array({"in use", "1"})};
  const std::string of_renew[] = {Array({"ok", kNow, kNow}),
                                  Array({"ok", "", kNow, kNow}),
                                  Array({"ok", kNow, "x", kNow}),
                                  Array({"ok", "-000001767225600", kNow, kNow}),
                                  Array({"lost", "taken"}),
                                  Array({"lost", "taken", "x"}),
                                  Array({"busy", kNow, "full", kNow}),
                                  Array({"in use", "1"})};
  StoreWorld world;
  const auto refuses = [&](Kind kind, const std::string& answer) {
    world.Says(answer);
    EXPECT_EQ(world.Ask(kind).outcome, StoreOutcome::kFailed) << answer;
    EXPECT_STRNE(world.store.problem(), "") << answer;
  };
  for (const Kind kind : {Kind::kAcquire, Kind::kRenew, Kind::kRelease, Kind::kList, Kind::kDeclareNew})
    for (const std::string& answer : anything) refuses(kind, answer);
  for (const std::string& answer : of_acquire) refuses(Kind::kAcquire, answer);
  for (const std::string& answer : of_renew) refuses(Kind::kRenew, answer);
}

TEST(RedisLeaseStore, AServerWhoseAnswerIsMalformedIsLeftForTheNextHost) {
  StoreWorld world("redis://10.0.0.1,10.0.0.2");
  world.Says("+OK\r\n");
  world.At("10.0.0.2:6379").answers = {{"EVAL", kAcquired}, {"EVALSHA", kAcquired}};
  EXPECT_EQ(world.Ask(Kind::kAcquire).outcome, StoreOutcome::kFailed);
  EXPECT_EQ(world.Ask(Kind::kAcquire).outcome, StoreOutcome::kOk);
}

TEST(RedisLeaseStore, AFailureOfTheLinkIsAFailureWithItsProblem) {
  StoreWorld world;
  world.At(kRedis).door = FakeRedis::Door::kRefuses;
  EXPECT_EQ(world.Ask(Kind::kAcquire).outcome, StoreOutcome::kFailed);
  EXPECT_STREQ(world.store.problem(), "10.0.0.1:6379: Connection refused");
}

TEST(RedisLeaseStore, AProblemEndsWithoutAFullStop) {
  StoreWorld world;
  world.Says("-OOM command not allowed when used memory > 'maxmemory'.\r\n");
  world.Ask(Kind::kRenew);
  EXPECT_STREQ(world.store.problem(), "the store says: OOM command not allowed when used memory > 'maxmemory'");
}

TEST(RedisLeaseStore, ASuccessForgetsTheProblem) {
  StoreWorld world;
  world.Says("-ERR oops\r\n");
  world.Ask(Kind::kRenew);
  EXPECT_STREQ(world.store.problem(), "the store says: ERR oops");
  world.Says(kRenewed);
  world.Ask(Kind::kRenew);
  EXPECT_STREQ(world.store.problem(), "");
}

TEST(RedisLeaseStore, ControlCharactersDoNotReachTheProblem) {
  StoreWorld world;
  world.store_settings.replicas = 1;
  world.Configure();
  const auto clean = [&world] {
    const std::string problem = world.store.problem();
    return std::none_of(problem.begin(), problem.end(), [](char c) { return (c >= 0 && c < ' ') || c == 127; });
  };
  world.Says("-ERR \x1b[31m\x7f\r\n");
  world.Ask(Kind::kRenew);
  EXPECT_TRUE(clean()) << world.store.problem();
  world.Says(kRenewed);
  world.At(kRedis).answers["WAIT"] = "-ERR \x1b[31m\x7f\r\n";
  world.Ask(Kind::kRenew);
  EXPECT_TRUE(clean()) << world.store.problem();
}

TEST(RedisLeaseStore, ATimeThatIsNoPossibleCeilingIsAFailure) {
  StoreWorld world;
  for (const char* time : {"0017592186044416", "9999999999999999"}) {
    world.Says(Array({"ok", "5", time, kNow, kNow, ""}));
    EXPECT_EQ(world.Ask(Kind::kAcquire).outcome, StoreOutcome::kFailed) << time;
    EXPECT_STRNE(world.store.problem(), "");
  }
}

// ---- list

TEST(RedisLeaseStore, ListsRecords) {
  StoreWorld world;
  const std::string times = "0001767225621000|0001767225630000|";
  world.Says(Array({"ok", kNow, "w7", times + kToken + "|0001767225600000|host|5432|/data", "w0",
                    times + std::string(36, '-') + "|0001767225600000|"}));
  for (int i = 0; i < 2; ++i) {  // with the script's name and without
    EXPECT_EQ(world.Ask(Kind::kList).outcome, StoreOutcome::kOk);
    ASSERT_EQ(world.store.record_count(), 2u);
    StoreRecord record;
    ASSERT_TRUE(world.store.Record(0, &record));
    EXPECT_EQ(record.worker, 7u);
    EXPECT_EQ(record.ceiling_ms, kNowMs + 21000);
    EXPECT_EQ(record.expiry_ms, kNowMs + 30000);
    EXPECT_FALSE(record.free);
    EXPECT_EQ(std::string(record.token, kTokenBytes), kToken);
    EXPECT_STREQ(record.holder, "host|5432|/data");
    ASSERT_TRUE(world.store.Record(1, &record));
    EXPECT_EQ(record.worker, 0u);
    EXPECT_TRUE(record.free);
    EXPECT_STREQ(record.holder, "");
    EXPECT_FALSE(world.store.Record(2, &record));
  }
}

TEST(RedisLeaseStore, AnEmptyPrefixHasNoRecords) {
  StoreWorld world;
  world.Says(Array({"ok", kNow}));
  EXPECT_EQ(world.Ask(Kind::kList).outcome, StoreOutcome::kOk);
  EXPECT_EQ(world.store.record_count(), 0u);
}

TEST(RedisLeaseStore, AnUnreadableRecordIsLeftOut) {
  const std::string good = "0001767225621000|0001767225630000|" + std::string(kToken) + "|0001767225600000|holder";
  StoreWorld world;
  StoreRecord record;
  for (const auto& [field, value] :
       std::vector<std::pair<std::string, std::string>>{{"born", good},
                                                        {"w", good},
                                                        {"wx", good},
                                                        {"w-1", good},
                                                        {"w1048576", good},
                                                        {"w99999999999999999999", good},
                                                        {"w1", ""},
                                                        {"w1", "garbage"},
                                                        {"w1", good.substr(0, 70)},
                                                        {"w1", good.substr(0, 87)},
                                                        {"w1", "x" + good.substr(1)},
                                                        {"w1", good.substr(0, 17) + "x" + good.substr(18)}}) {
    world.Says(Array({"ok", kNow, field, value}));
    ASSERT_EQ(world.Ask(Kind::kList).outcome, StoreOutcome::kOk);
    EXPECT_FALSE(world.store.Record(0, &record)) << field << " " << value;
  }
  world.Says("*4\r\n$2\r\nok\r\n" + Bulk(kNow) + ":1\r\n$-1\r\n");
  world.Ask(Kind::kList);
  EXPECT_FALSE(world.store.Record(0, &record));
}

TEST(RedisLeaseStore, AListWithAFieldTooManyIsReadWithoutIt) {
  StoreWorld world;
  world.Says(Array({"ok", kNow, "w1"}));
  world.Ask(Kind::kList);
  EXPECT_EQ(world.store.record_count(), 0u);
}

}  // namespace
}  // namespace idgen::lease
