// Requests to a sequence store: there are as many commands as announced, each with its key and with numbers that are
// bigints; no two keys have the same name in the store.
#include "operation.h"

#include "core/decimal.h"
#include "io/redis/script.h"
#include "sequencer/key.h"
#include "sequencer/redis/request.h"
#include "sequencer/redis/script.h"
#include "wire/resp.h"

namespace {

using namespace idgen;
using fuzz::Require;
using sequencer::StoreKey;
using std::string_view;

constexpr char kSha[] = "0123456789abcdef0123456789abcdef01234567";

string_view TextOf(const redisReply& reply) { return {reply.str, static_cast<size_t>(reply.len)}; }

bool IsNumber(string_view text) {
  int64_t number;
  return core::ReadDecimal(text.starts_with('-') ? text.substr(1) : text, &number);
}

void CheckScriptCall(const redisReply& command, const io::ScriptCall& call, const StoreKey& key) {
  Require(TextOf(*command.element[0]) == call.command, "the script is called");
  Require(TextOf(*command.element[1]) == call.script, "the script is called by its hash or sent as a whole");
  const string_view keys = TextOf(*command.element[2]);
  Require(keys == "2" || keys == "3", "it has two or three keys");
  Require(TextOf(*command.element[4]) == key.generation(), "the second key is that of the generation");
  const size_t verb_at = 3 + static_cast<size_t>(keys[0] - '0');
  Require(command.elements > verb_at, "there is a verb");
  for (size_t i = verb_at + 1; i < command.elements; ++i)
    Require(command.element[i]->len == 0 || IsNumber(TextOf(*command.element[i])), "arguments are numbers or empty");
}

void CheckRequest(const sequencer::Operation& operation, const StoreKey& key, bool by_script,
                  const io::ScriptCall& call) {
  wire::Commands commands;
  sequencer::AddRequest(operation, key, by_script, call, &commands);
  const int count = sequencer::CommandCount(operation, by_script);
  Require(commands.problem() == nullptr && commands.count() == count, "there are as many commands as announced");
  wire::Replies replies;
  Require(replies.Feed(commands.bytes(), commands.size()), "commands can be read");
  for (int i = 0; i < count; ++i) {
    redisReply* command = replies.Next();
    Require(command != nullptr && command->type == REDIS_REPLY_ARRAY && command->elements >= 2, "there is a command");
    if (sequencer::IsPlain(operation, by_script)) {
      const bool is_value = i == count - 1;
      Require(TextOf(*command->element[1]) == (is_value ? key.value() : key.generation()), "the command has its key");
      Require(command->elements == 2 || IsNumber(TextOf(*command->element[2])), "the command has the number of values");
    } else {
      Require(command->elements >= 6 && TextOf(*command->element[3]) == key.value(),
              "the key of the value comes first");
      CheckScriptCall(*command, call, key);
    }
    freeReplyObject(command);
  }
  Require(!replies.has_more(), "nothing else follows");
  replies.Free();
  commands.Free();
}

struct Name {
  std::string database, sequencer, key;
  bool operator==(const Name&) const = default;
};

Name NameOf(fuzz::Input* input) {
  const auto text = [input](size_t most) {
    std::string name(input->Text(input->Byte() % (most + 1)));
    for (char& c : name) c = c == '\0' ? '0' : c;
    return name;
  };
  Name name{text(63), text(63), text(sequencer::kMaxKeyBytes)};
  if (name.key.empty()) name.key = "k";
  return name;
}

std::string StoreName(const Name& name) {
  char prefix[sequencer::kPrefixBuffer], room[sequencer::kMaxStoreKeyBytes + 1];
  room[sequencer::kMaxStoreKeyBytes] = '#';
  sequencer::WriteDefaultPrefix(name.database, name.sequencer, prefix);
  Require(strlen(prefix) < sizeof prefix, "a prefix fits its buffer");
  const StoreKey key = sequencer::WriteStoreKey(prefix, name.key, room);
  Require(key.size <= sequencer::kMaxStoreKeyBytes && room[sequencer::kMaxStoreKeyBytes] == '#',
          "a key fits its buffer");
  const string_view value = key.value();
  const size_t open = value.find('{'), close = value.find('}', open);
  Require(open != string_view::npos && close != string_view::npos && close > open + 1,
          "the key has braces for a Redis Cluster");
  return std::string(value);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  fuzz::Input input(bytes, size);
  const sequencer::Operation operation = fuzz::OperationOf(&input);
  const uint8_t flags = input.Byte();
  const Name first = NameOf(&input), second = NameOf(&input);
  const bool same_name = StoreName(first) == StoreName(second);
  Require(same_name == (first == second), "no two keys have the same name in the store");

  char room[sequencer::kMaxStoreKeyBytes];
  const StoreKey key = sequencer::WriteStoreKey("p:", first.key, room);
  CheckRequest(
      operation, key, (flags & 1) != 0,
      (flags & 2) != 0 ? io::ScriptCall{"EVAL", sequencer::kRedisSequenceScript} : io::ScriptCall{"EVALSHA", kSha});
  return 0;
}
