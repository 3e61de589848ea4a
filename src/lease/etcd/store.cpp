// Lease requests as exchanges with etcd: which one begins with what, and what all of their replies have in common.
// Simple requests as a whole; the others in acquire.cpp and renew.cpp.
#include "lease/etcd/store.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "core/check.h"
#include "core/fnv.h"
#include "core/time.h"
#include "wire/printable.h"

namespace idgen::lease {
namespace {

using Kind = StoreRequest::Kind;
using Why = StoreReply::Why;

constexpr const char* kNoSpaceAdvice =
    "etcd has used up its space quota. Make room (compact and defragment it, or raise its quota), then run \"etcdctl "
    "alarm disarm\".";
constexpr const char* kPermissionAdvice =
    "Grant the user's role in etcd read and write permission for all keys under the path in \"idgen.lease_store\" and "
    "\"idgen.lease_prefix\".";

const char* AdviceOn(const wire::EtcdReply& reply) noexcept {
  if (strstr(reply.error(), "database space exceeded") != nullptr) return kNoSpaceAdvice;
  return reply.error_code() == wire::kEtcdPermissionDenied ? kPermissionAdvice : nullptr;
}

}  // namespace

// ---- requests

void EtcdLeaseStore::Configure(const LeaseStoreSettings& settings) noexcept {
  settings_ = settings;
  stage_ = Stage::kNone;
  lease_ = 0;
  link_.Configure(settings.access);
  keys_.Set(link_.key_prefix(), settings.prefix);
}

void EtcdLeaseStore::Close() noexcept {
  stage_ = Stage::kNone;
  has_answer_ = false;
  link_.Close();
}

void EtcdLeaseStore::Begin(const StoreRequest& request, int64_t now_us) noexcept {
  request_ = request;
  now_us_ = now_us;
  until_us_ = now_us + settings_.access.timeout_us;
  problem_[0] = '\0';
  takes_ = 0;
  cluster_ = request.cluster;
  stored_ms_ = request.stored_ms;
  has_forgotten_ = has_answer_ = false;
  if (!keys_.is_set()) return Fail("\"idgen.lease_prefix\" and the path of the URL are too long");
  if (request.token[0] != '\0' && lease_ != LeaseOf(request.token)) {
    lease_ = LeaseOf(request.token);
    lease_ttl_ms_ = 0;
  }
  switch (request.kind) {
    case Kind::kAcquire: return BeginAcquisition();
    case Kind::kRenew: return AskRenewal();
    case Kind::kPresent: return AskPresence();
    case Kind::kRelease:
      NewExchange();
      AddCall(io::kEtcdLeaseRevoke).Lease(lease_);
      lease_ = 0;
      return Ask(Stage::kReleasing);
    case Kind::kList:
    case Kind::kDeclareNew:
      NewExchange();
      AddCall(io::kEtcdRange).Range(keys_.First(), keys_.End());
      return Ask(Stage::kReading);
  }
}

void EtcdLeaseStore::Ask(Stage stage) noexcept {
  stage_ = stage;
  asked_us_ = now_us_;
  link_.Begin(now_us_, until_us_);
}

void EtcdLeaseStore::NewExchange() noexcept {
  calls_ = 0;
  link_.NewExchange();
}

wire::EtcdBody& EtcdLeaseStore::AddCall(const char* path) noexcept {
  ++calls_;
  return link_.AddCall(path, /*is_repeatable=*/true);
}

// ---- replies

bool EtcdLeaseStore::Step(int64_t now_us, StoreReply* reply) noexcept {
  now_us_ = now_us;
  while (!has_answer_ && stage_ != Stage::kNone) {
    const io::EtcdLink::State state = link_.Step(now_us);
    if (state == io::EtcdLink::State::kFailed) {
      failure_advice_ = nullptr;
      Answer(StoreReply());
    } else if (state == io::EtcdLink::State::kDone) {
      const uint64_t other = FindOtherCluster();
      other == 0 ? Read() : ReadOtherCluster(other);
    } else {
      return false;
    }
  }
  *reply = answer_;
  has_answer_ = false;
  return true;
}

io::Wants EtcdLeaseStore::wants(int64_t now_us) const noexcept {
  if (has_answer_) return {.wake_boot_us = now_us};
  return link_.wants(now_us);
}

void EtcdLeaseStore::Read() noexcept {
  switch (stage_) {
    case Stage::kListing: return ReadListing();
    case Stage::kTaking: return ReadTaken();
    case Stage::kRenewing: return ReadRenewal();
    case Stage::kReleasing: return ReadRelease();
    case Stage::kReading: return ReadList();
    case Stage::kGranting:
      if (ReadGrant(link_.reply(0))) AskPresence();
      return;
    case Stage::kPresenting: return ReadPresence();
    case Stage::kNone: break;
  }
}

// 0 if there is none. An error does not say which cluster it is from.
uint64_t EtcdLeaseStore::FindOtherCluster() noexcept {
  for (int i = 0; i < calls_; ++i) {
    const uint64_t cluster = link_.reply(i).cluster_id();
    if (cluster_ == 0) cluster_ = cluster;
    if (cluster != 0 && cluster != cluster_) return cluster;
  }
  return 0;
}

// Before anybody leases this server's previous worker id there, that cluster is told how far its ids have come.
void EtcdLeaseStore::ReadOtherCluster(uint64_t other) noexcept {
  if (request_.kind == Kind::kAcquire && stage_ == Stage::kListing && !has_raised_ && request_.previous.known())
    return RaiseAndList();
  if (request_.kind != Kind::kAcquire && request_.kind != Kind::kRenew)
    return Fail("the endpoints of the lease store belong to different etcd clusters");
  if (stage_ == Stage::kListing && raise_ >= 0 && link_.reply(raise_).error_code() != wire::kEtcdOk)
    return FailOnReply(link_.reply(raise_));
  StoreReply reply = Reply(request_.kind == Kind::kAcquire ? StoreOutcome::kBusy : StoreOutcome::kLost);
  reply.why = Why::kOtherCluster;
  reply.cluster = other;
  Answer(reply);
}

void EtcdLeaseStore::Answer(const StoreReply& reply) noexcept {
  stage_ = Stage::kNone;
  has_answer_ = true;
  answer_ = reply;
  if (reply.outcome != StoreOutcome::kFailed) failure_advice_ = nullptr;
}

void EtcdLeaseStore::Fail(const char* problem) noexcept {
  snprintf(problem_, sizeof problem_, "%s", problem);
  failure_advice_ = nullptr;
  Answer(StoreReply());
}

void EtcdLeaseStore::FailOnReply(const wire::EtcdReply& reply) noexcept {
  if (reply.error_code() == wire::kEtcdOk) return Fail("unexpected reply from the lease store");
  char words[sizeof problem_];
  snprintf(words, sizeof words, "the store says: %.300s", reply.error());
  Fail(words);
  failure_advice_ = AdviceOn(reply);
}

StoreReply EtcdLeaseStore::Reply(StoreOutcome outcome) const noexcept {
  StoreReply reply;
  reply.outcome = outcome;
  reply.store_now_ms = link_.store_now_ms();
  reply.cluster = cluster_;
  return reply;
}

void EtcdLeaseStore::ReadRelease() noexcept {
  const wire::EtcdReply& reply = link_.reply(0);
  if (reply.error_code() != wire::kEtcdOk && reply.error_code() != wire::kEtcdNotFound) return FailOnReply(reply);
  StoreReply released = Reply(reply.error_code() == wire::kEtcdOk ? StoreOutcome::kOk : StoreOutcome::kLost);
  if (released.outcome == StoreOutcome::kLost) released.why = Why::kTaken;
  Answer(released);
}

void EtcdLeaseStore::ReadList() noexcept {
  const wire::EtcdReply& reply = link_.reply(0);
  if (reply.error_code() != wire::kEtcdOk) return FailOnReply(reply);
  if (request_.kind == Kind::kList) return Answer(Reply(StoreOutcome::kOk));
  // No server waits for a declaration, so there is nothing to remember.
  StoreReply declared = Reply(reply.kv_count() == 0 ? StoreOutcome::kOk : StoreOutcome::kInUse);
  declared.until_ms = declared.store_now_ms;
  Answer(declared);
}

// ---- parts of requests and replies

EtcdLeaseText EtcdLeaseStore::Text() noexcept {
  const size_t size = std::min(strlen(settings_.holder), kHolderBytes);
  memcpy(value_, request_.token, kTokenBytes);
  value_[kTokenBytes] = '|';
  memcpy(value_ + kTokenBytes + 1, settings_.holder, size);
  return {.lease = lease_, .value = {value_, kTokenBytes + 1 + size}};
}

// ---- list

size_t EtcdLeaseStore::record_count() const noexcept { return static_cast<size_t>(link_.reply(0).kv_count()); }

bool EtcdLeaseStore::Record(size_t index, StoreRecord* record) const noexcept {
  const wire::EtcdOp range = link_.reply(0).whole();
  const EtcdListing listing(keys_, range);
  wire::EtcdKv kv, other;
  uint32_t worker = 0;
  if (index >= record_count() || !range.kv(static_cast<int>(index), &kv)) return false;
  const EtcdKeys::Kind kind = keys_.Parse(kv.key, &worker);
  *record = StoreRecord{.worker = worker};
  bool has_ceiling;
  if (!listing.ReadCeiling(worker, &has_ceiling, &record->ceiling_ms)) return false;
  switch (kind) {
    case EtcdKeys::Kind::kNone: return false;
    case EtcdKeys::Kind::kCeiling:
      record->free = true;
      record->token = record->holder = "";
      return !listing.Find(EtcdKeys::Kind::kWorker, worker, &other) &&
             !listing.Find(EtcdKeys::Kind::kStatic, worker, &other);
    case EtcdKeys::Kind::kStatic: record->is_static = true; break;
    case EtcdKeys::Kind::kWorker: record->fence = kv.mod_revision; break;
  }
  const EtcdHolder value = ParseHolder(kv.value);
  record->token = value.token.data();
  record->holder = value.holder.data();  // a reply's values are zero-terminated
  return !value.token.empty();
}

}  // namespace idgen::lease
