// Lease requests as exchanges with etcd, and what its replies mean.
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

constexpr int64_t kReachMs = core::kMsPerMinute;  // as in Redis: a floor so far ahead of the clock is still accepted

int64_t TtlSeconds(int64_t ttl_ms) noexcept { return (ttl_ms + core::kMsPerSecond - 1) / core::kMsPerSecond; }

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

// As etcd granted it, up to a year: it may grant more than it was asked for.
int64_t TtlMs(const wire::EtcdReply& reply) noexcept {
  constexpr int64_t kMaxSeconds = 365 * core::kMsPerDay / core::kMsPerSecond;
  return std::min(reply.ttl_s(), kMaxSeconds) * core::kMsPerSecond;
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
  has_raised_ = has_answer_ = false;
  if (!keys_.is_set()) return Fail("\"idgen.lease_prefix\" and the path of the URL are too long");
  if (request.token[0] != '\0' && lease_ != LeaseOf(request.token)) {
    lease_ = LeaseOf(request.token);
    lease_ttl_ms_ = 0;
  }
  switch (request.kind) {
    case Kind::kAcquire: return AskListing(true);
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

// `grants`: the etcd lease is granted side by side.
void EtcdLeaseStore::AskListing(bool grants) noexcept {
  keep_alive_ = -1;
  NewExchange();
  AddCall(io::kEtcdRange).Range(keys_.First(), keys_.End());
  if (has_raised_) WriteRaise(keys_, request_.previous.worker, request_.previous.ceiling_ms, &AddCall(io::kEtcdTxn));
  if (grants) AddGrant();
  Ask(Stage::kListing);
}

void EtcdLeaseStore::AskTaking(const EtcdListing& listing) noexcept {
  const int64_t now_ms = NowMs();
  choice_ = Choose(listing, {.min_worker = settings_.min_worker,
                             .max_workers = settings_.max_workers,
                             .now_ms = now_ms,
                             .reach_ms = kReachMs,
                             .previous_reach_ms = kReachMs + settings_.ttl_ms,  // one crash never has to wait
                             .previous = request_.previous,
                             .seed = static_cast<uint64_t>(lease_) + static_cast<uint64_t>(takes_)});
  if (choice_.count == 0)
    return choice_.ahead_until_ms > 0 ? AnswerBusy(Why::kAhead, choice_.ahead_until_ms) : AnswerBusy(Why::kFull, 0);
  if (takes_++ >= kMaxTakes) return AnswerBusy(Why::kNone, 0);
  NewExchange();
  WriteTake(keys_, Text(), request_.previous, choice_, &AddCall(io::kEtcdTxn));
  // So that a server that crashes again and again does not use up the worker ids.
  if (choice_.previous_is_ahead) AddCall(io::kEtcdLeaseRevoke).Lease(LeaseOf(request_.previous.token));
  Ask(Stage::kTaking);
}

void EtcdLeaseStore::AskRenewal() noexcept {
  NewExchange();
  WriteRenew(keys_, request_.worker, request_.fence, request_.token, request_.ceiling_ms, &AddCall(io::kEtcdTxn));
  AddKeepAlive();
  Ask(Stage::kRenewing);
}

void EtcdLeaseStore::AskPresence() noexcept {
  NewExchange();
  if (lease_ttl_ms_ == 0) {
    AddGrant();
    return Ask(Stage::kGranting);
  }
  WritePresent(keys_, request_.worker, Text(), request_.ceiling_ms, &AddCall(io::kEtcdTxn));
  AddKeepAlive();
  Ask(Stage::kPresenting);
}

void EtcdLeaseStore::AddGrant() noexcept {
  AddCall(io::kEtcdLeaseGrant).LeaseGrant(lease_, TtlSeconds(settings_.ttl_ms));
}

// When at most 60 % of the TTL are left. A keep-alive and a renewal need not arrive in order: if the lease is gone, so
// is the key that the renewal compares.
void EtcdLeaseStore::AddKeepAlive() noexcept {
  keep_alive_ = -1;
  if (lease_ttl_ms_ > 0 && now_us_ - lease_kept_us_ < lease_ttl_ms_ * core::kUsPerMs * 2 / 5) return;
  keep_alive_ = 1;
  AddCall(io::kEtcdLeaseKeepAlive).Lease(lease_);
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
  if (request_.kind == Kind::kAcquire && stage_ == Stage::kListing && !has_raised_ && request_.previous.known()) {
    has_raised_ = true;
    return AskListing(false);
  }
  if (request_.kind != Kind::kAcquire && request_.kind != Kind::kRenew)
    return Fail("the endpoints of the lease store belong to different etcd clusters");
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

// False, and the request has failed, if there is no lease.
bool EtcdLeaseStore::ReadGrant(const wire::EtcdReply& reply) noexcept {
  // The same grant had arrived before, and may have been some time ago.
  const bool had_it = reply.error_code() == wire::kEtcdFailedPrecondition;
  if (!had_it && (reply.error_code() != wire::kEtcdOk || reply.ttl_s() <= 0)) {
    FailOnReply(reply);
    return false;
  }
  lease_ttl_ms_ = had_it ? TtlSeconds(settings_.ttl_ms) * core::kMsPerSecond : TtlMs(reply);
  lease_kept_us_ = had_it ? asked_us_ - lease_ttl_ms_ * core::kUsPerMs : asked_us_;
  return true;
}

// Of a lease that is gone the reply has no TTL. The transaction beside it says what that means.
void EtcdLeaseStore::ReadKeepAlive() noexcept {
  if (keep_alive_ < 0) return;
  const wire::EtcdReply& reply = link_.reply(keep_alive_);
  if (reply.error_code() != wire::kEtcdOk || reply.ttl_s() <= 0) return;
  lease_ttl_ms_ = TtlMs(reply);
  lease_kept_us_ = asked_us_;
}

void EtcdLeaseStore::ReadListing() noexcept {
  const wire::EtcdReply& range = link_.reply(0);
  if (range.error_code() != wire::kEtcdOk) return FailOnReply(range);
  if (!has_raised_) {
    if (!ReadGrant(link_.reply(1))) return;
    // The store may not know how far this server's previous ceiling was.
    const FencedLease& previous = request_.previous;
    const bool went_back = range.revision() < request_.revision;
    const bool is_other = previous.cluster != 0 && previous.cluster != range.cluster_id();
    if (previous.known() && (went_back || is_other)) {
      has_raised_ = true;
      return AskListing(false);
    }
  } else if (link_.reply(1).error_code() != wire::kEtcdOk) {
    return FailOnReply(link_.reply(1));
  }
  const EtcdListing listing(keys_, range.whole());
  uint32_t worker;
  wire::EtcdKv kv;
  if (listing.FindToken(request_.token, &worker, &kv)) {
    if (worker < settings_.min_worker || worker >= settings_.max_workers)
      return Fail("the lease store has another worker id for this server than it may have");
    bool has_ceiling;
    int64_t ceiling_ms;
    if (!listing.ReadCeiling(worker, &has_ceiling, &ceiling_ms))
      return Fail("the ceiling of this server's worker id in the lease store is damaged");
    return AnswerAcquired(worker, kv.mod_revision, ceiling_ms);
  }
  if (!request_.previous.known() && listing.CountHolder(settings_.holder, request_.token) >= kMaxHolders)
    return AnswerBusy(Why::kCrashes, 0);
  AskTaking(listing);
}

void EtcdLeaseStore::ReadTaken() noexcept {
  const wire::EtcdReply& reply = link_.reply(0);
  // The lease ended in the meantime, or was revoked.
  if (reply.error_code() == wire::kEtcdNotFound && takes_ < kMaxTakes) return ListAgain();
  if (reply.error_code() != wire::kEtcdOk) return FailOnReply(reply);
  const Taken taken = lease::ReadTaken(reply, choice_);
  switch (taken.how) {
    case Taken::How::kTaken:
      return AnswerAcquired(choice_.candidates[taken.candidate].worker, reply.revision(), taken.floor_ms);
    case Taken::How::kHasOne: return takes_ < kMaxTakes ? ListAgain() : AnswerBusy(Why::kNone, 0);
    case Taken::How::kLost: return AskTaking(EtcdListing(keys_, taken.records));
    case Taken::How::kUnexpected: break;
  }
  FailOnReply(reply);
}

void EtcdLeaseStore::ListAgain() noexcept {
  ++takes_;
  has_raised_ = false;
  AskListing(true);
}

// A floor that is not later than this server's clock changes nothing, and tells since when it has the worker id.
void EtcdLeaseStore::AnswerAcquired(uint32_t worker, int64_t fence, int64_t floor_ms) noexcept {
  StoreReply reply = Reply(StoreOutcome::kOk);
  const int64_t now_ms = reply.store_now_ms > 0 ? std::min(reply.store_now_ms, request_.wall_ms) : request_.wall_ms;
  reply.worker = worker;
  reply.fence = fence;
  reply.floor_ms = std::max(floor_ms, now_ms);
  reply.expiry_ms = ExpiryMs();
  reply.revision = link_.reply(0).revision();
  Answer(reply);
}

void EtcdLeaseStore::AnswerBusy(Why why, int64_t until_ms) noexcept {
  StoreReply reply = Reply(StoreOutcome::kBusy);
  reply.why = why;
  reply.until_ms = until_ms;
  reply.revision = link_.reply(0).revision();
  Answer(reply);
}

void EtcdLeaseStore::ReadRenewal() noexcept {
  const wire::EtcdReply& transaction = link_.reply(0);
  if (transaction.error_code() != wire::kEtcdOk) return FailOnReply(transaction);
  const Renewed renewed = lease::ReadRenewed(transaction, request_.fence, request_.token, request_.ceiling_ms);
  if (renewed.how == Renewed::How::kUnexpected) return FailOnReply(transaction);
  ReadKeepAlive();
  StoreReply reply = Reply(StoreOutcome::kOk);
  reply.revision = transaction.revision();
  const bool went_back = reply.revision < request_.revision;
  if (went_back || renewed.how != Renewed::How::kRenewed) {
    reply.outcome = StoreOutcome::kLost;
    reply.why = went_back || renewed.how == Renewed::How::kForgotten ? Why::kForgotten : Why::kTaken;
    return Answer(reply);
  }
  reply.granted_ms = request_.ceiling_ms;
  reply.expiry_ms = ExpiryMs();
  if (!renewed.static_holder.empty() && renewed.static_holder != settings_.holder) {
    reply.rival = StoreReply::Rival::kStatic;
    snprintf(rival_, sizeof rival_, "%.*s", static_cast<int>(renewed.static_holder.size()),
             renewed.static_holder.data());
    reply.rival_holder = rival_;
  }
  Answer(reply);
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

void EtcdLeaseStore::ReadPresence() noexcept {
  const wire::EtcdReply& transaction = link_.reply(0);
  // The lease has ended, as after an outage: it is granted again, once.
  if (transaction.error_code() == wire::kEtcdNotFound && takes_++ == 0) {
    lease_ttl_ms_ = 0;
    return AskPresence();
  }
  Presented presented;
  if (transaction.error_code() != wire::kEtcdOk || !ReadPresented(transaction, &presented))
    return FailOnReply(transaction);
  ReadKeepAlive();
  StoreReply reply = Reply(StoreOutcome::kOk);
  const std::string_view announced = presented.announced.token, leased = presented.leased.holder;
  std::string_view rival;
  if (!announced.empty() && announced != request_.token) {
    reply.rival = StoreReply::Rival::kStatic;
    rival = presented.announced.holder;
  } else if (!leased.empty() && leased != settings_.holder) {
    reply.rival = StoreReply::Rival::kLease;
    rival = leased;
  }
  snprintf(rival_, sizeof rival_, "%.*s", static_cast<int>(rival.size()), rival.data());
  reply.rival_holder = rival_;
  Answer(reply);
}

// ---- parts

// By etcd's clock, and only for people: etcd decides when a lease ends.
int64_t EtcdLeaseStore::ExpiryMs() const noexcept {
  if (lease_ttl_ms_ == 0 || link_.store_now_ms() == 0) return 0;
  return link_.store_now_ms() + std::max(lease_ttl_ms_ - core::MsOf(now_us_ - lease_kept_us_), int64_t{0});
}

int64_t EtcdLeaseStore::NowMs() const noexcept { return std::max(link_.store_now_ms(), request_.wall_ms); }

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
