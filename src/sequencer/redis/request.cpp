// Commands by operation, answers by reply.
#include "sequencer/redis/request.h"

#include <algorithm>
#include <cstring>

#include "core/decimal.h"
#include "wire/printable.h"
#include "wire/resp.h"

namespace idgen::sequencer {
namespace {

using Kind = Operation::Kind;
using Outcome = Answer::Outcome;
using std::string_view;

constexpr int kMaxPowers = 20;
static_assert(int64_t{1} << kMaxPowers >= kMaxCount);
// EVALSHA, script, number of keys, three keys, verb, two words on the TTL; those of AddNext(); those of a raise.
static_assert(9 + 7 + 2 * kMaxPowers + 3 <= wire::Words::kMaxNumbers);
static_assert(1 + kMaxGenerations <= wire::Words::kMaxWords);
static_assert(kMaxCount < INT64_MAX / kMaxCount);

void AddNext(const Operation& operation, wire::Words* words) noexcept {
  const Definition& definition = operation.definition;
  const int64_t count = operation.count;
  words->AddNumber(definition.start);
  if (definition.Before() >= 0)
    words->AddNumber(definition.Before());
  else
    words->Add("");
  int64_t amount;
  const bool can_add = !__builtin_mul_overflow(count, definition.step, &amount);
  if (can_add)
    words->AddNumber(amount);
  else
    words->Add("");
  if (can_add && amount <= definition.max_value)
    words->AddNumber(definition.max_value - amount);
  else
    words->Add("");
  if (count <= CountOf(definition))
    words->AddNumber((count - 1) * definition.step);
  else
    words->Add("");
  words->AddFlag(definition.cycle);
  words->AddNumber(count);
  // A raise never cycles: the script would take these arguments for those of the raise.
  if (!definition.cycle || count > CountOf(definition) || operation.kind == Kind::kRaise) return;
  for (int64_t power = 1; power < count; power *= 2) {
    words->AddNumber(power * definition.step);
    words->AddNumber(definition.max_value - power * definition.step);
  }
}

const char* VerbOf(Kind kind) noexcept {
  switch (kind) {
    case Kind::kNext: return "next";
    case Kind::kSegment: return "segment";
    case Kind::kRaise: return "raise";
    case Kind::kDrop: return "drop";
    case Kind::kReturn: return "return";
    case Kind::kWriter: return "writer";
    default: return "set";
  }
}

// The text as a value that can have been given: digits, and a bigint.
bool ParseValue(const redisReply* reply, int64_t* value) noexcept {
  return reply->type == REDIS_REPLY_STRING &&
         core::ReadDecimal(string_view(reply->str, static_cast<size_t>(reply->len)), value);
}

bool StartsWith(const char* text, const char* prefix) noexcept { return strncmp(text, prefix, strlen(prefix)) == 0; }
bool Has(const char* text, const char* word) noexcept { return strstr(text, word) != nullptr; }

void ReadError(const Operation& operation, const char* error, Answer* answer) noexcept {
  for (const char* elsewhere : {"MOVED ", "ASK ", "NOSCRIPT", "LOADING", "CLUSTERDOWN", "MASTERDOWN", "TRYAGAIN",
                                "BUSY ", "NOREPLICAS", "NOAUTH"})
    if (StartsWith(error, elsewhere)) return;
  // Servers before Redis 7 put a script's error into one of their own.
  if (Has(error, "READONLY")) return;
  if (operation.kind == Kind::kNext && !answer->by_script && Has(error, "overflow")) {
    answer->by_script = true;
    return;
  }
  if (Has(error, "WRONGTYPE")) {
    answer->outcome = Outcome::kWrongType;
  } else if (Has(error, "not an integer")) {
    answer->outcome = Outcome::kNotAValue;
  } else {
    Refuse(error, answer);
  }
}

const redisReply* Element(const redisReply* reply, size_t index) noexcept {
  return reply->type == REDIS_REPLY_ARRAY && index < static_cast<size_t>(reply->elements) ? reply->element[index]
                                                                                          : nullptr;
}

bool Says(const redisReply* reply, size_t index, string_view word) noexcept {
  const redisReply* element = Element(reply, index);
  return element != nullptr && element->type == REDIS_REPLY_STRING &&
         string_view(element->str, static_cast<size_t>(element->len)) == word;
}

bool Value(const redisReply* reply, size_t index, int64_t* value) noexcept {
  const redisReply* element = Element(reply, index);
  return element != nullptr && ParseValue(element, value);
}

Outcome ReadNext(const Operation& operation, const redisReply* reply, Answer* answer) noexcept {
  const Definition& definition = operation.definition;
  if (reply->type == REDIS_REPLY_INTEGER) {
    if (!IsPlain(operation, answer->by_script)) return Outcome::kMisread;
    // A value below 0 is not a sequence's.
    return GrantUpTo(definition, operation.count, reply->integer, &answer->grant) ? Outcome::kOk : Outcome::kNotAValue;
  }
  int64_t last, before, unbroken;
  if (Says(reply, 0, "ok") && Value(reply, 1, &last))
    return GrantUpTo(definition, operation.count, last, &answer->grant) ? Outcome::kOk : Outcome::kMisread;
  if (Says(reply, 0, "around") && Value(reply, 1, &before) && Value(reply, 2, &unbroken) && Value(reply, 3, &last))
    return GrantAround(definition, operation.count, before, unbroken, last, &answer->grant) ? Outcome::kOk
                                                                                            : Outcome::kMisread;
  if (Says(reply, 0, "full")) {
    answer->had = !Says(reply, 1, "");
    return !answer->had || Value(reply, 1, &answer->last) ? Outcome::kFull : Outcome::kMisread;
  }
  return Says(reply, 0, "bad") ? Outcome::kNotAValue : Outcome::kMisread;
}

// Whether the script is given the key for the number of a segment.
bool IsOfSegment(const Operation& operation) noexcept {
  const Kind kind = operation.kind;
  return kind == Kind::kSegment || kind == Kind::kReturn ||
         (kind == Kind::kRaise && operation.definition.HasSegments());
}

Outcome ReadSegment(const Operation& operation, const redisReply* reply, Answer* answer) noexcept {
  const Outcome outcome = ReadNext(operation, reply, answer);
  if (outcome != Outcome::kOk) return outcome;
  if (!Says(reply, 0, "ok") || !Value(reply, 2, &answer->generation)) return Outcome::kMisread;
  if (!IsOfSegment(operation)) return Outcome::kOk;
  return Value(reply, 3, &answer->number) && (Says(reply, 4, "") || Value(reply, 4, &answer->number_before))
             ? Outcome::kOk
             : Outcome::kMisread;
}

// An unreadable generation counts as 0: what is known under a generation holds for no earlier one.
void ReadGeneration(const redisReply* reply, Answer* answer) noexcept {
  if (!ParseValue(reply, &answer->generation)) answer->generation = 0;
}

// Hashes the text; collisions are negligible.
Outcome ReadWriter(const redisReply* reply, Answer* answer) noexcept {
  if (reply->type != REDIS_REPLY_STRING || reply->len == 0) return Outcome::kMisread;
  answer->writer = std::max(HashOf(string_view(reply->str, static_cast<size_t>(reply->len))).low, uint64_t{1});
  return Outcome::kOk;
}

Outcome ReadRaise(const Operation& operation, const redisReply* reply, Answer* answer) noexcept {
  if (reply->type == REDIS_REPLY_INTEGER) return Outcome::kMisread;
  const Outcome outcome = ReadSegment(operation, reply, answer);
  if (outcome == Outcome::kOk) answer->had = answer->generation <= operation.mark.generation;
  return outcome;
}

Outcome ReadPeek(const redisReply* reply, Answer* answer) noexcept {
  if (reply->type == REDIS_REPLY_NIL) return Outcome::kOk;
  if (reply->type != REDIS_REPLY_STRING) return Outcome::kMisread;
  answer->had = true;
  return ParseValue(reply, &answer->last) ? Outcome::kOk : Outcome::kNotAValue;
}

Outcome ReadChange(const redisReply* reply, Answer* answer) noexcept {
  answer->had = Says(reply, 1, "1");
  return Says(reply, 0, "ok") && (answer->had || Says(reply, 1, "0")) && Value(reply, 2, &answer->generation)
             ? Outcome::kOk
             : Outcome::kMisread;
}

}  // namespace

bool IsPlain(const Operation& operation, bool by_script) noexcept {
  if (operation.kind == Kind::kPeek) return true;
  int64_t amount;
  return operation.kind == Kind::kNext && !by_script && operation.definition.IsPlain() &&
         !__builtin_mul_overflow(operation.count, operation.definition.step, &amount);
}

int CommandCount(const Operation& operation, bool by_script) noexcept {
  return operation.kind == Kind::kNext && operation.with_generation && IsPlain(operation, by_script) ? 2 : 1;
}

void AddRequest(const Operation& operation, const StoreKey& key, bool by_script, const io::ScriptCall& script,
                wire::Commands* commands) noexcept {
  char segment_key[kMaxStoreKeyBytes];
  wire::Words words;
  if (operation.kind == Kind::kPeek) {
    words.Add("GET");
    words.Add(key.value());
  } else if (IsPlain(operation, by_script)) {
    if (operation.with_generation) commands->AddTexts("GET", key.generation());
    words.Add("INCRBY");
    words.Add(key.value());
    words.AddNumber(operation.count * operation.definition.step);
  } else {
    words.Add(script.command);
    words.Add(script.script);
    words.Add(IsOfSegment(operation) ? "3" : "2");
    words.Add(key.value());
    words.Add(key.generation());
    if (IsOfSegment(operation)) words.Add(key.WriteSegment(segment_key));
    words.Add(operation.with_generation && operation.kind == Kind::kNext ? "segment" : VerbOf(operation.kind));
    words.AddNumber(operation.definition.ttl_ms);
    words.AddFlag(operation.definition.sliding);
    if (operation.kind == Kind::kNext || operation.kind == Kind::kSegment || operation.kind == Kind::kRaise)
      AddNext(operation, &words);
    if (operation.kind == Kind::kRaise) {
      words.AddNumber(operation.mark.generation);
      words.AddNumber(operation.mark.value);
      words.AddNumber(operation.value);
    }
    if (operation.kind == Kind::kReturn) {
      words.AddNumber(operation.value);
      words.AddNumber(operation.count * operation.definition.step);
      words.AddNumber(operation.mark.generation);
      words.AddNumber(operation.number);
    }
    if (operation.kind == Kind::kSet || operation.kind == Kind::kSetIfNone) {
      words.AddNumber(operation.value);
      words.AddFlag(operation.kind == Kind::kSetIfNone);
    }
  }
  commands->Add(words);
}

void AddGenerations(const StoreKey* keys, int count, wire::Commands* commands) noexcept {
  wire::Words words;
  words.Add("MGET");
  for (int i = 0; i < count; ++i) words.Add(keys[i].generation());
  commands->Add(words);
}

void ReadGenerations(const redisReply* reply, Answer* answers, int count) noexcept {
  if (reply->type != REDIS_REPLY_ARRAY || reply->elements != static_cast<size_t>(count)) return;
  for (int i = 0; i < count; ++i) ReadGeneration(reply->element[i], &answers[i]);
}

bool RefusesMany(const redisReply* reply) noexcept {
  if (reply->type != REDIS_REPLY_ERROR) return false;
  for (const char* refusal : {"CROSSSLOT", "MOVED ", "ASK ", "TRYAGAIN", "NOPERM"})
    if (StartsWith(reply->str, refusal)) return true;
  return false;
}

void ReadReplies(const Operation& operation, const redisReply* const* replies, int count, Answer* answer) noexcept {
  const redisReply* reply = replies[count - 1];
  if (reply->type == REDIS_REPLY_ERROR) return ReadError(operation, reply->str, answer);
  switch (operation.kind) {
    case Kind::kNext:
      if (count > 1) ReadGeneration(replies[0], answer);
      answer->outcome = operation.with_generation && count == 1 ? ReadSegment(operation, reply, answer)
                                                                : ReadNext(operation, reply, answer);
      break;
    case Kind::kSegment: answer->outcome = ReadSegment(operation, reply, answer); break;
    case Kind::kPeek: answer->outcome = ReadPeek(reply, answer); break;
    case Kind::kWriter: answer->outcome = ReadWriter(reply, answer); break;
    case Kind::kRaise: answer->outcome = ReadRaise(operation, reply, answer); break;
    case Kind::kSet:
    case Kind::kSetIfNone:
    case Kind::kDrop:
    case Kind::kReturn: answer->outcome = ReadChange(reply, answer); break;
  }
}

void Refuse(const char* words, Answer* answer) noexcept {
  answer->outcome = Outcome::kRefused;
  wire::WritePrintable(wire::WithoutAddress(words), answer->problem);
}

}  // namespace idgen::sequencer
