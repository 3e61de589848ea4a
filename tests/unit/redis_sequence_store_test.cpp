// What the store is asked, what its answers mean, and what is asked again: only what was not carried out.
#include "sequencer/redis/store.h"

#include <gtest/gtest.h>

#include <deque>
#include <memory>

#include "redis_world.h"
#include "sequencer/redis/request.h"

namespace idgen::sequencer {
namespace {

using Kind = Operation::Kind;
using Outcome = Answer::Outcome;
using State = SequenceStore::State;

constexpr char kFirst[] = "10.0.0.1:6379";
constexpr char kSecond[] = "10.0.0.2:6379";
const std::string kSha(40, 'a');
const Definition kCounted = {.max_value = 100};  // needs the script

std::string Int(int64_t number) { return ":" + std::to_string(number) + "\r\n"; }

class World : public RedisWorld {
 public:
  using State = SequenceStore::State;

  explicit World(const char* url = "redis://10.0.0.1") : RedisWorld(url), store(link) {
    for (const char* server : {kFirst, kSecond}) At(server).answers["SCRIPT"] = Bulk(kSha);
  }

  State Ask(const Operation& operation, const std::vector<std::string>& keys = {"k"}) {
    rooms.clear();
    store_keys.clear();
    for (const std::string& key : keys) {
      rooms.emplace_back(kMaxStoreKeyBytes, '\0');
      store_keys.push_back(WriteStoreKey("p:", key, rooms.back().data()));
    }
    answers.assign(keys.size(), Answer());
    store.Begin(operation, store_keys.data(), answers.data(), static_cast<int>(keys.size()), now_us,
                now_us + core::kUsPerSecond);
    return Finish([this] { return store.Step(now_us); }, State::kBusy);
  }
  const Command& Heard(size_t index = 0, const char* server = kFirst) { return At(server).heard.at(index); }

  RedisSequenceStore store;
  std::deque<std::string> rooms;
  std::vector<StoreKey> store_keys;
  std::vector<Answer> answers;
};

TEST(RedisSequenceStore, AsksAPlainIncrbyIfNoRuleNeedsMore) {
  World world;
  world.At(kFirst).answers["INCRBY"] = Int(5);
  ASSERT_EQ(world.Ask({.definition = {}, .count = 3}), State::kDone);
  EXPECT_EQ(world.Heard(), (Command{"INCRBY", "p:{1:k}", "3"}));
  EXPECT_EQ(world.answers[0].outcome, Outcome::kOk);
  EXPECT_EQ(world.answers[0].grant.Value(0), 3);
  EXPECT_EQ(world.answers[0].grant.Value(2), 5);
}

TEST(RedisSequenceStore, GivesTheScriptItsNumbersAsTexts) {
  World world;
  world.At(kFirst).answers["EVAL"] = Array({"ok", "11"});
  const Definition definition = {
      .start = 3, .step = 4, .max_value = 20, .cycle = true, .ttl_ms = 5000, .sliding = true};
  ASSERT_EQ(world.Ask({.definition = definition, .count = 3}), State::kDone);
  Command heard = world.Heard();
  EXPECT_EQ(heard[0], "EVAL");
  heard.erase(heard.begin(), heard.begin() + 2);
  EXPECT_EQ(heard, (Command{"2", "p:{1:k}", "p:{1:k}:g", "next", "5000", "1",  // keys, verb, TTL, sliding
                            "3", "", "12", "8", "8", "1", "3",                 // start … n
                            "4", "16", "8", "12"}));                           // powers of two below 3
}

TEST(RedisSequenceStore, TellsTheScriptWhatCannotFit) {
  const auto words = [](const Definition& definition, int64_t count) {
    World world;
    world.At(kFirst).answers["EVAL"] = Array({"full", ""});
    world.Ask({.definition = definition, .count = count});
    const Command& heard = world.Heard();
    return Command(heard.begin() + 8, heard.end());
  };
  EXPECT_EQ(words({.max_value = 5}, 5), (Command{"1", "0", "5", "0", "4", "0", "5"}));
  EXPECT_EQ(words({.max_value = 5}, 6), (Command{"1", "0", "6", "", "", "0", "6"}));
  EXPECT_EQ(words({.start = 5, .max_value = 9}, 6), (Command{"5", "4", "6", "3", "", "0", "6"}));
  EXPECT_EQ(words({.start = 2, .step = kMaxValue}, 2),
            (Command{"2", "", "", "", "", "0", "2"}));  // the sum is no bigint
}

TEST(RedisSequenceStore, AsksForASegmentWithItsGenerationAndNumber) {
  World world;
  world.At(kFirst).answers["EVAL"] = Array({"ok", "100", "7", "1763650000000001", "1763650000000000"});
  ASSERT_EQ(world.Ask({.kind = Kind::kSegment, .definition = {.cache = 1000}, .count = 50}), State::kDone);
  EXPECT_EQ(world.Heard()[6], "segment");
  EXPECT_EQ(world.answers[0].outcome, Outcome::kOk);
  EXPECT_EQ(world.answers[0].grant.Value(0), 51);
  EXPECT_EQ(world.answers[0].generation, 7);
  EXPECT_EQ(world.answers[0].number, 1763650000000001);
  EXPECT_EQ(world.answers[0].number_before, 1763650000000000);
}

TEST(RedisSequenceStore, ASegmentWithoutAGenerationOrNumberIsRejected) {
  for (const std::string& reply : {Array({"ok", "100"}), Array({"ok", "100", "x"}), Int(100), Array({"ok", "100", "7"}),
                                   Array({"ok", "100", "7", "", ""}), Array({"ok", "100", "7", "8", "x"})}) {
    World world;
    world.At(kFirst).answers["EVAL"] = reply;
    ASSERT_EQ(world.Ask({.kind = Kind::kSegment, .definition = {.cache = 1000}, .count = 50}), State::kDone);
    EXPECT_EQ(world.answers[0].outcome, Outcome::kMisread) << reply;
  }
}

TEST(RedisSequenceStore, ReturnsUnusedValues) {
  World world;
  world.At(kFirst).answers["EVAL"] = Array({"ok", "1", "7"});
  const Operation operation = {.kind = Kind::kReturn,
                               .definition = {.step = 3, .cache = 1000},
                               .count = 5,
                               .value = 300,
                               .number = 1763650000000001,
                               .mark = {.generation = 7}};
  ASSERT_EQ(world.Ask(operation), State::kDone);
  Command heard = world.Heard();
  heard.erase(heard.begin(), heard.begin() + 2);
  EXPECT_EQ(heard, (Command{"3", "p:{1:k}", "p:{1:k}:g", "p:{1:k}:s", "return", "0", "0", "300", "15", "7",
                            "1763650000000001"}));
  EXPECT_TRUE(world.answers[0].had);
}

TEST(RedisSequenceStore, CallsTheScriptByItsSumOnceItIsLoaded) {
  World world;
  world.At(kFirst).answers["EVAL"] = world.At(kFirst).answers["EVALSHA"] = Array({"ok", "1"});
  ASSERT_EQ(world.Ask({.definition = kCounted}), State::kDone);
  ASSERT_EQ(world.Ask({.definition = kCounted}), State::kDone);
  EXPECT_EQ(world.At(kFirst).Verbs(), "EVAL SCRIPT EVALSHA");
  EXPECT_EQ(world.Heard(2)[1], kSha);
}

TEST(RedisSequenceStore, SendsTheWholeScriptToAServerThatHasForgottenIt) {
  World world;
  world.At(kFirst).answers["EVAL"] = Array({"ok", "1"});
  world.At(kFirst).answers["EVALSHA"] = "-NOSCRIPT No matching script.\r\n";
  ASSERT_EQ(world.Ask({.definition = kCounted}), State::kDone);
  ASSERT_EQ(world.Ask({.definition = kCounted}), State::kDone);
  EXPECT_EQ(world.At(kFirst).Verbs(), "EVAL SCRIPT EVALSHA EVAL");
  EXPECT_EQ(world.answers[0].outcome, Outcome::kOk);
}

TEST(RedisSequenceStore, WhatTheStoreSaysIsPrintable) {
  for (const char* word : {"NOSCRIPT", "OOM"}) {  // one that is asked again until it is given up, and one that is not
    World world;
    world.At(kFirst).answers["EVAL"] = world.At(kFirst).answers["EVALSHA"] =
        std::string("-") + word + " \xff\x1b[31m\x07\r\n";
    ASSERT_EQ(world.Ask({.definition = kCounted}), State::kDone);
    EXPECT_EQ(world.answers[0].outcome, Outcome::kRefused);
    EXPECT_STREQ(world.answers[0].problem, (std::string(word) + " \\xff\\x1b[31m\\x07").c_str());
  }
}

TEST(RedisSequenceStore, CallsTheScriptIfAnIncrbyWouldOverflow) {
  World world;
  world.At(kFirst).answers["INCRBY"] = "-ERR increment or decrement would overflow\r\n";
  world.At(kFirst).answers["EVAL"] = Array({"full", "9223372036854775806"});
  ASSERT_EQ(world.Ask({.definition = {}, .count = 2}), State::kDone);
  EXPECT_EQ(world.answers[0].outcome, Outcome::kFull);
  EXPECT_TRUE(world.answers[0].had);
  EXPECT_EQ(world.answers[0].last, INT64_MAX - 1);
}

TEST(RedisSequenceStore, NeverSendsAnAmountThatIsNoBigint) {
  World world;
  world.At(kFirst).answers["EVAL"] = Array({"full", ""});
  ASSERT_EQ(world.Ask({.definition = {.start = kMaxValue, .step = kMaxValue}, .count = 2}), State::kDone);
  EXPECT_EQ(world.answers[0].outcome, Outcome::kFull);
  EXPECT_FALSE(world.answers[0].had);
  EXPECT_EQ(world.At(kFirst).Verbs(), "EVAL SCRIPT");
}

TEST(RedisSequenceStore, AsksManyKeysTogether) {
  World world;
  world.At(kFirst).answers["INCRBY"] = Int(1);
  const std::vector<std::string> keys(1000, "k");
  ASSERT_EQ(world.Ask({.definition = {}}, keys), State::kDone);
  EXPECT_EQ(world.At(kFirst).heard.size(), 1000u);
  EXPECT_EQ(world.transport.opened.size(), 1u);
  for (const Answer& answer : world.answers) EXPECT_EQ(answer.outcome, Outcome::kOk);
}

TEST(RedisSequenceStore, LoadsTheScriptBeforeItAsksManyKeys) {
  World world;
  world.At(kFirst).answers["EVALSHA"] = Array({"ok", "1"});
  ASSERT_EQ(world.Ask({.definition = kCounted}, {"a", "b"}), State::kDone);
  EXPECT_EQ(world.At(kFirst).Verbs(), "SCRIPT EVALSHA EVALSHA");
}

// A Cluster has keys on several nodes. Those that are here are not asked for again.
TEST(RedisSequenceStore, FollowsOnlyTheKeysThatAreElsewhere) {
  World world;
  world.At(kSecond).answers["INCRBY"] = Int(7);
  world.At(kFirst).answers_by = [](const Command& command) {
    return command[1] == "p:{4:away}" ? "-MOVED 1 10.0.0.2:6379\r\n" : Int(5);
  };
  ASSERT_EQ(world.Ask({.definition = {}}, {"here", "away", "near"}), State::kDone);
  EXPECT_EQ(world.answers[0].grant.Value(0), 5);
  EXPECT_EQ(world.answers[1].grant.Value(0), 7);
  EXPECT_EQ(world.answers[2].grant.Value(0), 5);
  int asked_here = 0;
  for (const Command& command : world.At(kFirst).heard) asked_here += command[1] != "p:{4:away}";
  EXPECT_EQ(asked_here, 2);
  EXPECT_EQ(world.At(kSecond).heard.size(), 1u);
}

TEST(RedisSequenceStore, ReportsTheStoresErrors) {
  const struct {
    const char* reply;
    Outcome outcome;
  } cases[] = {
      {"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n", Outcome::kWrongType},
      {"-ERR value is not an integer or out of range\r\n", Outcome::kNotAValue},
      {"-OOM command not allowed when used memory > 'maxmemory'.\r\n", Outcome::kRefused},
      {"-NOPERM this user has no permissions\r\n", Outcome::kRefused},
      {":0\r\n", Outcome::kNotAValue},
      {":-5\r\n", Outcome::kNotAValue},
      {"+OK\r\n", Outcome::kMisread},
      {"$1\r\n5\r\n", Outcome::kMisread},
      {"$-1\r\n", Outcome::kMisread},
      {"*1\r\n$2\r\nok\r\n", Outcome::kMisread},
  };
  for (const auto& a_case : cases) {
    World world;
    world.At(kFirst).answers["INCRBY"] = a_case.reply;
    ASSERT_EQ(world.Ask({.definition = {}}), State::kDone) << a_case.reply;
    EXPECT_EQ(world.answers[0].outcome, a_case.outcome) << a_case.reply;
  }
}

TEST(RedisSequenceStore, RejectsImpossibleAnswers) {
  const Definition definition = {.start = 3, .step = 4, .max_value = 20, .cycle = true};
  for (const std::string& reply :
       {Array({"ok", "2"}), Array({"ok", "21"}), Array({"ok", "07"}), Array({"ok", "-1"}), Array({"ok"}), Int(7),
        Array({"around", "15", "2", "7"}), Array({"around", "15", "1"}), Array({"full", "x"}), Array({"so", "1"})}) {
    World world;
    world.At(kFirst).answers["EVAL"] = reply;
    ASSERT_EQ(world.Ask({.definition = definition, .count = 4}), State::kDone);
    EXPECT_EQ(world.answers[0].outcome, Outcome::kMisread) << reply;
  }
}

TEST(RedisSequenceStore, NeverRepeatsARequestThatMayHaveBeenCarriedOut) {
  World world;
  world.At(kFirst).mute = true;
  EXPECT_EQ(world.Ask({.definition = {}}), State::kFailed);
  EXPECT_TRUE(world.store.is_unsure());
  EXPECT_EQ(world.At(kFirst).heard.size(), 1u);
}

TEST(RedisSequenceStore, KnowsThatSomeKeysHaveTheirValuesIfAnotherFails) {
  World world;
  world.At(kSecond).door = FakeRedis::Door::kRefuses;
  world.At(kFirst).answers_by = [](const Command& command) {
    return command[1] == "p:{4:away}" ? "-MOVED 1 10.0.0.2:6379\r\n" : Int(5);
  };
  EXPECT_EQ(world.Ask({.definition = {}}, {"here", "away"}), State::kFailed);
  EXPECT_TRUE(world.store.is_unsure());
}

TEST(RedisSequenceStore, KnowsWhenNothingCanHaveBeenCarriedOut) {
  World world;
  world.At(kFirst).door = FakeRedis::Door::kRefuses;
  EXPECT_EQ(world.Ask({.definition = {}}), State::kFailed);
  EXPECT_FALSE(world.store.is_unsure());
  World refused;
  refused.At(kFirst).answers["INCRBY"] = "-MISCONF errors writing to disk\r\n";
  EXPECT_EQ(refused.Ask({.definition = {}}), State::kFailed);
  EXPECT_FALSE(refused.store.is_unsure());
}

TEST(RedisSequenceStore, EndsWhenItsTimeIsUp) {
  World world;
  world.At(kFirst).door = FakeRedis::Door::kSilent;
  const int64_t begun_us = world.now_us;
  EXPECT_EQ(world.Ask({.definition = {}}), State::kFailed);
  EXPECT_LE(world.now_us - begun_us, core::kUsPerSecond);
  World mute;  // whose settings would let an exchange take longer
  mute.At(kFirst).mute = true;
  EXPECT_EQ(mute.Ask({.definition = {}}), State::kFailed);
  EXPECT_EQ(mute.now_us - begun_us, core::kUsPerSecond);
}

TEST(RedisSequenceStore, LooksForAnotherServerIfThisOneIsAReplica) {
  World world("redis://10.0.0.1,10.0.0.2");
  world.At(kFirst).answers["INCRBY"] = "-READONLY You can't write against a read only replica.\r\n";
  world.At(kSecond).answers["INCRBY"] = Int(1);
  ASSERT_EQ(world.Ask({.definition = {}}, {"a", "b"}), State::kDone);
  for (const Answer& answer : world.answers) EXPECT_EQ(answer.outcome, Outcome::kOk);
}

TEST(RedisSequenceStore, PeeksSetsAndDrops) {
  World world;
  world.At(kFirst).answers["GET"] = "$-1\r\n";
  ASSERT_EQ(world.Ask({.kind = Kind::kPeek, .definition = kCounted}), State::kDone);
  EXPECT_FALSE(world.answers[0].had);
  world.At(kFirst).answers["GET"] = Bulk("42");
  ASSERT_EQ(world.Ask({.kind = Kind::kPeek, .definition = {}}), State::kDone);
  EXPECT_EQ(world.answers[0].last, 42);
  world.At(kFirst).answers["GET"] = Bulk("4 2");
  ASSERT_EQ(world.Ask({.kind = Kind::kPeek, .definition = {}}), State::kDone);
  EXPECT_EQ(world.answers[0].outcome, Outcome::kNotAValue);

  world.At(kFirst).answers["EVAL"] = world.At(kFirst).answers["EVALSHA"] = Array({"ok", "1", "17"});
  ASSERT_EQ(world.Ask({.kind = Kind::kSetIfNone, .definition = {}, .value = 9}), State::kDone);
  EXPECT_TRUE(world.answers[0].had);
  EXPECT_EQ(world.answers[0].generation, 17);
  const Command& set = world.Heard(3);
  EXPECT_EQ((Command{set.end() - 5, set.end()}), (Command{"set", "0", "0", "9", "1"}));
  world.At(kFirst).answers["EVALSHA"] = Array({"ok", "0", "18"});
  ASSERT_EQ(world.Ask({.kind = Kind::kDrop, .definition = {}}), State::kDone);
  EXPECT_FALSE(world.answers[0].had);
  EXPECT_EQ(world.answers[0].outcome, Outcome::kOk);
  world.At(kFirst).answers["EVALSHA"] = Array({"ok", "0"});
  ASSERT_EQ(world.Ask({.kind = Kind::kDrop, .definition = {}}), State::kDone);
  EXPECT_EQ(world.answers[0].outcome, Outcome::kMisread);
}

TEST(RedisSequenceStore, AsksForTheGenerationBeforeTheValue) {
  World world;
  world.At(kFirst).answers["GET"] = Bulk("1763650000000");
  world.At(kFirst).answers["INCRBY"] = Int(5);
  ASSERT_EQ(world.Ask({.definition = {}, .with_generation = true}), State::kDone);
  ASSERT_EQ(world.At(kFirst).heard.size(), 2u);
  EXPECT_EQ(world.Heard(0), (Command{"GET", "p:{1:k}:g"}));
  EXPECT_EQ(world.Heard(1), (Command{"INCRBY", "p:{1:k}", "1"}));
  EXPECT_EQ(world.answers[0].generation, 1763650000000);
  EXPECT_EQ(world.answers[0].grant.Value(0), 5);
}

TEST(RedisSequenceStore, AsksForManyGenerationsAtOnce) {
  World world;
  world.At(kFirst).answers["MGET"] = "*3\r\n" + Bulk("7") + "$-1\r\n" + Bulk("9");
  world.At(kFirst).answers["INCRBY"] = Int(5);
  ASSERT_EQ(world.Ask({.definition = {}, .with_generation = true}, {"k", "l", "m"}), State::kDone);
  ASSERT_EQ(world.At(kFirst).heard.size(), 4u);
  EXPECT_EQ(world.Heard(0), (Command{"MGET", "p:{1:k}:g", "p:{1:l}:g", "p:{1:m}:g"})) << "before the values";
  EXPECT_EQ(world.Heard(3), (Command{"INCRBY", "p:{1:m}", "1"}));
  const int64_t generations[] = {7, 0, 9};
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(world.answers[i].outcome, Outcome::kOk);
    EXPECT_EQ(world.answers[i].generation, generations[i]);
    EXPECT_EQ(world.answers[i].grant.Value(0), 5);
  }
}

TEST(RedisSequenceStore, AsksForGenerationsOfVeryManyKeysInParts) {
  World world;
  std::string all = "*" + std::to_string(kMaxGenerations) + "\r\n";
  for (int i = 0; i < kMaxGenerations; ++i) all += Bulk("7");
  world.At(kFirst).answers["MGET"] = all;
  world.At(kFirst).answers["INCRBY"] = Int(5);
  ASSERT_EQ(world.Ask({.definition = {}, .with_generation = true}, std::vector<std::string>(2 * kMaxGenerations, "k")),
            State::kDone);
  EXPECT_EQ(world.Heard(0).size(), size_t{1 + kMaxGenerations});
  EXPECT_EQ(world.Heard(1 + kMaxGenerations)[0], "MGET");
  for (const Answer& answer : world.answers) {
    EXPECT_EQ(answer.outcome, Outcome::kOk);
    EXPECT_EQ(answer.generation, 7);
    EXPECT_EQ(answer.grant.Value(0), 5);
  }
}

TEST(RedisSequenceStore, AsksForGenerationsOneByOneIfTheKeysAreSpread) {
  World world;
  world.At(kFirst).answers["MGET"] = "-CROSSSLOT Keys in request don't hash to the same slot\r\n";
  world.At(kFirst).answers["INCRBY"] = Int(5);
  world.At(kFirst).answers["GET"] = Bulk("7");
  const Operation operation = {.definition = {}, .with_generation = true};
  for (const int64_t generation : {0, 7}) {
    ASSERT_EQ(world.Ask(operation, {"k", "l"}), State::kDone);
    for (const Answer& answer : world.answers) {
      EXPECT_EQ(answer.outcome, Outcome::kOk);
      EXPECT_EQ(answer.generation, generation);
      EXPECT_EQ(answer.grant.Value(0), 5);
    }
  }
  EXPECT_EQ(world.Heard(3)[0], "GET") << "from the second time on";
}

TEST(RedisSequenceStore, AValueThatIsElsewhereAmongManyIsAskedForByTheScript) {
  World world;
  world.At(kFirst).answers["MGET"] = "*2\r\n" + Bulk("7") + Bulk("7");
  world.At(kFirst).answers["INCRBY"] = world.At(kFirst).answers["EVAL"] = "-MOVED 1 10.0.0.2:6379\r\n";
  world.At(kSecond).answers["EVAL"] = world.At(kSecond).answers["EVALSHA"] = Array({"ok", "5", "8"});
  ASSERT_EQ(world.Ask({.definition = {}, .with_generation = true}, {"k", "l"}), State::kDone);
  for (const Answer& answer : world.answers) {
    EXPECT_EQ(answer.outcome, Outcome::kOk);
    EXPECT_EQ(answer.generation, 8);
    EXPECT_EQ(answer.grant.Value(0), 5);
  }
}

TEST(RedisSequenceStore, TheScriptReturnsTheGenerationWithTheValue) {
  World world;
  world.At(kFirst).answers["EVAL"] = Array({"ok", "5", "7"});
  ASSERT_EQ(world.Ask({.definition = kCounted, .with_generation = true}), State::kDone);
  EXPECT_EQ(world.Heard()[2], "2");
  EXPECT_EQ(world.Heard()[5], "segment");
  EXPECT_EQ(world.answers[0].generation, 7);
  EXPECT_EQ(world.answers[0].grant.Value(0), 5);
}

TEST(RedisSequenceStore, AValueThatIsElsewhereIsAskedForByTheScript) {
  World world;
  world.At(kFirst).answers["GET"] = Bulk("7");
  world.At(kFirst).answers["INCRBY"] = world.At(kFirst).answers["EVAL"] = "-MOVED 1 10.0.0.2:6379\r\n";
  world.At(kSecond).answers["EVAL"] = Array({"ok", "5", "7"});
  ASSERT_EQ(world.Ask({.definition = {}, .with_generation = true}), State::kDone);
  EXPECT_EQ(world.answers[0].outcome, Outcome::kOk);
  EXPECT_EQ(world.answers[0].grant.Value(0), 5);
  EXPECT_EQ(world.answers[0].generation, 7);
}

TEST(RedisSequenceStore, AValueCountsEvenIfItsGenerationIsElsewhere) {
  World world;
  world.At(kFirst).answers["GET"] = "-ASK 1 10.0.0.2:6379\r\n";
  world.At(kFirst).answers["INCRBY"] = Int(5);
  ASSERT_EQ(world.Ask({.definition = {}, .with_generation = true}), State::kDone);
  EXPECT_EQ(world.At(kFirst).heard.size(), 2u);
  EXPECT_EQ(world.answers[0].grant.Value(0), 5);
  EXPECT_EQ(world.answers[0].generation, 0);
}

// The most words that a command can have, and no power of two among those that say how far to raise.
TEST(RedisSequenceStore, ARaiseOfACycleIsNoLongerThanAnyOther) {
  World world;
  const Definition definition = {.max_value = 2 * kMaxCount, .cycle = true};
  Operation operation = {.kind = Kind::kRaise,
                         .definition = definition,
                         .count = kMaxCount,
                         .value = 9,
                         .mark = {.generation = 7, .value = 100}};
  world.Ask(operation);
  const Command& heard = world.Heard();
  ASSERT_EQ(heard.size(), 18u);
  EXPECT_EQ(Command(heard.begin() + 15, heard.end()), (Command{"7", "100", "9"}));
  World other;
  operation.kind = Kind::kNext;
  other.Ask(operation);
  EXPECT_EQ(other.Heard().size(), 15u + 2 * 20);
}

TEST(RedisSequenceStore, RaisesAStoreThatHasForgotten) {
  World world;
  const Operation raise = {
      .kind = Kind::kRaise, .definition = {}, .count = 3, .value = 9, .mark = {.generation = 7, .value = 100}};
  world.At(kFirst).answers["EVAL"] = world.At(kFirst).answers["EVALSHA"] = Array({"ok", "103", "7"});
  ASSERT_EQ(world.Ask(raise), State::kDone);
  EXPECT_EQ(world.answers[0].outcome, Outcome::kOk);
  EXPECT_TRUE(world.answers[0].had);
  EXPECT_EQ(world.answers[0].grant.Value(0), 101);
  const Command& heard = world.Heard();
  EXPECT_EQ(heard[5], "raise");
  EXPECT_EQ((Command{heard.end() - 3, heard.end()}), (Command{"7", "100", "9"}));
  world.At(kFirst).answers["EVALSHA"] = Array({"ok", "13", "8"});
  ASSERT_EQ(world.Ask(raise), State::kDone);
  EXPECT_EQ(world.answers[0].outcome, Outcome::kOk);
  EXPECT_FALSE(world.answers[0].had);
  EXPECT_EQ(world.answers[0].grant.Value(0), 11);
  world.At(kFirst).answers["EVALSHA"] = Array({"full", "100"});
  ASSERT_EQ(world.Ask(raise), State::kDone);
  EXPECT_EQ(world.answers[0].outcome, Outcome::kFull);
  EXPECT_TRUE(world.answers[0].had);
  world.At(kFirst).answers["EVALSHA"] = Int(5);
  ASSERT_EQ(world.Ask(raise), State::kDone);
  EXPECT_EQ(world.answers[0].outcome, Outcome::kMisread);
}

TEST(RedisSequenceStore, AnOperationForOneConnectionGoesOverNoOther) {
  Operation raise = {
      .kind = Kind::kRaise, .definition = {}, .count = 3, .value = 9, .mark = {.generation = 7, .value = 100}};
  World world;
  world.At(kFirst).answers["INCRBY"] = Int(3);
  world.At(kFirst).answers["EVAL"] = world.At(kFirst).answers["EVALSHA"] = Array({"ok", "103", "7"});
  ASSERT_EQ(world.Ask({.definition = {}}), State::kDone);
  raise.only_over = world.store.connection();
  ASSERT_EQ(world.Ask(raise), State::kDone);
  EXPECT_EQ(world.answers[0].outcome, Outcome::kOk);
  world.At(kFirst).answers["EVALSHA"] = "-NOSCRIPT No matching script.\r\n";
  ASSERT_EQ(world.Ask(raise), State::kDone);
  EXPECT_EQ(world.answers[0].outcome, Outcome::kOk);
  const std::string verbs = world.At(kFirst).Verbs();
  world.transport.broken = true;
  ASSERT_EQ(world.Ask(raise), State::kDone);
  EXPECT_EQ(world.answers[0].outcome, Outcome::kUnasked);
  EXPECT_EQ(world.At(kFirst).Verbs(), verbs);
  EXPECT_EQ(world.transport.opened.size(), 1u);
}

TEST(RedisSequenceStore, AnOperationForOneConnectionFollowsNoServer) {
  for (const char* elsewhere : {"-MOVED 1 10.0.0.2:6379\r\n", "-ASK 1 10.0.0.2:6379\r\n", "-READONLY a replica\r\n"}) {
    World world("redis://10.0.0.1,10.0.0.2");
    world.At(kFirst).answers["INCRBY"] = Int(3);
    ASSERT_EQ(world.Ask({.definition = {}}), State::kDone);
    world.At(kFirst).answers["EVAL"] = elsewhere;
    ASSERT_EQ(world.Ask({.kind = Kind::kRaise,
                         .definition = {},
                         .value = 9,
                         .mark = {.generation = 7, .value = 100},
                         .only_over = world.store.connection()}),
              State::kDone);
    EXPECT_EQ(world.answers[0].outcome, Outcome::kUnasked) << elsewhere;
    EXPECT_TRUE(world.At(kSecond).heard.empty()) << elsewhere;
    EXPECT_EQ(world.At(kFirst).Verbs(), "INCRBY EVAL SCRIPT") << elsewhere;
  }
}

}  // namespace
}  // namespace idgen::sequencer
