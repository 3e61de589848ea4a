// Replies of etcd's gateway, with its traps: numbers are strings, what is zero or false is missing, bytes are base64.
#ifdef IDGEN_ETCD
#include "wire/etcd_reply.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

#include <jansson.h>

namespace idgen::wire {
namespace {

using Kind = EtcdOp::Kind;

const std::string kHeader =
    R"("header":{"cluster_id":"14841639068965178418","member_id":"10276657743932975437","revision":"12","raft_term":"3"})";

class EtcdReplies : public testing::Test {
 protected:
  ~EtcdReplies() override { reply_.Free(); }
  bool Parse(const std::string& body, int status = 200) {
    // Of exactly this size, so that reading past its end is noticed.
    const std::unique_ptr<char[]> exact(new char[body.size()]);
    memcpy(exact.get(), body.data(), body.size());
    return reply_.Parse(status, {exact.get(), body.size()});
  }
  bool ParseFields(const std::string& fields) { return Parse("{" + kHeader + "," + fields + "}"); }
  EtcdReply reply_;
};

TEST_F(EtcdReplies, NumbersAreStringsOf64Bits) {
  ASSERT_TRUE(Parse("{" + kHeader + "}"));
  EXPECT_EQ(reply_.cluster_id(), 14841639068965178418u);
  EXPECT_EQ(reply_.member_id(), 10276657743932975437u);
  EXPECT_EQ(reply_.revision(), 12);
  EXPECT_EQ(reply_.raft_term(), 3u);
  EXPECT_EQ(reply_.error_code(), kEtcdOk);
  ASSERT_TRUE(ParseFields(R"("ID":"9223372036854775807","TTL":"-1")"));
  EXPECT_EQ(reply_.lease_id(), INT64_MAX);
  EXPECT_EQ(reply_.ttl_s(), -1);
}

TEST_F(EtcdReplies, WhatIsMissingIsZeroFalseOrEmpty) {
  ASSERT_TRUE(Parse(R"({"header":{"cluster_id":"1"}})"));
  EXPECT_EQ(reply_.revision(), 0);
  EXPECT_FALSE(reply_.succeeded());
  EXPECT_FALSE(reply_.more());
  EXPECT_EQ(reply_.kv_count(), 0);
  EXPECT_EQ(reply_.op_count(), 0);
  EXPECT_EQ(reply_.op(0).kind(), Kind::kNone);
  EXPECT_EQ(reply_.ttl_s(), 0);
  EXPECT_TRUE(reply_.auth_token().empty());
  EtcdKv kv;
  EXPECT_FALSE(reply_.kv(0, &kv));
  EXPECT_FALSE(reply_.kv(-1, &kv));
}

TEST_F(EtcdReplies, ALostTransactionHasNoSucceeded) {
  ASSERT_TRUE(ParseFields(R"("responses":[{"response_range":{"header":{"revision":"12"}}}])"));
  EXPECT_FALSE(reply_.succeeded());
  ASSERT_EQ(reply_.op_count(), 1);
  EXPECT_EQ(reply_.op(0).kind(), Kind::kRange);
  EXPECT_EQ(reply_.op(0).kv_count(), 0);
  ASSERT_TRUE(ParseFields(R"("succeeded":true)"));
  EXPECT_TRUE(reply_.succeeded());
}

TEST_F(EtcdReplies, KeepAliveOfADeadLeaseHasNoTtl) {
  ASSERT_TRUE(Parse("{\"result\":{" + kHeader + R"(,"ID":"7","TTL":"30"}})"));
  EXPECT_EQ(reply_.ttl_s(), 30);
  EXPECT_EQ(reply_.lease_id(), 7);
  ASSERT_TRUE(Parse("{\"result\":{" + kHeader + R"(,"ID":"7"}})"));
  EXPECT_EQ(reply_.ttl_s(), 0);
  EXPECT_EQ(reply_.error_code(), kEtcdOk);
}

TEST_F(EtcdReplies, ErrorsHaveACodeAndAText) {
  ASSERT_TRUE(Parse(R"({"error":"etcdserver: requested lease not found","message":"m","code":5})", 404));
  EXPECT_EQ(reply_.error_code(), kEtcdNotFound);
  EXPECT_STREQ(reply_.error(), "m");
  ASSERT_TRUE(Parse(R"({"code":9,"message":"lease already exists","details":[]})", 412)) << "as of etcd 3.6";
  EXPECT_EQ(reply_.error_code(), kEtcdFailedPrecondition);
  ASSERT_TRUE(Parse(R"({"error":"no leader","code":14})", 503));
  EXPECT_STREQ(reply_.error(), "no leader");
  ASSERT_TRUE(Parse(R"({"error":{"grpc_code":16,"http_code":401,"message":"invalid auth token"}})")) << "of a stream";
  EXPECT_EQ(reply_.error_code(), kEtcdUnauthenticated);
  ASSERT_TRUE(Parse("{\"code\":5,\"message\":\"\\u001b[1m" + std::string(1000, 'x') + "\"}", 404));
  EXPECT_EQ(std::string(reply_.error()).substr(0, 9), "\\x1b[1mxx") << "is printable";
  EXPECT_EQ(reply_.revision(), 0);
}

TEST_F(EtcdReplies, AnErrorWithoutACodeIsNotOfEtcd) {
  for (const char* body : {R"({"error":"x"})", R"({"error":"x","code":0})", R"({"error":"x","code":17})",
                           R"({"error":"x","code":"5"})", R"({"code":5})", R"({"code":5,"message":7})", "{}", "[]"})
    EXPECT_FALSE(Parse(body, 500)) << body;
  EXPECT_FALSE(Parse("{" + kHeader + "}", 500));
}

TEST_F(EtcdReplies, KeysAndValuesAreDecoded) {
  ASSERT_TRUE(
      ParseFields(R"("kvs":[{"key":"AP8QgA==","value":"AP8=","create_revision":"2","mod_revision":"9007199254740993",)"
                  R"("version":"4","lease":"5"},{"key":"aw=="},{}],"more":true,"count":"9")"));
  ASSERT_EQ(reply_.kv_count(), 3);
  EXPECT_TRUE(reply_.more());
  EtcdKv kv;
  ASSERT_TRUE(reply_.kv(0, &kv));
  EXPECT_EQ(kv.key, std::string_view("\x00\xff\x10\x80", 4));
  EXPECT_EQ(kv.value, std::string_view("\x00\xff", 2));
  EXPECT_EQ(kv.create_revision, 2);
  EXPECT_EQ(kv.mod_revision, 9007199254740993) << "more than a double holds";
  EXPECT_EQ(kv.version, 4);
  EXPECT_EQ(kv.lease, 5);
  ASSERT_TRUE(reply_.kv(1, &kv));
  EXPECT_EQ(kv.key, "k");
  EXPECT_TRUE(kv.value.empty());
  EXPECT_EQ(kv.lease, 0);
  EXPECT_FALSE(reply_.kv(3, &kv));
}

TEST_F(EtcdReplies, APutHasTheRecordThatWasThereBefore) {
  ASSERT_TRUE(ParseFields(R"("prev_kv":{"key":"aw==","mod_revision":"2","version":"1","value":"MCsxdg=="})"));
  ASSERT_EQ(reply_.kv_count(), 1);
  EtcdKv kv;
  ASSERT_TRUE(reply_.kv(0, &kv));
  EXPECT_EQ(kv.value, "0+1v");
  EXPECT_EQ(kv.version, 1);
  EXPECT_FALSE(ParseFields(R"("prev_kv":[])"));
  EXPECT_FALSE(ParseFields(R"("prev_kv":{"value":"MCs"})"));
}

TEST_F(EtcdReplies, TransactionsNest) {
  ASSERT_TRUE(ParseFields(R"("succeeded":true,"responses":[{"response_put":{}},{"response_txn":{"responses":[)"
                          R"({"response_range":{"kvs":[{"key":"aw=="}]}},{"response_delete_range":{"deleted":"1"}}]}},)"
                          R"({"response_txn":{"succeeded":true}}])"));
  ASSERT_EQ(reply_.op_count(), 3);
  EXPECT_EQ(reply_.op(0).kind(), Kind::kPut);
  const EtcdOp inner = reply_.op(1);
  EXPECT_EQ(inner.kind(), Kind::kTxn);
  EXPECT_FALSE(inner.succeeded());
  ASSERT_EQ(inner.op_count(), 2);
  EtcdKv kv;
  ASSERT_TRUE(inner.op(0).kv(0, &kv));
  EXPECT_EQ(kv.key, "k");
  EXPECT_EQ(inner.op(1).kind(), Kind::kDelete);
  EXPECT_TRUE(reply_.op(2).succeeded());
  EXPECT_EQ(reply_.op(3).kind(), Kind::kNone);
  EXPECT_EQ(reply_.op(-1).kind(), Kind::kNone);
}

TEST_F(EtcdReplies, AFieldOfTheWrongTypeIsNotOfEtcd) {
  for (const char* fields : {R"("ID":7)",
                             R"("ID":"")",
                             R"("ID":"x")",
                             R"("ID":"9223372036854775808")",
                             R"("ID":"18446744073709551617")",
                             R"("TTL":"1.5")",
                             R"("TTL":" 1")",
                             R"("TTL":"--1")",
                             R"("succeeded":"true")",
                             R"("succeeded":1)",
                             R"("responses":{})",
                             R"("responses":[{}])",
                             R"("responses":[7])",
                             R"("responses":[{"response_range":7}])",
                             R"("responses":[{"response_put":[]}])",
                             R"("responses":[{"response_txn":"x"}])",
                             R"("kvs":"x")",
                             R"("kvs":[7])",
                             R"("kvs":[{"key":7}])",
                             R"("kvs":[{"mod_revision":7}])",
                             R"("more":0)",
                             R"("token":7)",
                             R"("header":{})"})
    EXPECT_FALSE(ParseFields(fields)) << fields;
  for (const char* body : {R"({"header":{}})", R"({"header":{"cluster_id":"0"}})", R"({"header":{"cluster_id":1}})",
                           R"({"header":{"cluster_id":"18446744073709551616"}})", R"({"header":7})", R"({"result":7})",
                           R"({"result":{}})", "{}", "[]", "7", "null", "\"\"", ""})
    EXPECT_FALSE(Parse(body)) << body;
}

TEST_F(EtcdReplies, Base64ThatIsCutOffIsNotOfEtcd) {
  for (const char* key : {"a", "aw", "aw=", "aw===", "=", "==", "====", "a===", "aw==aw==", "a-w=", "a_w=", "aw=a",
                          "a w=", "aw==\\n", "\\u0000aw="})
    EXPECT_FALSE(ParseFields(std::string(R"("kvs":[{"key":")") + key + "\"}]")) << key;
  EXPECT_TRUE(ParseFields(R"("kvs":[{"key":""}])"));
}

TEST_F(EtcdReplies, EveryReplyThatIsCutOffIsNotOfEtcd) {
  const std::string whole =
      "{" + kHeader + R"(,"succeeded":true,"responses":[{"response_range":{"kvs":[{"key":"aw==","value":"dg=="}]}}]})";
  for (size_t size = 0; size < whole.size(); ++size) EXPECT_FALSE(Parse(whole.substr(0, size))) << size;
  EXPECT_TRUE(Parse(whole));
  EXPECT_TRUE(Parse(whole + "\n"));
  EXPECT_FALSE(Parse(whole + whole)) << "a second reply";
}

TEST_F(EtcdReplies, DeepNestingIsNotOfEtcd) {
  const auto nested = [](int depth) {
    const auto count = static_cast<size_t>(depth);
    return "\"ignored\":" + std::string(count, '[') + std::string(count, ']');
  };
  EXPECT_TRUE(ParseFields(nested(EtcdReply::kMaxJsonDepth - 1)));
  EXPECT_FALSE(ParseFields(nested(EtcdReply::kMaxJsonDepth)));
  EXPECT_FALSE(ParseFields(nested(100000)));
  // The deepest transaction that a body can have.
  std::string text = "\"succeeded\":true";
  for (int i = 0; i < 64; ++i) text = "\"responses\":[{\"response_txn\":{" + text + "}}]";
  ASSERT_TRUE(ParseFields(text));
  EtcdOp op = reply_.op(0);
  for (int i = 1; i < 64; ++i) op = op.op(0);
  EXPECT_TRUE(op.succeeded());
  EXPECT_TRUE(ParseFields("\"ignored\":\"" + std::string(1000, '[') + "\\\"[\"")) << "within a string is no nesting";
}

// What jansson holds, and the most that it held.
size_t json_bytes = 0, json_peak_bytes = 0;

constexpr size_t kSizeBytes = alignof(max_align_t);

void* CountedMalloc(size_t size) {
  auto* memory = static_cast<char*>(malloc(kSizeBytes + size));
  memcpy(memory, &size, sizeof size);
  // The C library adds 8 bytes to each block, and has none below 32.
  json_bytes += std::max(size + 8, size_t{32});
  json_peak_bytes = std::max(json_peak_bytes, json_bytes);
  return memory + kSizeBytes;
}

void CountedFree(void* memory) {
  if (memory == nullptr) return;
  char* whole = static_cast<char*>(memory) - kSizeBytes;
  size_t size;
  memcpy(&size, whole, sizeof size);
  json_bytes -= std::max(size + 8, size_t{32});
  free(whole);
}

TEST_F(EtcdReplies, NoReplyCostsMuchMemory) {
  constexpr size_t kBodyBytes = 4 * 1024 * 1024;  // the largest that the link takes
  const auto repeated = [](const std::string& item, size_t most = SIZE_MAX) {
    std::string items;
    for (size_t i = 0; i < most && items.size() + item.size() + 200 < kBodyBytes; ++i)
      items += (items.empty() ? "" : ",") + item;
    return items;
  };
  const auto named = [](const std::string& value, size_t most = SIZE_MAX) {
    std::string items;
    for (size_t i = 0; i < most && items.size() + value.size() + 200 < kBodyBytes; ++i)
      items += ",\"" + std::to_string(i) + "\":" + value;
    return items;
  };
  // Just below the limits, too.
  constexpr size_t kContainers = EtcdReply::kMaxJsonContainers - 10, kValues = EtcdReply::kMaxJsonValues - 10;
  const std::string bodies[] = {
      "[" + repeated("{}") + "]",
      "{" + kHeader + R"(,"kvs":[)" + repeated("{}") + "]}",
      "{" + kHeader + R"(,"kvs":[)" + repeated(R"({"key":""})") + "]}",
      "{" + kHeader + R"(,"responses":[)" + repeated("[]") + "]}",
      "{" + kHeader + R"(,"responses":[)" + repeated("0") + "]}",
      "{" + kHeader + R"(,"responses":[)" + repeated(R"("")") + "]}",
      "{" + kHeader + named("{}") + "}",
      "{" + kHeader + R"(,"kvs":[)" + repeated(R"({"key":""})", kContainers) + "]}",
      "{" + kHeader + named(R"({"key":""})", kContainers) + "}",
      "{" + kHeader + named(R"("")", kValues) + "}",
  };
  json_set_alloc_funcs(CountedMalloc, CountedFree);
  for (const std::string& body : bodies) {
    json_bytes = json_peak_bytes = 0;
    Parse(body);
    EXPECT_EQ(json_bytes, 0u);
    EXPECT_LT(json_peak_bytes, size_t{64} * 1024 * 1024) << body.substr(0, 200);
  }
  json_set_alloc_funcs(malloc, free);
}

TEST_F(EtcdReplies, TheLargestListsAndTransactionsAreReplies) {
  // 9,000 worker ids with a record each for the holder and the ceiling.
  const auto record = [](size_t key_bytes, size_t value_bytes) {
    return R"({"key":")" + std::string(key_bytes, 'A') +
           R"(","create_revision":"1234567","mod_revision":"1234567","version":"12","value":")" +
           std::string(value_bytes, 'A') + R"(","lease":"7587862094657219345"})";
  };
  std::string list;
  for (int i = 0; i < 18'000; ++i) list += (list.empty() ? "" : ",") + record(48, i % 2 == 0 ? 64 : 24);
  ASSERT_TRUE(ParseFields(R"("kvs":[)" + list + "]"));
  EXPECT_EQ(reply_.kv_count(), 18'000);
  // 4,000 keys of sequences, each of which another session has changed.
  std::string lost;
  for (int i = 0; i < 4'000; ++i)
    lost +=
        std::string(lost.empty() ? "" : ",") +
        R"({"response_txn":{"header":{"revision":"1"},"responses":[{"response_range":{"header":{"revision":"1"},"kvs":[)" +
        record(24, 12) + R"(],"count":"1"}}]}})";
  ASSERT_TRUE(ParseFields(R"("succeeded":true,"responses":[)" + lost + "]"));
  EXPECT_EQ(reply_.op(3'999).op(0).kv_count(), 1);
}

TEST_F(EtcdReplies, TwoFieldsOfOneNameAreNotOfEtcd) {
  EXPECT_FALSE(ParseFields(R"("succeeded":true,"succeeded":false)"));
}

TEST_F(EtcdReplies, ATokenIsATextAsItIs) {
  ASSERT_TRUE(ParseFields(R"("token":"kFcTqpOUIQfLYGLT.11")"));
  EXPECT_EQ(reply_.auth_token(), "kFcTqpOUIQfLYGLT.11");
}

TEST_F(EtcdReplies, AReplyThatIsNotOfEtcdHasNothing) {
  ASSERT_TRUE(ParseFields(R"("ID":"7","kvs":[{"key":"aw=="}])"));
  EXPECT_FALSE(Parse("<html>", 502));
  EXPECT_EQ(reply_.revision(), 0);
  EXPECT_EQ(reply_.lease_id(), 0);
  EXPECT_EQ(reply_.kv_count(), 0);
}

}  // namespace
}  // namespace idgen::wire
#endif
