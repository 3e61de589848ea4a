// Redis' protocol: a reply does not depend on how it was split into chunks and stays within its bounds, and commands
// read as they were written.
#include "fuzz.h"

#include "wire/resp.h"

namespace {

using namespace idgen;
using fuzz::Require;

// A whole reply as text.
std::string TextOf(const redisReply& reply, int depth) {
  Require(depth <= wire::Replies::kMaxDepth + 1, "a reply nests no deeper than allowed");
  std::string text = "(" + std::to_string(reply.type);
  if (reply.type == REDIS_REPLY_ARRAY) {
    Require(static_cast<size_t>(reply.elements) <= wire::Replies::kMaxElements,
            "an array has no more elements than allowed");
    for (size_t i = 0; i < static_cast<size_t>(reply.elements); ++i) text += TextOf(*reply.element[i], depth + 1);
  } else if (reply.str != nullptr) {
    text += " " + std::string(reply.str, static_cast<size_t>(reply.len));
  } else {
    text += " " + std::to_string(reply.integer);
  }
  return text + ")";
}

std::string ReadInPieces(std::string_view bytes, size_t piece) {
  wire::Replies replies;
  std::string all;
  bool good = true;
  for (size_t at = 0; at < bytes.size() && good; at += piece) {
    const std::string next(bytes.substr(at, piece));
    good = replies.Feed(next.data(), next.size());
    while (redisReply* reply = good ? replies.Next() : nullptr) {
      all += TextOf(*reply, 0);
      freeReplyObject(reply);
    }
    good = good && replies.error() == nullptr;
  }
  if (replies.error() != nullptr) {
    Require(*replies.error() != '\0', "an error has a message");
    Require(replies.Next() == nullptr && !replies.Feed("+OK\r\n", 5), "nothing is read after an error");
    all += " error";
  }
  replies.Free();
  return all;
}

void WriteAndRead(std::string_view bytes) {
  constexpr int kMaxArguments = 16;
  std::string_view arguments[kMaxArguments];
  wire::Words words;
  int count = 0;
  fuzz::Input input(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  while (!input.empty() && count < kMaxArguments) {
    arguments[count] = input.Text(input.Byte());
    words.Add(arguments[count++]);
  }
  if (count == 0) return;
  wire::Commands commands;
  commands.Add(words);
  commands.Add(words);
  Require(commands.problem() == nullptr && commands.count() == 2, "commands are added");
  wire::Replies replies;
  Require(replies.Feed(commands.bytes(), commands.size()), "commands have the form of replies");
  for (int i = 0; i < 2; ++i) {
    redisReply* reply = replies.Next();
    Require(reply != nullptr && reply->type == REDIS_REPLY_ARRAY && static_cast<int>(reply->elements) == count,
            "a command is an array of its arguments");
    for (int k = 0; k < count; ++k) {
      const redisReply& element = *reply->element[k];
      Require(element.type == REDIS_REPLY_STRING &&
                  std::string_view(element.str, static_cast<size_t>(element.len)) == arguments[k],
              "an argument is read as it was written");
    }
    freeReplyObject(reply);
  }
  Require(!replies.has_more() && replies.Next() == nullptr, "nothing follows the last command");
  replies.Free();
  commands.Free();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  fuzz::Input input(bytes, size);
  const size_t piece = size_t{input.Byte()} + 1;
  const std::string_view stream = input.Rest();
  Require(ReadInPieces(stream, stream.size() + 1) == ReadInPieces(stream, piece),
          "replies do not depend on how they are split into chunks");
  WriteAndRead(stream);
  return 0;
}
