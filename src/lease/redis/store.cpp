// Lease operations as calls of the script, and its answers as replies.
#include "lease/redis/store.h"

#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "core/decimal.h"
#include "core/identity.h"
#include "core/time.h"
#include "lease/redis/script.h"
#include "wire/printable.h"

namespace idgen::lease {
namespace {

using Kind = StoreRequest::Kind;
using Outcome = StoreReply::Outcome;
using Why = StoreReply::Why;

constexpr int64_t kReachMs = core::kMsPerMinute;  // a floor so far ahead of the store's clock is still taken
constexpr size_t kTimeDigits = 16;

// Where the parts of a record begin: ceiling|expiry|token|floor|holder.
constexpr size_t kExpiryAt = kTimeDigits + 1;
constexpr size_t kTokenAt = kExpiryAt + kTimeDigits + 1;
constexpr size_t kFloorAt = kTokenAt + kTokenBytes + 1;
constexpr size_t kHolderAt = kFloorAt + kTimeDigits + 1;

using TimeDigits = char[24];
const char* Digits(int64_t ms, TimeDigits& text) noexcept {
  snprintf(text, sizeof text, "%016" PRId64, ms < 0 ? int64_t{0} : ms);
  return text;
}

// False for what is not `size` digits (any number of them for 0).
bool Parse(const char* text, size_t size, int64_t* number) noexcept {
  return core::ReadDigits({text, size == 0 ? strlen(text) : size}, INT64_MAX, number);
}

const char* Text(const redisReply* reply, size_t index) noexcept {
  if (reply->type != REDIS_REPLY_ARRAY || index >= static_cast<size_t>(reply->elements)) return "";
  const redisReply* element = reply->element[index];
  return element->type == REDIS_REPLY_STRING && element->str != nullptr ? element->str : "";
}

// False also for a time that no ceiling can be: what is reckoned with it in microseconds must not overflow.
bool ParseTime(const char* text, size_t size, int64_t* ms) noexcept {
  return Parse(text, size, ms) && *ms <= core::kMaxCeilingMs;
}

bool Time(const redisReply* reply, size_t index, int64_t* ms) noexcept { return ParseTime(Text(reply, index), 0, ms); }

Why WhyOf(const char* text) noexcept {
  if (strcmp(text, "quarantine") == 0) return Why::kQuarantine;
  if (strcmp(text, "crashes") == 0) return Why::kCrashes;
  if (strcmp(text, "full") == 0) return Why::kFull;
  if (strcmp(text, "ahead") == 0) return Why::kAhead;
  if (strcmp(text, "forgotten") == 0) return Why::kForgotten;
  if (strcmp(text, "taken") == 0 || strcmp(text, "free") == 0) return Why::kTaken;
  return Why::kNone;
}

StoreReply::Rival RivalOf(const char* text) noexcept {
  if (strcmp(text, "static") == 0) return StoreReply::Rival::kStatic;
  if (strcmp(text, "lease") == 0) return StoreReply::Rival::kLease;
  return StoreReply::Rival::kNone;
}

// Of a policy, as the script tells it. A volatile-... policy drops no record of a lease, since these have no TTL.
StoreMemory MemoryOf(const char* policy) noexcept {
  if (*policy == '\0') return StoreMemory::kUnknown;
  if (strcmp(policy, "unlimited") == 0) return StoreMemory::kUnlimited;
  return strncmp(policy, "allkeys", 7) == 0 ? StoreMemory::kEvicts : StoreMemory::kLimited;
}

bool IsNoScript(const redisReply* reply) noexcept {
  return reply->type == REDIS_REPLY_ERROR && strncmp(reply->str, "NOSCRIPT", 8) == 0;
}

// What the store must keep: a change that its replicas have to have, too.
bool Changes(Kind kind) noexcept { return kind == Kind::kAcquire || kind == Kind::kRenew; }

}  // namespace

void RedisStore::Configure(const RedisStoreSettings& settings) noexcept {
  settings_ = settings;
  link_.Configure(settings.link);
}

void RedisStore::Begin(const StoreRequest& request, int64_t now_us) noexcept {
  request_ = request;
  how_ = *script_sha_ == '\0' ? How::kWithLoad : How::kBySha;
  problem_[0] = '\0';
  Ask(now_us);
}

void RedisStore::Ask(int64_t now_us) noexcept {
  wire::Commands& commands = link_.NewExchange();
  // Also where the server turned out, while it was asked, to be another, or not to know the script.
  const bool is_first = link_.will_be_first() || (link_.was_first() && !told_first_);
  told_first_ = is_first && Changes(request_.kind);
  const char* words[wire::Commands::kMaxArguments];
  int count = 0;
  const auto add = [&words, &count](const char* word) { words[count++] = word; };
  TimeDigits ttl, ceiling, last_expiry, floor;
  char worker[16] = "", first[16], past[16], reach[24];
  add(how_ == How::kBySha ? "EVALSHA" : "EVAL");
  add(how_ == How::kBySha ? script_sha_ : kRedisLeaseScript);
  add("1");
  add(settings_.prefix);
  const auto verb = [&](const char* name) {
    add(name);
    add(Digits(settings_.ttl_ms, ttl));
  };
  switch (request_.kind) {
    case Kind::kAcquire:
      verb("acquire");
      add(request_.token);
      add(settings_.holder);
      snprintf(first, sizeof first, "%u", settings_.min_worker);
      add(first);
      snprintf(past, sizeof past, "%u", settings_.max_workers);
      add(past);
      snprintf(reach, sizeof reach, "%" PRId64, kReachMs);
      add(reach);
      break;
    case Kind::kRenew:
      verb("renew");
      snprintf(worker, sizeof worker, "%u", request_.worker);
      add(worker);
      add(request_.token);
      add(settings_.holder);
      add(Digits(request_.ceiling_ms, ceiling));
      add(Digits(request_.last_expiry_ms, last_expiry));
      add(settings_.durable ? "1" : "0");
      add(is_first ? "1" : "0");
      add(Digits(request_.floor_ms, floor));
      break;
    case Kind::kRelease:
      verb("release");
      if (request_.worker_known) snprintf(worker, sizeof worker, "%u", request_.worker);
      add(worker);
      add(request_.token);
      break;
    case Kind::kPresent:
      verb("present");
      snprintf(worker, sizeof worker, "%u", request_.worker);
      add(worker);
      add(request_.token);
      add(settings_.holder);
      add(Digits(request_.ceiling_ms, ceiling));
      break;
    case Kind::kList: verb("list"); break;
    case Kind::kDeclareNew: verb("declare new"); break;
  }
  size_t sizes[wire::Commands::kMaxArguments];
  for (int i = 0; i < count; ++i) sizes[i] = strlen(words[i]);
  commands.Add(count, words, sizes);

  if (settings_.replicas > 0 && Changes(request_.kind)) {
    char replicas[16], wait_ms[24];
    snprintf(replicas, sizeof replicas, "%d", settings_.replicas);
    snprintf(wait_ms, sizeof wait_ms, "%" PRId64, settings_.link.timeout_us / 2 / core::kUsPerMs);
    commands.AddTexts("WAIT", replicas, wait_ms);
  }
  // Last, so that the answer is always the first reply, and ASKING goes before what it is for.
  if (how_ == How::kWithLoad) commands.AddTexts("SCRIPT", "LOAD", kRedisLeaseScript);
  link_.Begin(now_us);
}

bool RedisStore::Step(int64_t now_us, StoreReply* reply) noexcept {
  io::RedisLink::State state = link_.Step(now_us);
  if (state == io::RedisLink::State::kDone && KnowsNoScript()) {
    how_ = How::kWhole;
    told_first_ = false;  // nobody heard it
    Ask(now_us);
    state = link_.Step(now_us);
  }
  *reply = StoreReply();
  if (state == io::RedisLink::State::kFailed) return true;
  if (state != io::RedisLink::State::kDone) return false;
  const bool waits = settings_.replicas > 0 && Changes(request_.kind);
  if (how_ == How::kWithLoad) NoteScript(link_.reply(waits ? 2 : 1));
  *reply = Read(link_.reply(0));
  if (reply->outcome == Outcome::kOk && waits) {
    const redisReply* waited = link_.reply(1);
    if (waited->type != REDIS_REPLY_INTEGER || waited->integer < settings_.replicas) {
      if (waited->type == REDIS_REPLY_INTEGER)
        snprintf(problem_, sizeof problem_, "only %lld of the %d replicas that idgen.redis_replicas asks for have it",
                 waited->integer, settings_.replicas);
      else
        NoteWords("the store does not wait for replicas", waited);
      *reply = StoreReply();
    }
  }
  if (reply->outcome == Outcome::kFailed) link_.Distrust();
  return true;
}

// The whole script has to be sent.
bool RedisStore::KnowsNoScript() const noexcept { return how_ == How::kBySha && IsNoScript(link_.reply(0)); }

void RedisStore::NoteScript(const redisReply* loaded) noexcept {
  if (loaded->type == REDIS_REPLY_STRING && strlen(loaded->str) + 1 == sizeof script_sha_)
    memcpy(script_sha_, loaded->str, sizeof script_sha_);
}

const char* RedisStore::problem() const noexcept { return *problem_ != '\0' ? problem_ : link_.problem(); }

// `what`, and what the store says of it.
void RedisStore::NoteWords(const char* what, const redisReply* said) noexcept {
  snprintf(problem_, sizeof problem_, "%s: %.300s", what, said->str != nullptr ? said->str : "");
  wire::MakePrintable(problem_);
  // Some of Redis' errors are sentences, and what is said here goes into one.
  const size_t size = strlen(problem_);
  if (size > 0 && problem_[size - 1] == '.') problem_[size - 1] = '\0';
}

StoreReply RedisStore::Misread(const redisReply* reply) noexcept {
  if (reply->type == REDIS_REPLY_ERROR)
    NoteWords("the store says", reply);
  else
    snprintf(problem_, sizeof problem_, "the store's answer is not one of the lease's");
  return {};
}

StoreReply RedisStore::ReadAcquired(const redisReply* reply) noexcept {
  StoreReply result{.outcome = Outcome::kOk};
  int64_t worker = 0;
  if (!Parse(Text(reply, 1), 0, &worker) || worker < settings_.min_worker || worker >= settings_.max_workers ||
      !Time(reply, 2, &result.floor_ms) || !Time(reply, 3, &result.expiry_ms) || !Time(reply, 4, &result.store_now_ms))
    return Misread(reply);
  result.worker = static_cast<uint32_t>(worker);
  result.memory = MemoryOf(Text(reply, 5));
  return result;
}

StoreReply RedisStore::Read(const redisReply* reply) noexcept {
  const char* outcome = Text(reply, 0);
  StoreReply result;
  if (strcmp(outcome, "busy") == 0 && request_.kind == Kind::kAcquire) {
    result.outcome = Outcome::kBusy;
    result.why = WhyOf(Text(reply, 2));
    return Time(reply, 1, &result.until_ms) && Time(reply, 3, &result.store_now_ms) ? result : Misread(reply);
  }
  if (strcmp(outcome, "lost") == 0 && (request_.kind == Kind::kRenew || request_.kind == Kind::kRelease)) {
    result.outcome = Outcome::kLost;
    result.why = WhyOf(Text(reply, 1));
    return Time(reply, 2, &result.store_now_ms) ? result : Misread(reply);
  }
  if (strcmp(outcome, "in use") == 0 && request_.kind == Kind::kDeclareNew) {
    result.outcome = Outcome::kInUse;
    return result;
  }
  if (strcmp(outcome, "ok") != 0) return Misread(reply);
  result.outcome = Outcome::kOk;
  switch (request_.kind) {
    case Kind::kAcquire: return ReadAcquired(reply);
    case Kind::kRenew:
      result.rival_holder = Text(reply, 4);
      if (*result.rival_holder != '\0') result.rival = StoreReply::Rival::kStatic;
      result.memory = MemoryOf(Text(reply, 5));
      return Time(reply, 1, &result.granted_ms) && Time(reply, 2, &result.expiry_ms) &&
                     Time(reply, 3, &result.store_now_ms)
                 ? result
                 : Misread(reply);
    case Kind::kPresent:
      result.rival = RivalOf(Text(reply, 2));
      result.rival_holder = Text(reply, 3);
      return Time(reply, 1, &result.store_now_ms) ? result : Misread(reply);
    case Kind::kRelease:
    case Kind::kList: return Time(reply, 1, &result.store_now_ms) ? result : Misread(reply);
    case Kind::kDeclareNew: return Time(reply, 1, &result.until_ms) ? result : Misread(reply);
  }
  return Misread(reply);
}

size_t RedisStore::record_count() const noexcept {
  const redisReply* reply = link_.reply(0);
  return reply == nullptr || reply->elements < 2 ? 0 : (static_cast<size_t>(reply->elements) - 2) / 2;
}

bool RedisStore::Record(size_t index, StoreRecord* record) const noexcept {
  const redisReply* reply = link_.reply(0);
  const char* field = Text(reply, 2 + 2 * index);
  const char* value = Text(reply, 3 + 2 * index);
  int64_t worker = 0;
  if ((*field != 'w' && *field != 's') || !Parse(field + 1, 0, &worker) || worker > core::kMaxWorker ||
      strlen(value) < kHolderAt)
    return false;
  if (!ParseTime(value, kTimeDigits, &record->ceiling_ms) ||
      !ParseTime(value + kExpiryAt, kTimeDigits, &record->expiry_ms) ||
      !ParseTime(value + kFloorAt, kTimeDigits, &record->floor_ms))
    return false;
  record->worker = static_cast<uint32_t>(worker);
  record->token = value + kTokenAt;
  record->free = *record->token == '-';
  record->is_static = *field == 's';
  record->holder = value + kHolderAt;
  return true;
}

}  // namespace idgen::lease
