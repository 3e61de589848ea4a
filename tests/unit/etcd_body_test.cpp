// Bodies of calls to etcd, as text.
#include "wire/etcd_body.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>

namespace idgen::wire {
namespace {

using Relation = EtcdBody::Relation;
using Revision = EtcdBody::Revision;

class EtcdBodies : public testing::Test {
 protected:
  ~EtcdBodies() override { body_.Free(); }
  std::string Text() {
    EXPECT_EQ(body_.problem(), nullptr);
    const std::string text(body_.text());
    body_.Clear();
    return text;
  }
  EtcdBody body_;
};

TEST_F(EtcdBodies, KeysAndValuesAreBase64) {
  const char* const expected[] = {"", "AA==", "AP8=", "AP8Q", "AP8QgA=="};
  const std::string bytes("\x00\xff\x10\x80", 4);
  for (size_t size = 0; size <= bytes.size(); ++size) {
    body_.Put("k", bytes.substr(0, size));
    EXPECT_EQ(Text(), std::string("{\"key\":\"aw==\",\"value\":\"") + expected[size] + "\"}");
  }
}

TEST_F(EtcdBodies, ATouchKeepsValueAndLeaseAndAsksForTheRecord) {
  body_.Touch("k");
  EXPECT_EQ(Text(), R"({"key":"aw==","ignoreValue":true,"ignoreLease":true,"prevKv":true})");
}

TEST_F(EtcdBodies, NumbersAreStrings) {
  body_.LeaseGrant(INT64_MAX, 30);
  EXPECT_EQ(Text(), R"({"ID":"9223372036854775807","TTL":"30"})");
  body_.Lease(7);
  EXPECT_EQ(Text(), R"({"ID":"7"})");
  body_.Put("k", "", 7);
  EXPECT_EQ(Text(), R"({"key":"aw==","value":"","lease":"7"})");
  body_.Range("k", "l", 5, true);
  EXPECT_EQ(Text(), R"({"key":"aw==","rangeEnd":"bA==","limit":"5","keysOnly":true})");
  body_.Delete("k", "l");
  EXPECT_EQ(Text(), R"({"key":"aw==","rangeEnd":"bA=="})");
  body_.Empty();
  EXPECT_EQ(Text(), "{}");
}

TEST_F(EtcdBodies, ATransactionHasComparisonsAndTwoBranches) {
  body_.BeginTxn();
  body_.CompareRevision("k", Revision::kMod, Relation::kEqual, 5);
  body_.CompareValue("c", Relation::kLess, "9");
  body_.Then();
  body_.Put("k", "1");
  body_.Range("c");
  body_.Else();
  body_.Range("k");
  body_.EndTxn();
  EXPECT_EQ(Text(), R"({"compare":[{"key":"aw==","target":"MOD","result":"EQUAL","modRevision":"5"},)"
                    R"({"key":"Yw==","target":"VALUE","result":"LESS","value":"OQ=="}],)"
                    R"("success":[{"requestPut":{"key":"aw==","value":"MQ=="}},{"requestRange":{"key":"Yw=="}}],)"
                    R"("failure":[{"requestRange":{"key":"aw=="}}]})");
}

TEST_F(EtcdBodies, EveryRevisionAndRelationHasItsName) {
  body_.BeginTxn();
  body_.CompareRevision("", Revision::kCreate, Relation::kGreater, 0);
  body_.CompareRevision("", Revision::kVersion, Relation::kNotEqual, -1);
  body_.CompareRevision("", Revision::kLease, Relation::kLess, 1);
  body_.EndTxn();
  EXPECT_EQ(Text(), R"({"compare":[{"key":"","target":"CREATE","result":"GREATER","createRevision":"0"},)"
                    R"({"key":"","target":"VERSION","result":"NOT_EQUAL","version":"-1"},)"
                    R"({"key":"","target":"LEASE","result":"LESS","lease":"1"}]})");
}

TEST_F(EtcdBodies, PartsWithoutItemsAreLeftOut) {
  body_.BeginTxn();
  body_.EndTxn();
  EXPECT_EQ(Text(), "{}");
  body_.BeginTxn();
  body_.Then();
  body_.Else();
  body_.Delete("k");
  body_.EndTxn();
  EXPECT_EQ(Text(), R"({"failure":[{"requestDeleteRange":{"key":"aw=="}}]})");
  body_.BeginTxn();
  body_.CompareValue("k", Relation::kEqual, "");
  body_.Then();
  body_.Else();
  body_.EndTxn();
  EXPECT_EQ(Text(), R"({"compare":[{"key":"aw==","target":"VALUE","result":"EQUAL","value":""}]})");
}

TEST_F(EtcdBodies, TransactionsNest) {
  body_.BeginTxn();
  body_.Then();
  body_.BeginTxn();
  body_.Else();
  body_.Range("k");
  body_.EndTxn();
  body_.Put("k", "");
  body_.EndTxn();
  EXPECT_EQ(Text(), R"({"success":[{"requestTxn":{"failure":[{"requestRange":{"key":"aw=="}}]}},)"
                    R"({"requestPut":{"key":"aw==","value":""}}]})");
}

TEST_F(EtcdBodies, TooDeepATransactionIsAProblem) {
  for (int i = 0; i <= EtcdBody::kMaxTxnDepth; ++i) {
    EXPECT_EQ(body_.problem(), nullptr);
    body_.BeginTxn();
    body_.Then();
  }
  EXPECT_STREQ(body_.problem(), "too many transactions within each other");
  body_.EndTxn();
  body_.Clear();
  EXPECT_EQ(body_.problem(), nullptr);
}

TEST_F(EtcdBodies, APasswordIsEscaped) {
  body_.Authenticate("app", "a\"b\\c\n\x7f");
  EXPECT_EQ(Text(), "{\"name\":\"app\",\"password\":\"a\\u0022b\\u005cc\\u000a\x7f\"}");
}

TEST_F(EtcdBodies, ALongBodyGrows) {
  const std::string value(100000, 'x');
  body_.Put("k", value);
  EXPECT_EQ(Text().size(), strlen(R"({"key":"aw==","value":""})") + (value.size() + 2) / 3 * 4);
}

TEST(EndOfPrefix, IsTheFirstKeyAfterThoseWithThePrefix) {
  char end[8];
  EXPECT_EQ(EndOfPrefix("a/", end), "a0");
  EXPECT_EQ(EndOfPrefix("a\xff\xff", end), "b");
  EXPECT_EQ(EndOfPrefix("\xff", end), "");
  EXPECT_EQ(EndOfPrefix("", end), "");
}

}  // namespace
}  // namespace idgen::wire
