// The link to the model of etcd that other unit tests use: that it answers, and that what a test lets go wrong goes
// wrong.
#include "etcd/link.h"

#include <string>

#include <gtest/gtest.h>

namespace idgen::sim {
namespace {

using State = io::EtcdLink::State;
using Fault = ModelEtcdLink::Fault;

struct ModelEtcdLinkTest : testing::Test {
  EtcdModel etcd;
  ModelEtcdLink link{etcd};

  // A put of `key`, begun at 0.
  State Put(const char* key, bool is_repeatable) {
    link.NewExchange();
    link.AddCall(io::kEtcdPut, is_repeatable).Put(key, "1");
    link.Begin(0, 1000);
    return link.Step(0);
  }
};

TEST_F(ModelEtcdLinkTest, AnswersAtOnce) {
  link.Configure({.url = "etcd://a:1,b:2/some/where/"});
  EXPECT_EQ(link.key_prefix(), "/some/where");
  ASSERT_EQ(Put("a", false), State::kDone);
  link.NewExchange();
  link.AddCall(io::kEtcdRange, true).Range("a");
  link.AddCall(io::kEtcdLeaseRevoke, true).Lease(5);
  link.Begin(1000000, 0);
  ASSERT_EQ(link.Step(1000000), State::kDone);
  wire::EtcdKv kv;
  ASSERT_TRUE(link.reply(0).kv(0, &kv));
  EXPECT_EQ(kv.value, "1");
  EXPECT_EQ(kv.mod_revision, 2);
  EXPECT_EQ(link.reply(1).error_code(), wire::kEtcdNotFound);
  EXPECT_EQ(link.store_now_ms(), 1795000001000);
  EXPECT_EQ(link.exchanges, 2u);
}

TEST_F(ModelEtcdLinkTest, ALostRequestIsNotCarriedOutAndALostReplyIs) {
  link.Inject({Fault::kRequestLost});
  EXPECT_EQ(Put("a", false), State::kBusy);
  EXPECT_EQ(link.wants(0).wake_boot_us, 1000);
  EXPECT_EQ(link.Step(1000), State::kFailed);
  EXPECT_TRUE(link.may_have_run());
  EXPECT_EQ(etcd.keys().count("a"), 0u);
  link.Inject({Fault::kReplyLost});
  EXPECT_EQ(Put("a", false), State::kBusy);
  EXPECT_EQ(etcd.keys().count("a"), 1u);
  link.Inject({Fault::kRefused});
  EXPECT_EQ(Put("b", false), State::kFailed);
  EXPECT_FALSE(link.may_have_run());
}

TEST_F(ModelEtcdLinkTest, ARepeatableCallIsSentAgain) {
  link.Inject({Fault::kReplyLost});
  EXPECT_EQ(Put("a", true), State::kDone);
  EXPECT_EQ(etcd.keys().at("a").version, 2);
}

TEST_F(ModelEtcdLinkTest, ALateCallIsCarriedOutLater) {
  link.Inject({Fault::kLate, Fault::kTwice});
  EXPECT_EQ(Put("a", false), State::kBusy);
  EXPECT_EQ(Put("b", false), State::kDone);
  EXPECT_EQ(etcd.keys().at("b").version, 2);
  EXPECT_EQ(etcd.keys().count("a"), 0u);
  link.DeliverLate();
  EXPECT_EQ(etcd.keys().count("a"), 1u);
}

}  // namespace
}  // namespace idgen::sim
