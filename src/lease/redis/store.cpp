// Lease requests as calls of the script, and its results as replies.
#include "lease/redis/store.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "core/decimal.h"
#include "core/identity.h"
#include "core/time.h"
#include "wire/printable.h"

namespace idgen::lease {
namespace {

using Kind = StoreRequest::Kind;
using Why = StoreReply::Why;

constexpr int64_t kReachMs = core::kMsPerMinute;  // a floor up to so far ahead of the store's clock is accepted
constexpr size_t kTimeDigits = 16;

// Where the parts of a record begin: ceiling|expiry|token|floor|holder.
constexpr size_t kExpiryAt = kTimeDigits + 1;
constexpr size_t kTokenAt = kExpiryAt + kTimeDigits + 1;
constexpr size_t kFloorAt = kTokenAt + kTokenBytes + 1;
constexpr size_t kHolderAt = kFloorAt + kTimeDigits + 1;

// False if the text is not `size` digits (0: any number of digits).
bool Parse(const char* text, size_t size, int64_t* number) noexcept {
  return core::ReadDigits({text, size == 0 ? strlen(text) : size}, INT64_MAX, number);
}

const char* Text(const redisReply* reply, size_t index) noexcept {
  if (reply->type != REDIS_REPLY_ARRAY || index >= static_cast<size_t>(reply->elements)) return "";
  const redisReply* element = reply->element[index];
  return element->type == REDIS_REPLY_STRING && element->str != nullptr ? element->str : "";
}

// False, too, for a time that cannot be a ceiling: arithmetic in microseconds must not overflow.
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

// From the policy that the script reports. A volatile-... policy evicts no record of a lease: they have no TTL.
StoreMemory MemoryOf(const char* policy) noexcept {
  if (*policy == '\0') return StoreMemory::kUnknown;
  if (strcmp(policy, "unlimited") == 0) return StoreMemory::kUnlimited;
  return strncmp(policy, "allkeys", 7) == 0 ? StoreMemory::kEvicts : StoreMemory::kLimited;
}

// A change that replicas must have, too.
bool Changes(Kind kind) noexcept { return kind == Kind::kAcquire || kind == Kind::kRenew; }

const char* VerbOf(Kind kind) noexcept {
  switch (kind) {
    case Kind::kAcquire: return "acquire";
    case Kind::kRenew: return "renew";
    case Kind::kRelease: return "release";
    case Kind::kPresent: return "present";
    case Kind::kList: return "list";
    case Kind::kDeclareNew: break;
  }
  return "declare new";
}

void AddTime(int64_t ms, wire::Words* words) noexcept { words->AddPadded(std::max(ms, int64_t{0}), kTimeDigits); }

}  // namespace

void RedisLeaseStore::Configure(const LeaseStoreSettings& settings) noexcept {
  settings_ = settings;
  link_.Configure(settings.access);
}

void RedisLeaseStore::Begin(const StoreRequest& request, int64_t now_us) noexcept {
  request_ = request;
  problem_[0] = '\0';
  Ask(!script_.is_loaded(), now_us);
}

void RedisLeaseStore::Ask(bool whole, int64_t now_us) noexcept {
  wire::Commands& commands = link_.NewExchange();
  // Also if the server turned out, during the last exchange, to be another one or not to know the script.
  const bool is_first = link_.will_be_first() || (link_.was_first() && !told_first_);
  told_first_ = is_first && Changes(request_.kind);
  sent_whole_ = whole;
  wire::Words words;
  AddCall(whole, is_first, &words);
  commands.Add(words);
  if (WaitsForReplicas()) {
    wire::Words wait;
    wait.Add("WAIT");
    wait.AddNumber(settings_.replicas);
    wait.AddNumber(settings_.access.timeout_us / 2 / core::kUsPerMs);
    commands.Add(wait);
  }
  // Last, so that the answer is always the first reply, and ASKING goes before what it is for.
  loads_ = !script_.is_loaded();
  if (loads_) script_.AddLoad(&commands);
  link_.Begin(now_us);
}

void RedisLeaseStore::AddCall(bool whole, bool is_first, wire::Words* words) const noexcept {
  const io::ScriptCall call = script_.Call(whole);
  words->Add(call.command);
  words->Add(call.script);
  words->Add("1");
  words->Add(settings_.prefix);
  words->Add(VerbOf(request_.kind));
  AddTime(settings_.ttl_ms, words);
  switch (request_.kind) {
    case Kind::kAcquire:
      words->Add(request_.token);
      words->Add(settings_.holder);
      words->AddNumber(settings_.min_worker);
      words->AddNumber(settings_.max_workers);
      words->AddNumber(kReachMs);
      break;
    case Kind::kRenew:
      words->AddNumber(request_.worker);
      words->Add(request_.token);
      words->Add(settings_.holder);
      AddTime(request_.ceiling_ms, words);
      AddTime(request_.last_expiry_ms, words);
      words->AddFlag(settings_.durable);
      words->AddFlag(is_first);
      AddTime(request_.floor_ms, words);
      break;
    case Kind::kRelease:
      if (request_.worker_known)
        words->AddNumber(request_.worker);
      else
        words->Add("");
      words->Add(request_.token);
      break;
    case Kind::kPresent:
      words->AddNumber(request_.worker);
      words->Add(request_.token);
      words->Add(settings_.holder);
      AddTime(request_.ceiling_ms, words);
      break;
    case Kind::kList:
    case Kind::kDeclareNew: break;
  }
}

bool RedisLeaseStore::WaitsForReplicas() const noexcept { return settings_.replicas > 0 && Changes(request_.kind); }

bool RedisLeaseStore::Step(int64_t now_us, StoreReply* reply) noexcept {
  io::RedisLink::State state = link_.Step(now_us);
  if (state == io::RedisLink::State::kDone && !sent_whole_ && io::RedisScript::IsUnknown(link_.reply(0))) {
    told_first_ = false;  // the script did not run
    Ask(true, now_us);
    state = link_.Step(now_us);
  }
  *reply = StoreReply();
  if (state == io::RedisLink::State::kFailed) return true;
  if (state != io::RedisLink::State::kDone) return false;
  const bool waits = WaitsForReplicas();
  if (loads_) script_.NoteLoaded(link_.reply(waits ? 2 : 1));
  *reply = Read(link_.reply(0));
  if (reply->outcome == StoreOutcome::kOk && waits) {
    const redisReply* waited = link_.reply(1);
    if (waited->type != REDIS_REPLY_INTEGER || waited->integer < settings_.replicas) {
      if (waited->type == REDIS_REPLY_INTEGER)
        snprintf(problem_, sizeof problem_,
                 "only %lld of %d replicas (\"idgen.redis_replicas\") have acknowledged the change", waited->integer,
                 settings_.replicas);
      else
        NoteWords("the store could not wait for replicas", waited);
      *reply = StoreReply();
    }
  }
  if (reply->outcome == StoreOutcome::kFailed) link_.Distrust();
  return true;
}

const char* RedisLeaseStore::problem() const noexcept { return *problem_ != '\0' ? problem_ : link_.problem(); }

const char* RedisLeaseStore::advice() const noexcept {
  if (link_.url().kind != wire::RedisUrl::Kind::kSentinel || settings_.replicas > 0) return nullptr;
  return "The store can fail over, and an isolated master could then renew leases that the new master grants to other "
         "servers. Set \"idgen.redis_replicas\" to a number of replicas that an isolated master cannot have.";
}

// `what`, and the store's own words.
void RedisLeaseStore::NoteWords(const char* what, const redisReply* said) noexcept {
  snprintf(problem_, sizeof problem_, "%s: %.300s", what, said->str != nullptr ? said->str : "");
  wire::MakePrintable(problem_);
  // Some of Redis' errors end with a full stop, and this text becomes part of a sentence.
  const size_t size = strlen(problem_);
  if (size > 0 && problem_[size - 1] == '.') problem_[size - 1] = '\0';
}

StoreReply RedisLeaseStore::Misread(const redisReply* reply) noexcept {
  if (reply->type == REDIS_REPLY_ERROR)
    NoteWords("the store says", reply);
  else
    snprintf(problem_, sizeof problem_, "unexpected reply from the lease store");
  return {};
}

StoreReply RedisLeaseStore::ReadAcquired(const redisReply* reply) noexcept {
  StoreReply result{.outcome = StoreOutcome::kOk};
  int64_t worker = 0;
  if (!Parse(Text(reply, 1), 0, &worker) || worker < settings_.min_worker || worker >= settings_.max_workers ||
      !Time(reply, 2, &result.floor_ms) || !Time(reply, 3, &result.expiry_ms) || !Time(reply, 4, &result.store_now_ms))
    return Misread(reply);
  result.worker = static_cast<uint32_t>(worker);
  result.memory = MemoryOf(Text(reply, 5));
  return result;
}

StoreReply RedisLeaseStore::Read(const redisReply* reply) noexcept {
  const char* outcome = Text(reply, 0);
  StoreReply result;
  if (strcmp(outcome, "busy") == 0 && request_.kind == Kind::kAcquire) {
    result.outcome = StoreOutcome::kBusy;
    result.why = WhyOf(Text(reply, 2));
    return Time(reply, 1, &result.until_ms) && Time(reply, 3, &result.store_now_ms) ? result : Misread(reply);
  }
  if (strcmp(outcome, "lost") == 0 && (request_.kind == Kind::kRenew || request_.kind == Kind::kRelease)) {
    result.outcome = StoreOutcome::kLost;
    result.why = WhyOf(Text(reply, 1));
    return Time(reply, 2, &result.store_now_ms) ? result : Misread(reply);
  }
  if (strcmp(outcome, "in use") == 0 && request_.kind == Kind::kDeclareNew) {
    result.outcome = StoreOutcome::kInUse;
    return result;
  }
  if (strcmp(outcome, "ok") != 0) return Misread(reply);
  result.outcome = StoreOutcome::kOk;
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

size_t RedisLeaseStore::record_count() const noexcept {
  const redisReply* reply = link_.reply(0);
  return reply == nullptr || reply->elements < 2 ? 0 : (static_cast<size_t>(reply->elements) - 2) / 2;
}

bool RedisLeaseStore::Record(size_t index, StoreRecord* record) const noexcept {
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
