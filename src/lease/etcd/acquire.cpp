// Acquiring a worker id: list, choose, take. With a previous lease, that first: it needs no list.
#include <algorithm>

#include "core/time.h"
#include "lease/etcd/store.h"

namespace idgen::lease {
namespace {

using Why = StoreReply::Why;

constexpr int64_t kReachMs = core::kMsPerMinute;  // as in Redis: a floor so far ahead of the clock is still accepted

}  // namespace

void EtcdLeaseStore::BeginAcquisition() noexcept {
  has_raised_ = false;
  lists_ = 0;
  looks_ = request_.previous.known();
  AskListing(/*grants=*/true);
}

// Lists all records, or looks at the previous lease, and lists them unless it is still this server's.
// `grants`: the etcd lease is granted side by side.
void EtcdLeaseStore::AskListing(bool grants) noexcept {
  grant_ = raise_ = -1;
  NewExchange();
  if (looks_)
    WriteLook(keys_, request_.previous, &AddCall(io::kEtcdTxn));
  else
    AddCall(io::kEtcdRange).Range(keys_.First(), keys_.End());
  if (has_raised_) {
    raise_ = calls_;
    WriteRaise(keys_, request_.previous.worker, request_.previous.ceiling_ms, &AddCall(io::kEtcdTxn));
  }
  if (grants) {
    grant_ = calls_;
    AddGrant();
  }
  Ask(Stage::kListing);
}

// The ceiling of the previous lease is raised, since the store may not know it.
void EtcdLeaseStore::RaiseAndList() noexcept {
  has_raised_ = true;
  ListAfterAll();
}

// All records, after a look at the previous lease did not suffice.
void EtcdLeaseStore::ListAfterAll() noexcept {
  ++lists_;
  looks_ = false;
  AskListing(/*grants=*/false);
}

void EtcdLeaseStore::ReadListing() noexcept {
  const wire::EtcdReply& reply = link_.reply(0);
  if (reply.error_code() != wire::kEtcdOk) return FailOnReply(reply);
  if (raise_ >= 0 && link_.reply(raise_).error_code() != wire::kEtcdOk) return FailOnReply(link_.reply(raise_));
  if (grant_ >= 0 && !ReadGrant(link_.reply(grant_))) return;
  const FencedLease& previous = request_.previous;
  const bool went_back = reply.revision() < request_.revision;
  const bool is_other = previous.cluster != 0 && previous.cluster != reply.cluster_id();
  if (previous.known() && (went_back || is_other) && !has_raised_) return RaiseAndList();
  if (!looks_) return ReadRecords(reply.whole());
  const Looked looked = ReadLooked(reply);
  if (HasForgotten(looked)) return RaiseAndList();
  switch (looked.how) {
    case Looked::How::kOwn:
      choice_ = ChoosePrevious(Rules(), looked.has_ceiling, looked.ceiling_ms);
      return choice_.count > 0 ? AskTaking() : ListAfterAll();
    case Looked::How::kDamaged: return ListAfterAll();
    case Looked::How::kNot: return ReadRecords(looked.records);
    case Looked::How::kUnexpected: break;
  }
  FailOnReply(reply);
}

// The store went back in time if it has a lower ceiling than it once had. Its revision need not show that: others may
// have written more since than it lost.
bool EtcdLeaseStore::HasForgotten(const Looked& looked) const noexcept {
  const FencedLease& previous = request_.previous;
  bool has_ceiling = looked.has_ceiling;
  int64_t ceiling_ms = looked.ceiling_ms;
  switch (looked.how) {
    case Looked::How::kOwn: break;
    case Looked::How::kNot:
      if (!EtcdListing(keys_, looked.records).ReadCeiling(previous.worker, &has_ceiling, &ceiling_ms)) return false;
      break;
    default: return false;
  }
  return (has_ceiling ? ceiling_ms : 0) < previous.granted_ms;
}

void EtcdLeaseStore::ReadRecords(const wire::EtcdOp& records) noexcept {
  const EtcdListing listing(keys_, records);
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
  ChooseAndTake(listing);
}

ChoiceRules EtcdLeaseStore::Rules() const noexcept {
  return {.min_worker = settings_.min_worker,
          .max_workers = settings_.max_workers,
          .now_ms = std::max(link_.store_now_ms(), request_.wall_ms),
          .reach_ms = kReachMs,
          .previous_reach_ms = kReachMs + settings_.ttl_ms,  // one crash never has to wait
          .previous = request_.previous,
          .seed = static_cast<uint64_t>(lease_) + static_cast<uint64_t>(takes_)};
}

void EtcdLeaseStore::ChooseAndTake(const EtcdListing& listing) noexcept {
  choice_ = Choose(listing, Rules());
  if (choice_.count == 0)
    return choice_.ahead_until_ms > 0 ? AnswerBusy(Why::kAhead, choice_.ahead_until_ms) : AnswerBusy(Why::kFull, 0);
  AskTaking();
}

void EtcdLeaseStore::AskTaking() noexcept {
  if (lists_ + takes_++ >= kMaxTakes) return AnswerBusy(Why::kNone, 0);
  NewExchange();
  WriteTake(keys_, Text(), request_.previous, choice_, &AddCall(io::kEtcdTxn));
  // So that a server that crashes again and again does not use up the worker ids.
  if (choice_.previous_is_ahead) AddCall(io::kEtcdLeaseRevoke).Lease(LeaseOf(request_.previous.token));
  Ask(Stage::kTaking);
}

void EtcdLeaseStore::ReadTaken() noexcept {
  const wire::EtcdReply& reply = link_.reply(0);
  // The lease ended in the meantime, or was revoked.
  if (reply.error_code() == wire::kEtcdNotFound && lists_ + takes_ < kMaxTakes) return ListAgain();
  if (reply.error_code() != wire::kEtcdOk) return FailOnReply(reply);
  const Taken taken = lease::ReadTaken(reply, choice_);
  switch (taken.how) {
    case Taken::How::kTaken:
      return AnswerAcquired(choice_.candidates[taken.candidate].worker, reply.revision(), taken.floor_ms);
    case Taken::How::kHasOne: return lists_ + takes_ < kMaxTakes ? ListAgain() : AnswerBusy(Why::kNone, 0);
    case Taken::How::kLost: return ChooseAndTake(EtcdListing(keys_, taken.records));
    case Taken::How::kUnexpected: break;
  }
  FailOnReply(reply);
}

void EtcdLeaseStore::ListAgain() noexcept {
  ++takes_;
  looks_ = false;
  AskListing(/*grants=*/true);
}

// A ceiling that is not later than this server's clock changes nothing, and tells since when it has the worker id.
void EtcdLeaseStore::AnswerAcquired(uint32_t worker, int64_t fence, int64_t ceiling_ms) noexcept {
  StoreReply reply = Reply(StoreOutcome::kOk);
  const int64_t now_ms = reply.store_now_ms > 0 ? std::min(reply.store_now_ms, request_.wall_ms) : request_.wall_ms;
  reply.worker = worker;
  reply.fence = fence;
  reply.floor_ms = std::max(ceiling_ms, now_ms);
  reply.stored_ms = ceiling_ms;
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

}  // namespace idgen::lease
