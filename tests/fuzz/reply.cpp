// Replies of a sequence store, including invalid ones: a valid reply has exactly the values that were requested, within
// the definition's bounds, and messages are printable.
#include "operation.h"

#include "io/redis/script.h"
#include "sequencer/redis/request.h"
#include "wire/resp.h"

namespace {

using namespace idgen;
using fuzz::Require;
using sequencer::Answer;
using sequencer::Operation;
using Outcome = Answer::Outcome;

bool GivesValues(const Operation& operation) {
  using Kind = Operation::Kind;
  return operation.kind == Kind::kNext || operation.kind == Kind::kSegment || operation.kind == Kind::kRaise;
}

void CheckValues(const Operation& operation, const sequencer::Grant& grant) {
  const sequencer::Definition& definition = operation.definition;
  Require(grant.count == operation.count, "there are as many values as requested");
  Require(grant.unbroken >= 0 && grant.unbroken <= grant.count, "some values come before a cycle begins again");
  Require(definition.cycle || grant.unbroken == grant.count, "only a cycle begins again");
  // At both ends, and at the start of a cycle.
  for (const int64_t near : {int64_t{0}, grant.unbroken, grant.count}) {
    for (int64_t i = std::max<int64_t>(near - 2, 0); i < std::min(near + 2, grant.count); ++i) {
      const int64_t value = grant.Value(i);
      Require(value >= definition.start && value <= definition.max_value, "a value is within the definition");
      if (i > 0 && i != grant.unbroken)
        Require(value - grant.Value(i - 1) == definition.step, "values differ by the step");
      if (i == grant.unbroken && i < grant.count)
        Require(value == definition.start, "a cycle begins again at the start");
    }
  }
}

void CheckAnswer(const Operation& operation, const Answer& answer) {
  const std::string_view problem(answer.problem, strnlen(answer.problem, sizeof answer.problem));
  Require(problem.size() < sizeof answer.problem && fuzz::IsPrintable(problem), "the store's message is printable");
  Require(answer.generation >= 0 && answer.number >= 0 && answer.number_before >= 0, "numbers are not negative");
  if (answer.outcome == Outcome::kOk && GivesValues(operation)) CheckValues(operation, answer.grant);
  if (answer.outcome == Outcome::kOk && operation.kind == Operation::Kind::kPeek)
    Require(answer.last >= 0, "a value is not negative");
  if (answer.outcome == Outcome::kOk && operation.kind == Operation::Kind::kWriter)
    Require(answer.writer != 0, "a writer has a number");
  if (answer.outcome == Outcome::kFull && answer.had)
    sequencer::LeftAfter(operation.definition, answer.last);  // as in the error message
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  fuzz::Input input(bytes, size);
  const Operation operation = fuzz::OperationOf(&input);
  const bool by_script = (input.Byte() & 1) != 0;
  const std::string_view stream = input.Rest();
  wire::Replies replies;
  if (!replies.Feed(stream.data(), stream.size())) return replies.Free(), 0;
  const int count = sequencer::CommandCount(operation, by_script);
  Require(count == 1 || count == 2, "there are one or two commands");
  redisReply* got[2] = {};
  while ((got[0] = replies.Next()) != nullptr) {
    if (count > 1) got[1] = replies.Next();
    if (count == 1 || got[1] != nullptr) {
      Answer answer;
      answer.by_script = by_script;
      const redisReply* const given[] = {got[0], got[1]};
      sequencer::ReadReplies(operation, given, count, &answer);
      CheckAnswer(operation, answer);
      Answer answers[3];
      sequencer::ReadGenerations(got[0], answers, 3);
      for (const Answer& each : answers) Require(each.generation >= 0, "generations are not negative");
      sequencer::RefusesMany(got[0]);
      io::RedisScript::IsUnknown(got[0]);
    }
    for (redisReply*& reply : got) {
      if (reply != nullptr) freeReplyObject(reply);
      reply = nullptr;
    }
  }
  replies.Free();
  return 0;
}
