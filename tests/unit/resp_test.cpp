// Commands as bytes, and replies from whatever pieces of bytes arrive.
#include "wire/resp.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace idgen::wire {
namespace {

struct FreeReply {
  void operator()(redisReply* reply) const { freeReplyObject(reply); }
};
using Reply = std::unique_ptr<redisReply, FreeReply>;

// Frees what production code frees by hand.
struct OwnCommands : Commands {
  ~OwnCommands() { Free(); }
  std::string all() const { return std::string(bytes(), size()); }
};

struct OwnReplies : Replies {
  ~OwnReplies() { Free(); }
  bool FeedText(const std::string& text) { return Feed(text.data(), text.size()); }
  Reply Take() { return Reply(Next()); }
};

// Of an array of strings.
std::vector<std::string> Texts(const redisReply& reply) {
  std::vector<std::string> texts;
  for (size_t i = 0; i < static_cast<size_t>(reply.elements); ++i)
    texts.emplace_back(reply.element[i]->str, static_cast<size_t>(reply.element[i]->len));
  return texts;
}

TEST(Commands, AreArraysOfStrings) {
  OwnCommands commands;
  commands.AddTexts("GET", "key");
  EXPECT_EQ(commands.all(), "*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n");
  EXPECT_EQ(commands.count(), 1);
}

TEST(Commands, FollowOneAnother) {
  OwnCommands commands;
  commands.AddTexts("A");
  commands.AddTexts("B", "");
  EXPECT_EQ(commands.all(), "*1\r\n$1\r\nA\r\n*2\r\n$1\r\nB\r\n$0\r\n\r\n");
  EXPECT_EQ(commands.count(), 2);
}

TEST(Commands, HoldAnyBytes) {
  OwnCommands commands;
  commands.AddTexts("SET", std::string_view("\0\r\n", 3));
  EXPECT_EQ(commands.all(), std::string("*2\r\n$3\r\nSET\r\n$3\r\n\0\r\n\r\n", 22));
}

TEST(Commands, HoldNumbers) {
  OwnCommands commands;
  Words words;
  words.AddNumber(INT64_MIN);
  words.AddNumber(0);
  words.AddPadded(42, 5);
  words.AddPadded(123456, 5);
  words.AddFlag(true);
  commands.Add(words);
  EXPECT_EQ(commands.all(),
            "*5\r\n$20\r\n-9223372036854775808\r\n$1\r\n0\r\n$5\r\n00042\r\n$6\r\n123456\r\n$1\r\n1\r\n");
}

TEST(Commands, HoldAsManyWordsAsFit) {
  OwnCommands commands;
  Words words;
  for (int i = 0; i < Words::kMaxNumbers; ++i) words.AddNumber(INT64_MIN);
  for (int i = Words::kMaxNumbers; i < Words::kMaxWords; ++i) words.Add("x");
  commands.Add(words);
  EXPECT_EQ(commands.problem(), nullptr);
  EXPECT_EQ(commands.count(), 1);
}

TEST(CommandsDeathTest, AWordTooManyFailsACheck) {
  Words words;
  for (int i = 0; i < Words::kMaxWords; ++i) words.Add("x");
  EXPECT_DEATH(words.Add("x"), "check failed");
}

TEST(Commands, StartOverAfterClear) {
  OwnCommands commands;
  EXPECT_EQ(commands.size(), 0u);
  commands.AddTexts("A", "much", "longer", "command");
  commands.Clear();
  EXPECT_EQ(commands.size(), 0u);
  EXPECT_EQ(commands.count(), 0);
  commands.AddTexts("B");
  EXPECT_EQ(commands.all(), "*1\r\n$1\r\nB\r\n");
  EXPECT_EQ(commands.problem(), nullptr);
}

TEST(Commands, GrowToAnySize) {
  OwnCommands commands;
  const std::string large(100000, 'x');
  std::string all;
  for (int i = 0; i < 5; ++i) {
    commands.AddTexts("ECHO", large.c_str());
    all += "*2\r\n$4\r\nECHO\r\n$100000\r\n" + large + "\r\n";
  }
  EXPECT_EQ(commands.all(), all);
}

TEST(Replies, AreReadByteByByte) {
  OwnReplies replies;
  const std::string bytes = "*2\r\n$5\r\nhello\r\n$2\r\n\r\n\r\n";
  for (size_t i = 0; i + 1 < bytes.size(); ++i) {
    ASSERT_TRUE(replies.Feed(&bytes[i], 1));
    ASSERT_EQ(replies.Take(), nullptr);
    ASSERT_EQ(replies.error(), nullptr);
  }
  replies.Feed(&bytes.back(), 1);
  const Reply reply = replies.Take();
  ASSERT_NE(reply, nullptr);
  EXPECT_EQ(Texts(*reply), (std::vector<std::string>{"hello", "\r\n"}));
}

TEST(Replies, AreReadOneByOneFromOneBuffer) {
  OwnReplies replies;
  replies.FeedText("+OK\r\n:42\r\n-ERR no\r\n$-1\r\n$2\r\nhi\r\n+half");
  EXPECT_EQ(replies.Take()->type, REDIS_REPLY_STATUS);
  EXPECT_EQ(replies.Take()->integer, 42);
  EXPECT_STREQ(replies.Take()->str, "ERR no");
  EXPECT_EQ(replies.Take()->type, REDIS_REPLY_NIL);
  EXPECT_STREQ(replies.Take()->str, "hi");
  EXPECT_EQ(replies.Take(), nullptr);
  EXPECT_EQ(replies.error(), nullptr);
}

TEST(Replies, GarbageIsAnError) {
  for (const std::string garbage : {"HTTP/1.1 400 Bad Request\r\n", "\n", "SSH-2.0-OpenSSH\r\n"}) {
    OwnReplies replies;
    replies.FeedText(garbage);
    EXPECT_EQ(replies.Take(), nullptr);
    EXPECT_NE(replies.error(), nullptr) << garbage;
  }
}

TEST(Replies, AfterAnErrorNothingIsRead) {
  OwnReplies replies;
  replies.FeedText("?\r\n");
  EXPECT_EQ(replies.Take(), nullptr);
  EXPECT_FALSE(replies.FeedText("+OK\r\n"));
  EXPECT_EQ(replies.Take(), nullptr);
  EXPECT_NE(replies.error(), nullptr);
}

TEST(Replies, ResetForgetsAnErrorAndAHalfReply) {
  OwnReplies replies;
  for (const std::string bytes : {"?\r\n", "$100\r\nhalf"}) {
    replies.FeedText(bytes);
    EXPECT_EQ(replies.Take(), nullptr);
    ASSERT_TRUE(replies.Reset());
    EXPECT_TRUE(replies.FeedText("+OK\r\n"));
    EXPECT_NE(replies.Take(), nullptr);
  }
}

TEST(Replies, AnEndlessTextIsAnError) {
  for (const std::string beginning : {"$1000000000\r\n", "+"}) {
    OwnReplies replies;
    const std::string piece(1 << 20, 'x');
    replies.FeedText(beginning);
    int pieces = 0;
    while (pieces < 100 && replies.FeedText(piece) && replies.Take() == nullptr) ++pieces;
    EXPECT_LT(pieces, 17);
    EXPECT_STREQ(replies.error(), "the reply is too long");
  }
}

TEST(Replies, AnArrayThatClaimsBillionsOfElementsIsAnError) {
  for (const std::string count : {"2000000000", "65537", "9223372036854775807", "-2"}) {
    OwnReplies replies;
    replies.FeedText("*" + count + "\r\n");
    EXPECT_EQ(replies.Take(), nullptr);
    ASSERT_NE(replies.error(), nullptr) << count;
    EXPECT_EQ(std::string(replies.error()).find("emory"), std::string::npos) << count << ": " << replies.error();
  }
}

TEST(Replies, ANestedArrayIsBoundedToo) {
  OwnReplies replies;
  replies.FeedText("*1\r\n*1000000\r\n");
  EXPECT_EQ(replies.Take(), nullptr);
  EXPECT_NE(replies.error(), nullptr);
}

TEST(Replies, AsManyElementsAsAllowedAreRead) {
  OwnReplies replies;
  std::string bytes = "*65536\r\n";
  for (int i = 0; i < 65536; ++i) bytes += ":1\r\n";
  replies.FeedText(bytes);
  const Reply reply = replies.Take();
  ASSERT_NE(reply, nullptr) << replies.error();
  EXPECT_EQ(static_cast<size_t>(reply->elements), Replies::kMaxElements);
}

TEST(Replies, TooDeepNestingIsAnError) {
  OwnReplies replies;
  for (int depth = 0; depth < 1000 && replies.error() == nullptr; ++depth) {
    replies.FeedText("*1\r\n");
    ASSERT_EQ(replies.Take(), nullptr);
  }
  EXPECT_STREQ(replies.error(), "arrays nest too deeply");
}

TEST(Replies, AfterTooDeepNestingAnotherErrorIsItself) {
  OwnReplies replies;
  for (int depth = 0; depth < 1000; ++depth) replies.FeedText("*1\r\n");
  EXPECT_EQ(replies.Take(), nullptr);
  ASSERT_TRUE(replies.Reset());
  replies.FeedText("?\r\n");
  EXPECT_EQ(replies.Take(), nullptr);
  EXPECT_STRNE(replies.error(), "arrays nest too deeply");
}

}  // namespace
}  // namespace idgen::wire
