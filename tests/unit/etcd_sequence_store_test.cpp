// What the store asks of an etcd, what its answers mean, and how many round trips that takes, on a model of etcd.
#include "sequencer/etcd/store.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <set>

#include "core/time.h"
#include "engine/random.h"
#include "etcd/link.h"
#include "sequences/store_model.h"

namespace idgen::sequencer {
namespace {

using Kind = Operation::Kind;
using Outcome = Answer::Outcome;
using State = SequenceStore::State;
using Fault = sim::ModelEtcdLink::Fault;

// A process with its own link.
class Session {
 public:
  Session(sim::EtcdModel& etcd, int64_t& now_us) : link(etcd), store(link), now_us_(now_us) { store.Configure({}); }

  State Ask(const Operation& operation, const std::vector<std::string>& keys = {"k"}) {
    Begin(operation, keys);
    State state;
    while ((state = store.Step(now_us_)) == State::kBusy) now_us_ += 1000;
    return state;
  }
  void Begin(const Operation& operation, const std::vector<std::string>& keys) {
    rooms_.clear();
    store_keys_.clear();
    for (const std::string& key : keys) {
      rooms_.emplace_back(kMaxStoreKeyBytes, '\0');
      store_keys_.push_back(WriteStoreKey("p:", key, rooms_.back().data()));
    }
    answers.assign(keys.size(), Answer());
    link.exchanges = link.calls = 0;
    store.Begin(operation, store_keys_.data(), answers.data(), static_cast<int>(keys.size()), now_us_,
                now_us_ + 2 * core::kUsPerSecond);
  }
  // The last value of `count` new ones; 0 if there are none.
  int64_t Next(const Definition& definition = {}, int64_t count = 1, const std::string& key = "k") {
    if (Ask({.definition = definition, .count = count}, {key}) != State::kDone) return 0;
    return answers[0].outcome == Outcome::kOk ? answers[0].grant.Value(count - 1) : 0;
  }

  sim::ModelEtcdLink link;
  EtcdSequenceStore store;
  std::vector<Answer> answers;

 private:
  int64_t& now_us_;
  std::deque<std::string> rooms_;
  std::vector<StoreKey> store_keys_;
};

class EtcdSequenceStoreTest : public testing::Test {
 protected:
  std::string ValueOf(const std::string& key) {
    const auto found = etcd.keys().find("p:{" + std::to_string(key.size()) + ":" + key + "}");
    return found == etcd.keys().end() ? "" : found->second.value;
  }
  void Put(const std::string& key, std::string_view value) {
    wire::EtcdBody body;
    body.Put("p:{" + std::to_string(key.size()) + ":" + key + "}", value);
    ASSERT_EQ(etcd.Call("/v3/kv/put", body.text(), now_us / 1000).http_status, 200);
    body.Free();
  }
  void Delete(const std::string& key) {
    wire::EtcdBody body;
    body.Delete("p:{" + std::to_string(key.size()) + ":" + key + "}");
    etcd.Call("/v3/kv/deleterange", body.text(), now_us / 1000);
    body.Free();
  }

  sim::EtcdModel etcd;
  int64_t now_us = 1000 * core::kUsPerSecond;
  Session session{etcd, now_us};
  Session other{etcd, now_us};
};

std::vector<std::string> Keys(int count) {
  std::vector<std::string> keys;
  for (int i = 0; i < count; ++i) keys.push_back("key" + std::to_string(i));
  return keys;
}

TEST_F(EtcdSequenceStoreTest, TakesAValueInOneRoundTripWhateverItKnows) {
  EXPECT_EQ(session.Next(), 1);  // creates the key
  EXPECT_EQ(session.link.exchanges, 1u);
  EXPECT_EQ(ValueOf("k"), "0+1v");
  EXPECT_EQ(session.Next(), 2);
  EXPECT_EQ(session.link.exchanges, 1u);
  EXPECT_EQ(other.Next(), 3);  // has never seen the key
  EXPECT_EQ(other.link.exchanges, 1u);
  EXPECT_EQ(session.Next(), 4);  // has not seen the other's value
  EXPECT_EQ(session.link.exchanges, 1u);
  EXPECT_EQ(ValueOf("k"), "0+1v");
}

TEST_F(EtcdSequenceStoreTest, TakesABatchWhileOthersTakeValues) {
  EXPECT_EQ(session.Next(), 1);
  EXPECT_EQ(other.Next({}, 100), 101);
  EXPECT_EQ(other.link.exchanges, 1u);
  EXPECT_EQ(session.Next(), 102);
  EXPECT_EQ(session.link.exchanges, 1u) << "a batch does not get in the way of single values";
  for (int i = 0; i < 5; ++i) session.Next();
  EXPECT_EQ(other.Next({}, 10), 117);
  EXPECT_EQ(other.link.exchanges, 1u) << "single values do not get in a batch's way";
}

TEST_F(EtcdSequenceStoreTest, TouchesAKeyThatItHasSeenFarBelowTheMaximum) {
  std::vector<std::string> paths;
  session.link.before_call = [&](std::string_view path, std::string_view) { paths.emplace_back(path); };
  session.Next();
  EXPECT_EQ(session.Next(), 2);
  EXPECT_EQ(paths, (std::vector<std::string>{"/v3/kv/txn", "/v3/kv/put"}));
  // Others have changed the text, which the touch notices.
  Put("k", "70");
  EXPECT_EQ(session.Next(), 71);
  EXPECT_EQ(other.Next({}, 10), 81);
  EXPECT_EQ(session.Next(), 82);
  EXPECT_EQ(session.Next({.start = 10, .step = 10}), 92);
  EXPECT_EQ(session.Next(), 93);
  ASSERT_EQ(other.Ask({.kind = Kind::kDrop, .definition = {}}), State::kDone);
  EXPECT_EQ(session.Next(), 1);
  Delete("k");
  EXPECT_EQ(session.Next(), 1);
  // Close to a maximum the version is compared.
  paths.clear();
  for (int i = 1; i <= 3; ++i) EXPECT_EQ(session.Next({.max_value = 1000}, 1, "near"), i);
  EXPECT_EQ(paths, (std::vector<std::string>{"/v3/kv/txn", "/v3/kv/txn", "/v3/kv/txn"}));
}

TEST_F(EtcdSequenceStoreTest, ATouchOfAKeyThatCountsByAnotherStepSkipsNothing) {
  const Definition tens = {.start = 10, .step = 10};
  EXPECT_EQ(session.Next(), 1);
  EXPECT_EQ(other.Next(tens), 11);
  EXPECT_EQ(session.Next(), 12);
  EXPECT_EQ(other.Next(tens), 22);
  EXPECT_EQ(session.Next(), 23);
}

TEST_F(EtcdSequenceStoreTest, KeysLieBelowThePrefixOfTheUrl) {
  session.store.Configure({.url = "etcd://10.0.0.1/shop"});
  EXPECT_EQ(session.Next(), 1);
  EXPECT_EQ(etcd.keys().begin()->first, "/shop/p:{1:k}");
}

TEST_F(EtcdSequenceStoreTest, NobodyIsGivenAValueAboveTheMaximum) {
  const Definition ten = {.max_value = 10};
  EXPECT_EQ(session.Next(ten, 7), 7);
  EXPECT_EQ(other.Next(ten, 3), 10);
  ASSERT_EQ(session.Ask({.definition = ten}), State::kDone);
  EXPECT_EQ(session.answers[0].outcome, Outcome::kFull);
  EXPECT_EQ(session.answers[0].last, 10);
  ASSERT_EQ(session.Ask({.definition = ten, .count = 11}, {"none"}), State::kDone);
  EXPECT_EQ(session.answers[0].outcome, Outcome::kFull);
  EXPECT_FALSE(session.answers[0].had);
  for (int i = 1; i <= 10; ++i) EXPECT_EQ((i % 2 ? session : other).Next(ten, 1, "singly"), i);
  EXPECT_EQ(session.Next(ten, 1, "singly"), 0);
  EXPECT_EQ(other.Next(ten, 1, "singly"), 0);
}

TEST_F(EtcdSequenceStoreTest, ATouchAfterAnOldSightDoesNotPassTheMaximum) {
  for (const int64_t batch : {1, 5}) {
    for (const int64_t max : {kMaxValue, int64_t{1} << 45}) {
      const std::string key = std::to_string(batch) + " up to " + std::to_string(max);
      const Definition high = {.max_value = max};
      std::deque<Session> late;
      for (int i = 1; i <= 5; ++i) EXPECT_EQ(late.emplace_back(etcd, now_us).Next(high, 1, key), i);
      ASSERT_EQ(other.Ask({.kind = Kind::kSet, .definition = high, .value = max - batch - 2}, {key}), State::kDone);
      EXPECT_EQ(other.Next(high, batch, key), max - 2);
      EXPECT_EQ(late[0].Next(high, 1, key), max - 1);
      EXPECT_EQ(late[1].Next(high, 1, key), max);
      for (size_t i = 2; i < 5; ++i) {
        ASSERT_EQ(late[i].Ask({.definition = high}, {key}), State::kDone);
        EXPECT_EQ(late[i].answers[0].outcome, Outcome::kFull);
        EXPECT_EQ(late[i].answers[0].last, max);
      }
      ASSERT_EQ(other.Ask({.kind = Kind::kPeek, .definition = high}, {key}), State::kDone);
      EXPECT_EQ(other.answers[0].last, max);
    }
  }
}

// A key that counts far from its maximum is not let count close to it.
TEST_F(EtcdSequenceStoreTest, TheLastValuesBeforeAHighMaximumAreNotCounted) {
  const int64_t last = kMaxValue - kMostLateTouches;
  ASSERT_EQ(session.Ask({.kind = Kind::kSet, .definition = {}, .value = last - 3}), State::kDone);
  for (int64_t i = -2; i <= 5; ++i) {
    EXPECT_EQ((i % 2 ? session : other).Next(), last + i);
    EXPECT_EQ(ValueOf("k").find('v') != std::string::npos, i <= 0) << ValueOf("k");
  }
  ASSERT_EQ(session.Ask({.kind = Kind::kSet, .definition = {}, .value = last - 10}), State::kDone);
  for (int64_t i = 1; i <= 5; ++i) EXPECT_EQ((i % 2 ? session : other).Next({}, 7), last - 10 + i * 7);
  EXPECT_EQ(ValueOf("k").find('v'), std::string::npos);
  const Definition low = {.max_value = 1000};
  ASSERT_EQ(session.Ask({.kind = Kind::kSet, .definition = low, .value = 990}, {"low"}), State::kDone);
  for (int64_t i = 991; i <= 1000; ++i) EXPECT_EQ((i % 2 ? session : other).Next(low, 1, "low"), i);
  EXPECT_NE(ValueOf("low").find('v'), std::string::npos) << "a key with a low maximum is never touched";
}

TEST_F(EtcdSequenceStoreTest, CyclesUnderANewGeneration) {
  const Definition uneven = {.start = 3, .step = 4, .max_value = 20, .cycle = true};
  std::vector<int64_t> values;
  for (const int64_t count : {3, 4, 5, 1, 1, 5}) {
    Session& asks = count % 2 ? session : other;
    ASSERT_NE(asks.Next(uneven, count), 0);
    for (int64_t i = 0; i < count; ++i) values.push_back(asks.answers[0].grant.Value(i));
  }
  for (size_t i = 0; i < values.size(); ++i) EXPECT_EQ(values[i], 3 + static_cast<int64_t>(i) % 5 * 4) << i;
  EXPECT_TRUE(ValueOf("k").ends_with(" 3")) << ValueOf("k");
}

TEST_F(EtcdSequenceStoreTest, AThousandKeysTakeOneExchange) {
  const std::vector<std::string> keys = Keys(1000);
  ASSERT_EQ(session.Ask({}, keys), State::kDone);
  EXPECT_LE(session.link.exchanges, 2u);
  EXPECT_LE(session.link.calls, 8u);
  ASSERT_EQ(other.Ask({}, keys), State::kDone);
  EXPECT_EQ(other.link.exchanges, 1u);
  EXPECT_EQ(other.link.calls, 4u);
  for (const Answer& answer : other.answers) EXPECT_EQ(answer.grant.Value(0), 2);
  ASSERT_EQ(other.Ask({}, Keys(10000)), State::kDone);
  for (size_t i = 0; i < 10000; ++i) ASSERT_EQ(other.answers[i].grant.Value(0), i < 1000 ? 3 : 1);
  EXPECT_LE(other.link.exchanges, 6u);
}

TEST_F(EtcdSequenceStoreTest, KeysOfOneCallThatHaveAllKindsOfTextsDoNotHoldEachOtherUp) {
  const std::vector<std::string> keys = Keys(300);
  for (int i = 0; i < 300; i += 7) Put(keys[static_cast<size_t>(i)], "41");
  for (int i = 1; i < 300; i += 7) Put(keys[static_cast<size_t>(i)], "31+1v 5");
  for (int i = 2; i < 300; i += 7) Put(keys[static_cast<size_t>(i)], "- 5");
  for (int i = 3; i < 300; i += 7) Put(keys[static_cast<size_t>(i)], "text");
  ASSERT_EQ(session.Ask({}, keys), State::kDone);
  EXPECT_EQ(session.link.exchanges, 2u);
  for (int i = 0; i < 300; ++i) {
    const Answer& answer = session.answers[static_cast<size_t>(i)];
    ASSERT_EQ(answer.outcome, i % 7 == 3 ? Outcome::kNotAValue : Outcome::kOk) << i;
    if (answer.outcome != Outcome::kOk) continue;
    EXPECT_EQ(answer.grant.Value(0), i % 7 == 0 ? 42 : i % 7 == 1 ? 33 : 1) << i;
  }
}

TEST_F(EtcdSequenceStoreTest, AKeyNamedSeveralTimesGetsItsValuesInOrder) {
  const auto first_values = [this](const std::vector<std::string>& keys, const Definition& definition = {}) {
    std::vector<int64_t> values;
    EXPECT_EQ(session.Ask({.definition = definition}, keys), State::kDone);
    for (const Answer& answer : session.answers)
      values.push_back(answer.outcome == Outcome::kOk ? answer.grant.Value(0) : -1);
    return values;
  };
  EXPECT_EQ(first_values({"a", "b", "a", "c", "a"}), (std::vector<int64_t>{1, 1, 2, 1, 3}));
  EXPECT_EQ(first_values({"a", "b", "a", "c", "a"}), (std::vector<int64_t>{4, 2, 5, 2, 6}));
  EXPECT_EQ(session.link.exchanges, 1u);
  EXPECT_EQ(first_values({"x", "x", "x", "y"}, {.max_value = 2}), (std::vector<int64_t>{1, 2, -1, 1}));
  EXPECT_EQ(first_values({"r", "r", "r", "r", "r"}, {.max_value = 2, .cycle = true}),
            (std::vector<int64_t>{1, 2, 1, 2, 1}));
  const std::vector<std::string> many(10000, "many");
  const std::vector<int64_t> values = first_values(many);
  for (size_t i = 0; i < values.size(); ++i) ASSERT_EQ(values[i], static_cast<int64_t>(i) + 1);
  EXPECT_EQ(session.link.calls, 1u);
}

TEST_F(EtcdSequenceStoreTest, AdaptsToAnEtcdThatAllowsFewOperations) {
  for (const int most : {64, 16, 8, 4, 3}) {
    etcd.max_txn_ops = most;
    session.store.Configure({});
    const std::vector<std::string> keys = Keys(100);
    ASSERT_EQ(session.Ask({}, keys), State::kDone) << most;
    for (const Answer& answer : session.answers) ASSERT_EQ(answer.outcome, Outcome::kOk) << most << answer.problem;
    const uint64_t exchanges = session.link.exchanges;
    ASSERT_EQ(session.Ask({}, keys), State::kDone) << most;
    EXPECT_LT(session.link.exchanges, exchanges) << "what etcd allows is remembered";
  }
  etcd.max_txn_ops = 1;
  ASSERT_EQ(session.Ask({}, {"k"}), State::kDone);
  EXPECT_EQ(session.answers[0].outcome, Outcome::kRefused);
  EXPECT_STREQ(session.answers[0].problem, "etcdserver: too many operations in txn request");
}

TEST_F(EtcdSequenceStoreTest, SaysWhatEtcdRefuses) {
  session.Next();
  etcd.SetNoSpace(true);
  ASSERT_EQ(session.Ask({}), State::kDone);
  EXPECT_EQ(session.answers[0].outcome, Outcome::kRefused);
  EXPECT_STREQ(session.answers[0].problem, "etcdserver: mvcc: database space exceeded");
  EXPECT_NE(std::string(session.answers[0].advice).find("etcdctl alarm disarm"), std::string::npos);
}

TEST_F(EtcdSequenceStoreTest, SetsWhateverOthersTake) {
  session.Next();
  other.Next();
  ASSERT_EQ(session.Ask({.kind = Kind::kSet, .definition = {}, .value = 50}), State::kDone);
  EXPECT_EQ(session.link.exchanges, 1u);
  EXPECT_TRUE(session.answers[0].had);
  EXPECT_EQ(session.answers[0].generation, 1);
  EXPECT_EQ(ValueOf("k"), "50 1");
  EXPECT_EQ(other.Next(), 51);
  EXPECT_EQ(session.Next(), 52);
  ASSERT_EQ(session.Ask({.kind = Kind::kSetIfNone, .definition = {}, .value = 1}), State::kDone);
  EXPECT_FALSE(session.answers[0].had);
  EXPECT_EQ(session.Next(), 53);
  ASSERT_EQ(session.Ask({.kind = Kind::kDrop, .definition = {}}), State::kDone);
  EXPECT_TRUE(session.answers[0].had);
  EXPECT_EQ(ValueOf("k"), "- 2");
  ASSERT_EQ(other.Ask({.kind = Kind::kPeek, .definition = {}}), State::kDone);
  EXPECT_FALSE(other.answers[0].had);
  EXPECT_EQ(other.Next(), 1);
  EXPECT_TRUE(ValueOf("k").ends_with("v 2")) << ValueOf("k");
}

TEST_F(EtcdSequenceStoreTest, ASetMakesALaterGenerationThanItIsTold) {
  session.Next();
  ASSERT_EQ(session.Ask({.kind = Kind::kSet, .definition = {}, .value = 50, .mark = {.generation = 1700}}),
            State::kDone);
  EXPECT_EQ(session.answers[0].generation, 1701);
  EXPECT_EQ(ValueOf("k"), "50 1701");
  ASSERT_EQ(other.Ask({.kind = Kind::kDrop, .definition = {}, .mark = {.generation = 900}}), State::kDone);
  EXPECT_EQ(ValueOf("k"), "- 1702");
}

TEST_F(EtcdSequenceStoreTest, TheWriterIsTheClusterThatSentTheLatestReply) {
  const Operation writer = {.kind = Kind::kWriter, .definition = {}};
  ASSERT_EQ(session.Ask(writer), State::kDone);
  EXPECT_EQ(session.answers[0].writer, etcd.cluster_id);
  EXPECT_EQ(session.link.exchanges, 1u);
  const uint64_t connection = session.store.connection();
  ASSERT_EQ(session.Ask(writer), State::kDone);
  EXPECT_EQ(session.answers[0].writer, etcd.cluster_id);
  EXPECT_EQ(session.link.exchanges, 0u) << "every reply names it";
  EXPECT_EQ(session.store.connection(), connection);
  etcd.cluster_id = 77;
  session.Next();
  ASSERT_EQ(session.Ask(writer), State::kDone);
  EXPECT_EQ(session.answers[0].writer, 77u);
}

TEST_F(EtcdSequenceStoreTest, OtherProgramsMaySetOrDeleteAKey) {
  session.Next();
  Put("k", "100");
  EXPECT_EQ(session.Next(), 101);
  Delete("k");
  EXPECT_EQ(session.Next(), 1);
  Put("k", "rubbish");
  ASSERT_EQ(session.Ask({}), State::kDone);
  EXPECT_EQ(session.answers[0].outcome, Outcome::kNotAValue);
  ASSERT_EQ(session.Ask({.kind = Kind::kPeek, .definition = {}}), State::kDone);
  EXPECT_EQ(session.answers[0].outcome, Outcome::kNotAValue);
  ASSERT_EQ(session.Ask({.kind = Kind::kSet, .definition = {}, .value = 7}), State::kDone);
  EXPECT_EQ(session.Next(), 8);
}

TEST_F(EtcdSequenceStoreTest, ASegmentIsTakenBackOnlyIfItsPutIsTheLatest) {
  const Definition cached = {.cache = 100};
  const auto take_back = [&](const Answer& given, int64_t count) {
    EXPECT_EQ(session.Ask({.kind = Kind::kReturn,
                           .definition = cached,
                           .count = count,
                           .value = given.grant.Value(given.grant.count - 1),
                           .number = given.number,
                           .mark = {.generation = given.generation}}),
              State::kDone);
    EXPECT_EQ(session.answers[0].outcome, Outcome::kOk);
    return session.answers[0].had;
  };
  const auto segment = [&](Session& by, int64_t first) {
    EXPECT_EQ(by.Ask({.kind = Kind::kSegment, .definition = cached, .count = 10}), State::kDone);
    EXPECT_EQ(by.answers[0].grant.Value(0), first);
    return by.answers[0];
  };
  const Answer first = segment(session, 1);
  EXPECT_EQ(first.number_before, 0);
  const Answer second = segment(session, 11);
  EXPECT_EQ(second.number_before, first.number);
  EXPECT_FALSE(take_back(first, 5));
  EXPECT_TRUE(take_back(second, 5));
  EXPECT_FALSE(take_back(second, 5));
  const Answer third = segment(other, 16);
  EXPECT_NE(third.number_before, second.number);
  // The key is deleted and reaches the same value again: the segment is another one.
  Delete("k");
  const Answer again = segment(other, 1);
  const Answer last = segment(other, 11);
  EXPECT_EQ(last.grant.Value(9), second.grant.Value(9));
  EXPECT_FALSE(take_back(second, 5));
  EXPECT_NE(again.number, first.number);
}

constexpr Definition kCached = {.cache = 100};
constexpr Operation kTen = {.kind = Kind::kSegment, .definition = kCached, .count = 10};

// A cluster that is restored from a snapshot counts its revisions again from there.
TEST_F(EtcdSequenceStoreTest, ARevisionThatRecursAfterARestoreIsNotTakenForTheSamePut) {
  ASSERT_EQ(session.Ask(kTen), State::kDone);
  const sim::EtcdModel snapshot = etcd;
  ASSERT_EQ(session.Ask(kTen), State::kDone);
  const int64_t revision = etcd.revision();
  etcd = snapshot;
  ASSERT_EQ(other.Ask({.kind = Kind::kSet, .definition = kCached, .value = 500}), State::kDone);
  ASSERT_EQ(etcd.revision(), revision);
  ASSERT_EQ(session.Ask(kTen), State::kDone);
  EXPECT_EQ(session.answers[0].grant.Value(0), 501);
  EXPECT_EQ(session.answers[0].generation, 1);
}

TEST_F(EtcdSequenceStoreTest, ARevisionAndATextThatRecurAfterARestoreAreNotTakenForTheSameVersion) {
  EXPECT_EQ(session.Next(), 1);
  const sim::EtcdModel snapshot = etcd;
  Put("another", "1");
  EXPECT_EQ(session.Next(), 2);
  const int64_t revision = etcd.revision();
  etcd = snapshot;
  EXPECT_EQ(other.Next(), 2);
  EXPECT_EQ(other.Next(), 3);
  ASSERT_EQ(etcd.revision(), revision);
  ASSERT_EQ(session.Ask(kTen), State::kDone);
  EXPECT_EQ(session.answers[0].grant.Value(0), 4);
}

TEST_F(EtcdSequenceStoreTest, ASegmentIsNotTakenBackFromAnotherPutOfItsRevision) {
  ASSERT_EQ(session.Ask(kTen), State::kDone);
  const sim::EtcdModel snapshot = etcd;
  for (Session* by : {&session, &other}) {
    etcd = snapshot;
    ASSERT_EQ(session.Ask(kTen), State::kDone);
    const Answer given = session.answers[0];
    etcd = snapshot;
    Operation more = kTen;
    more.count = 30;
    ASSERT_EQ(other.Ask(more), State::kDone);
    ASSERT_EQ(other.answers[0].number, given.number);
    ASSERT_EQ(by->Ask({.kind = Kind::kReturn,
                       .definition = kCached,
                       .count = 5,
                       .value = given.grant.Value(9),
                       .number = given.number,
                       .mark = {.generation = given.generation}}),
              State::kDone);
    EXPECT_FALSE(by->answers[0].had);
    EXPECT_EQ(other.Next(), 41);
  }
}

TEST_F(EtcdSequenceStoreTest, ASegmentIsTakenBackInOneRoundTripByWhoeverFetchedIt) {
  ASSERT_EQ(session.Ask(kTen), State::kDone);
  const Answer given = session.answers[0];
  const Operation back = {.kind = Kind::kReturn,
                          .definition = kCached,
                          .count = 5,
                          .value = 10,
                          .number = given.number,
                          .mark = {.generation = given.generation}};
  const sim::EtcdModel before = etcd;
  ASSERT_EQ(session.Ask(back), State::kDone);
  EXPECT_TRUE(session.answers[0].had);
  EXPECT_EQ(session.link.exchanges, 1u);
  etcd = before;
  ASSERT_EQ(other.Ask(back), State::kDone);
  EXPECT_TRUE(other.answers[0].had);
  EXPECT_EQ(other.link.exchanges, 2u) << "another process reads the key first";
  EXPECT_EQ(other.Next(), 6);
}

TEST_F(EtcdSequenceStoreTest, ALostReplySkipsValuesAndGivesNoneTwice) {
  std::set<int64_t> given;
  sim::Random random(1);
  int unsure = 0;
  for (int i = 0; i < 500; ++i) {
    Session& by = i % 3 ? session : other;
    const int64_t count = random.Chance(0.5) ? 1 : random.Between(1, 20);
    const Operation operation = {
        .kind = random.Chance(0.7) ? Kind::kNext : Kind::kSegment, .definition = {.cache = 100}, .count = count};
    constexpr Fault kFaults[] = {Fault::kReplyLost, Fault::kRequestLost, Fault::kTwice, Fault::kLate, Fault::kRefused};
    if (random.Chance(0.4)) by.link.Inject({kFaults[random.Below(5)]});
    if (random.Chance(0.1)) by.link.DeliverLate();
    if (by.Ask(operation) != State::kDone) {
      unsure += by.store.is_unsure();
      continue;
    }
    for (int64_t k = 0; k < count; ++k) ASSERT_TRUE(given.insert(by.answers[0].grant.Value(k)).second);
  }
  EXPECT_GT(given.size(), 1000u);
  EXPECT_LT(given.size(), static_cast<size_t>(*given.rbegin())) << "some were skipped";
  EXPECT_EQ(unsure, 0) << "what gives values is repeated";
}

TEST_F(EtcdSequenceStoreTest, ASetIsNotRepeated) {
  session.Next();
  session.link.Inject({Fault::kReset});
  EXPECT_EQ(session.Ask({.kind = Kind::kSet, .definition = {}, .value = 50}), State::kFailed);
  EXPECT_TRUE(session.store.is_unsure());
  EXPECT_EQ(other.Next(), 51);
  session.link.Inject({Fault::kRefused});
  EXPECT_EQ(session.Ask({.kind = Kind::kSet, .definition = {}, .value = 50}), State::kFailed);
  EXPECT_FALSE(session.store.is_unsure());
  EXPECT_EQ(other.Next(), 52);
}

TEST_F(EtcdSequenceStoreTest, GivesUpWhenOthersKeepChangingTheKey) {
  session.link.before_call = [this](std::string_view, std::string_view) {
    now_us += 100 * core::kUsPerMs;
    EXPECT_EQ(other.Ask({.kind = Kind::kSegment, .definition = {.cache = 100}, .count = 10}), State::kDone);
  };
  EXPECT_EQ(session.Ask({.kind = Kind::kSegment, .definition = {.cache = 100}, .count = 10}), State::kFailed);
  EXPECT_STREQ(session.store.problem(), "other sessions changed the key during every attempt");
  EXPECT_FALSE(session.store.is_unsure());
  EXPECT_GT(session.link.exchanges, 10u);
}

TEST_F(EtcdSequenceStoreTest, AKeyWithATtlExpiresFromItsFirstUse) {
  const Definition brief = {.ttl_ms = 9500};
  EXPECT_EQ(session.Next(brief), 1);
  EXPECT_EQ(session.link.exchanges, 3u) << "read, grant, put";
  now_us += 6 * core::kUsPerSecond;
  EXPECT_EQ(session.Next(brief), 2);
  EXPECT_EQ(session.link.exchanges, 1u);
  EXPECT_EQ(other.Next(brief, 5), 7);
  ASSERT_EQ(session.Ask({.kind = Kind::kSet, .definition = brief, .value = 20}), State::kDone);
  now_us += 6 * core::kUsPerSecond;
  EXPECT_EQ(ValueOf("k"), "20 1");
  EXPECT_EQ(session.Next(brief), 1) << "10 s have passed since the first use";
}

TEST_F(EtcdSequenceStoreTest, ASlidingTtlRestartsWithEveryUse) {
  const Definition sliding = {.ttl_ms = 10000, .sliding = true};
  for (int i = 1; i <= 5; ++i) {
    EXPECT_EQ((i % 2 ? session : other).Next(sliding), i);
    now_us += 6 * core::kUsPerSecond;
  }
  now_us += 6 * core::kUsPerSecond;
  EXPECT_EQ(session.Next(sliding), 1);
  ASSERT_EQ(session.Ask({.definition = sliding}, Keys(50)), State::kDone);
  for (const Answer& answer : session.answers) EXPECT_EQ(answer.outcome, Outcome::kOk);
}

TEST_F(EtcdSequenceStoreTest, AKeyWithASlidingTtlDoesNotLiveLongerBecauseAnotherOneIsUsed) {
  const Definition sliding = {.ttl_ms = 10000, .sliding = true};
  const std::vector<std::string> both = {"a", "b"};
  ASSERT_EQ(session.Ask({.definition = sliding}, both), State::kDone);
  EXPECT_EQ(etcd.leases().size(), 1u);
  for (int i = 2; i <= 4; ++i) {
    now_us += 6 * core::kUsPerSecond;
    ASSERT_EQ(session.Ask({.definition = sliding}, both), State::kDone);
    EXPECT_EQ(session.answers[1].grant.Value(0), i);
  }
  EXPECT_EQ(etcd.leases().size(), 1u) << "the same keys have the same lease";
  EXPECT_EQ(session.link.exchanges, 2u) << "put, keep alive";
  now_us += 6 * core::kUsPerSecond;
  EXPECT_EQ(session.Next(sliding, 1, "a"), 5);
  now_us += 6 * core::kUsPerSecond;
  EXPECT_EQ(session.Next(sliding, 1, "b"), 1) << "12 s have passed since its latest use";
  EXPECT_EQ(session.Next(sliding, 1, "a"), 6);
  // Back to a lease that is still there, and old.
  ASSERT_EQ(session.Ask({.definition = sliding}, both), State::kDone);
  now_us += 6 * core::kUsPerSecond;
  EXPECT_EQ(session.Next(sliding, 1, "a"), 8);
  now_us += 2 * core::kUsPerSecond;
  ASSERT_EQ(other.Ask({.definition = sliding}, both), State::kDone);
  now_us += 6 * core::kUsPerSecond;
  ASSERT_EQ(session.Ask({.definition = sliding}, both), State::kDone);
  EXPECT_EQ(session.answers[0].grant.Value(0), 10);
  EXPECT_EQ(session.answers[1].grant.Value(0), 4);
}

TEST_F(EtcdSequenceStoreTest, ALeaseForAKeyThatAnotherSessionCreatedMeanwhileIsRevoked) {
  const Definition brief = {.ttl_ms = 10000};
  session.link.before_call = [&](std::string_view path, std::string_view) {
    if (path == "/v3/kv/txn" && etcd.keys().empty()) {
      EXPECT_EQ(other.Next(brief), 1);
    }
  };
  EXPECT_EQ(session.Next(brief), 2);
  EXPECT_EQ(etcd.leases().size(), 1u);
  EXPECT_EQ(etcd.leases().begin()->first, etcd.keys().begin()->second.lease);
  // A put whose reply was lost has bound the key.
  session.link.before_call = nullptr;
  session.link.Inject({Fault::kNone, Fault::kNone, Fault::kTwice});
  EXPECT_EQ(session.Next(brief, 1, "lost"), 2) << "the first value is skipped";
  EXPECT_EQ(other.Next(brief, 1, "lost"), 3);
  EXPECT_EQ(etcd.leases().size(), 2u);
  const Definition sliding = {.ttl_ms = 10000, .sliding = true};
  session.link.before_call = [&](std::string_view path, std::string_view) {
    if (path == "/v3/kv/txn" && etcd.keys().size() < 3) {
      EXPECT_EQ(other.Next(sliding, 1, "s"), 1);
    }
  };
  EXPECT_EQ(session.Next(sliding, 1, "s"), 2);
  EXPECT_EQ(etcd.leases().size(), 3u);
}

// Several sessions with random operations, one at a time, against the simulator's model of the Redis script. Only a
// return may do less here: it is refused if anything has happened to the key since the segment.
TEST_F(EtcdSequenceStoreTest, RandomOperationsOfManySessionsAgreeWithTheModelOfTheRedisScript) {
  sim::sequences::Breaks breaks;
  breaks.generation_counts = true;
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    sim::Random random(seed);
    std::deque<Session> sessions;
    for (int i = 0; i < 3; ++i) sessions.emplace_back(etcd, now_us);
    std::map<std::string, sim::sequences::KeyState> models;
    Answer latest;
    int64_t latest_number_of_model = 0;
    std::string latest_key;
    bool is_latest = false;  // nothing has happened to its key since
    Definition definition;
    definition.step = random.Chance(0.5) ? 1 : random.LogBetween(1, 1000);
    definition.start = random.Between(0, 30);
    if (random.Chance(0.7))
      definition.max_value = std::max(definition.start, definition.step) + random.LogBetween(1, 20000);
    definition.cycle = random.Chance(0.3);
    if (!definition.cycle) definition.cache = 100;
    for (int step = 0; step < 150; ++step) {
      now_us += 1000;
      Operation operation = {.definition = definition};
      constexpr Kind kKinds[] = {Kind::kNext, Kind::kNext, Kind::kNext,  Kind::kSegment, Kind::kSet,
                                 Kind::kPeek, Kind::kDrop, Kind::kRaise, Kind::kReturn,  Kind::kSetIfNone};
      operation.kind = kKinds[random.Below(10)];
      if (definition.cycle && (operation.kind == Kind::kSegment || operation.kind == Kind::kReturn))
        operation.kind = Kind::kNext;
      operation.with_generation = random.Chance(0.5);
      std::vector<std::string> keys;
      const bool is_array = operation.kind == Kind::kNext && random.Chance(0.3);
      for (int i = 0; i < (is_array ? random.Between(1, 9) : 1); ++i)
        keys.push_back("s" + std::to_string(seed) + "k" + std::to_string(random.Below(4)));
      if (!is_array) operation.count = random.Chance(0.5) ? 1 : random.LogBetween(1, 3000);
      if (definition.cycle) operation.count = std::min(operation.count, CountOf(definition));
      const sim::sequences::KeyState model = models[keys[0]];
      operation.value = std::clamp<int64_t>(model.value + random.Between(-50, 50) * definition.step,
                                            std::max<int64_t>(definition.Before(), 0), definition.max_value);
      if (operation.kind == Kind::kRaise) {
        operation.mark = {.generation = std::max<int64_t>(model.generation + random.Between(-1, 1), 0),
                          .value = operation.value};
        if (random.Chance(0.5)) operation.value = model.value;
      }
      if (operation.kind == Kind::kReturn) {
        if (latest.number == 0) continue;
        keys = {latest_key};
        operation.count = random.Between(1, latest.grant.count);
        operation.value = latest.grant.Value(latest.grant.count - 1);
        operation.number = latest.number;
        operation.mark.generation = latest.generation;
        if (operation.value - operation.count * definition.step < 0) continue;
      }
      Session& by = sessions[random.Below(sessions.size())];
      ASSERT_EQ(by.Ask(operation, keys), State::kDone) << "seed " << seed << ", step " << step;
      for (size_t i = 0; i < keys.size(); ++i) {
        const Answer& answer = by.answers[i];
        Operation asked = operation;
        if (asked.kind == Kind::kReturn) asked.number = latest_number_of_model;
        sim::sequences::KeyState& state = models[keys[i]];
        const sim::sequences::KeyState before = state;
        Answer expected = sim::sequences::Apply(state, asked, now_us, 0, breaks);
        if (asked.kind == Kind::kReturn && expected.had && !is_latest) {
          expected.had = false;
          state = before;
        }
        const std::string where = "seed " + std::to_string(seed) + ", step " + std::to_string(step);
        ASSERT_EQ(answer.outcome, expected.outcome) << where;
        ASSERT_EQ(answer.had, expected.had) << where;
        ASSERT_EQ(answer.last, expected.last) << where;
        ASSERT_EQ(answer.generation, expected.generation) << where;
        ASSERT_EQ(answer.grant.count, expected.grant.count) << where;
        for (int64_t k = 0; k < answer.grant.count; ++k)
          ASSERT_EQ(answer.grant.Value(k), expected.grant.Value(k)) << where;
        if (keys[i] == latest_key && asked.kind != Kind::kPeek && !(state == before)) is_latest = false;
        if (asked.kind == Kind::kSegment && answer.outcome == Outcome::kOk) {
          latest = answer;
          latest_key = keys[i];
          latest_number_of_model = expected.number;
          is_latest = true;
        }
      }
    }
  }
}

// Eight sessions whose replies arrive in a random order, each with its next request as soon as it has the reply.
TEST_F(EtcdSequenceStoreTest, ContendersForOneKeyAreAllServed) {
  for (const int64_t count : {1, 10}) {
    sim::Random random(7);
    std::deque<Session> sessions;
    int won[8] = {};
    std::set<int64_t> given;
    uint64_t lost = 0;
    const Operation operation = {.definition = {}, .count = count};
    const std::vector<std::string> key = {"contended" + std::to_string(count)};
    for (int i = 0; i < 8; ++i) sessions.emplace_back(etcd, now_us).Begin(operation, key);
    while (given.size() < 8000u * static_cast<size_t>(count)) {
      const size_t i = random.Below(8);
      Session& by = sessions[i];
      if (by.store.Step(now_us) != State::kDone) continue;
      ++won[i];
      lost += by.link.exchanges - 1;
      for (int64_t k = 0; k < count; ++k) ASSERT_TRUE(given.insert(by.answers[0].grant.Value(k)).second);
      by.Begin(operation, key);
    }
    EXPECT_GT(*std::min_element(won, won + 8), 800) << "of 8000";
    EXPECT_LT(*std::max_element(won, won + 8), 1200) << "of 8000";
    if (count == 1)
      EXPECT_EQ(lost, 0u) << "single values are taken without losing";
    else
      EXPECT_GT(lost, 8000u);
  }
}

// A batch, a segment and a raise do not lose to those who take single values, however many these are.
TEST_F(EtcdSequenceStoreTest, SingleValuesDoNotGetInAnybodysWay) {
  EXPECT_EQ(session.Next(), 1);
  int64_t latest = 0;
  session.link.before_call = [&](std::string_view, std::string_view) {
    for (int i = 0; i < 50; ++i) {
      const int64_t value = other.Next();
      ASSERT_GT(value, latest);
      latest = value;
    }
  };
  const Operation raise = {.kind = Kind::kRaise,
                           .definition = {},
                           .value = kNoValue,
                           .with_generation = true,
                           .mark = {.generation = 0, .value = 100000}};
  const Operation batch = {.definition = {}, .count = 10};
  for (const Operation& operation : {batch, kTen, raise, batch, kTen}) {
    ASSERT_EQ(session.Ask(operation), State::kDone);
    ASSERT_EQ(session.answers[0].outcome, Outcome::kOk);
    EXPECT_EQ(session.link.exchanges, operation.kind == Kind::kRaise ? 2u : 1u);
    EXPECT_GT(session.answers[0].grant.Value(0), latest);
    latest = session.answers[0].grant.Value(operation.count - 1);
    if (operation.kind == Kind::kRaise) {
      EXPECT_TRUE(session.answers[0].had);
      EXPECT_GT(latest, 100000);
    }
    if (operation.kind == Kind::kSegment) {
      EXPECT_EQ(session.answers[0].number, etcd.revision());
      EXPECT_EQ(session.answers[0].number_before, 0) << "others were given values in between";
    }
  }
}

// The same until each of them was served 500 times. The first one is `slowness` times as slow as the others.
struct Contention {
  Contention(sim::EtcdModel& etcd, int64_t& now_us, const Operation& operation, uint64_t slowness) {
    sim::Random random(7);
    std::deque<Session> sessions;
    const std::vector<std::string> key = {"contended"};
    for (int i = 0; i < 8; ++i) sessions.emplace_back(etcd, now_us).Begin(operation, key);
    while (*std::min_element(served, served + 8) < 500 && is_fair) {
      const size_t i = random.Below(8);
      if (i == 0 && random.Below(slowness) != 0) continue;
      Session& by = sessions[i];
      is_fair = by.link.exchanges <= 100;
      if (by.store.Step(now_us) != State::kDone) continue;
      ++served[i];
      most_attempts[i] = std::max(most_attempts[i], by.link.exchanges);
      for (int64_t k = 0; k < operation.count; ++k)
        EXPECT_TRUE(given.insert(by.answers[0].grant.Value(k)).second) << "given twice";
      by.Begin(operation, key);
    }
  }

  int served[8] = {};
  uint64_t most_attempts[8] = {};
  std::set<int64_t> given;
  bool is_fair = true;  // nobody needed more than 100 attempts
};

TEST_F(EtcdSequenceStoreTest, WhoeverTakesSingleValuesOfAContendedKeyGetsOneWithEachRequest) {
  const Contention contention(etcd, now_us, {.definition = {}}, 20);
  EXPECT_TRUE(contention.is_fair);
  for (const uint64_t attempts : contention.most_attempts) EXPECT_EQ(attempts, 1u);
  EXPECT_EQ(contention.served[0], 500);
}

TEST_F(EtcdSequenceStoreTest, WhoeverTakesBatchesOrSegmentsOfAContendedKeyIsServedAsOftenAsOthers) {
  const Operation batch = {.definition = {}, .count = 10};
  for (const Operation& operation : {batch, kTen}) {
    const Contention contention(etcd, now_us, operation, 1);
    EXPECT_TRUE(contention.is_fair);
    EXPECT_EQ(*std::min_element(contention.served, contention.served + 8), 500);
    EXPECT_LT(*std::max_element(contention.served, contention.served + 8), 700);
    Delete("contended");
  }
}

// The limit of that: whoever is so far from etcd that others always are quicker should take single values.
TEST_F(EtcdSequenceStoreTest, ASlowSessionMayLoseABatchOfAContendedKeyToQuickOnes) {
  EXPECT_FALSE(Contention(etcd, now_us, {.definition = {}, .count = 10}, 20).is_fair);
}

}  // namespace
}  // namespace idgen::sequencer
