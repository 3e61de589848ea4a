// What a server repeats as long as it has its worker id: renewals, announcements of a static worker id, and the
// keep-alive of the etcd lease beside them.
#include <algorithm>
#include <cstdio>

#include "core/time.h"
#include "lease/etcd/store.h"

namespace idgen::lease {
namespace {

using Why = StoreReply::Why;

int64_t TtlSeconds(int64_t ttl_ms) noexcept { return (ttl_ms + core::kMsPerSecond - 1) / core::kMsPerSecond; }

// As etcd granted it, up to a year: it may grant more than it was asked for.
int64_t TtlMs(const wire::EtcdReply& reply) noexcept {
  constexpr int64_t kMaxSeconds = 365 * core::kMsPerDay / core::kMsPerSecond;
  return std::min(reply.ttl_s(), kMaxSeconds) * core::kMsPerSecond;
}

}  // namespace

// ---- the etcd lease

void EtcdLeaseStore::AddGrant() noexcept {
  AddCall(io::kEtcdLeaseGrant).LeaseGrant(lease_, TtlSeconds(settings_.ttl_ms));
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

// When at most 60 % of the TTL are left. A keep-alive and a renewal need not arrive in order: if the lease is gone, so
// is the key that the renewal compares.
void EtcdLeaseStore::AddKeepAlive() noexcept {
  keep_alive_ = -1;
  if (lease_ttl_ms_ > 0 && now_us_ - lease_kept_us_ < lease_ttl_ms_ * core::kUsPerMs * 2 / 5) return;
  keep_alive_ = 1;
  AddCall(io::kEtcdLeaseKeepAlive).Lease(lease_);
}

// Of a lease that is gone the reply has no TTL. The transaction beside it says what that means.
void EtcdLeaseStore::ReadKeepAlive() noexcept {
  if (keep_alive_ < 0) return;
  const wire::EtcdReply& reply = link_.reply(keep_alive_);
  if (reply.error_code() != wire::kEtcdOk || reply.ttl_s() <= 0) return;
  lease_ttl_ms_ = TtlMs(reply);
  lease_kept_us_ = asked_us_;
}

// By etcd's clock, and only for people: etcd decides when a lease ends.
int64_t EtcdLeaseStore::ExpiryMs() const noexcept {
  if (lease_ttl_ms_ == 0 || link_.store_now_ms() == 0) return 0;
  return link_.store_now_ms() + std::max(lease_ttl_ms_ - core::MsOf(now_us_ - lease_kept_us_), int64_t{0});
}

// ---- renewals

void EtcdLeaseStore::AskRenewal() noexcept {
  NewExchange();
  WriteRenew(keys_, request_.worker, request_.fence, request_.token, stored_ms_, request_.ceiling_ms,
             &AddCall(io::kEtcdTxn));
  AddKeepAlive();
  Ask(Stage::kRenewing);
}

void EtcdLeaseStore::ReadRenewal() noexcept {
  const wire::EtcdReply& transaction = link_.reply(0);
  if (transaction.error_code() != wire::kEtcdOk) return FailOnReply(transaction);
  const Renewed renewed = lease::ReadRenewed(transaction, request_.fence, request_.token);
  ReadKeepAlive();
  switch (renewed.how) {
    case Renewed::How::kRenewed: stored_ms_ = std::max(stored_ms_, request_.ceiling_ms); break;
    case Renewed::How::kTaken: return AnswerLost(Why::kTaken);
    case Renewed::How::kForgotten: return AnswerLost(Why::kForgotten);
    case Renewed::How::kOtherCeiling:
      if (renewed.stored_ms != std::max(stored_ms_, request_.ceiling_ms)) {  // else it had been carried out before
        if (renewed.stored_ms < stored_ms_)
          has_forgotten_ = true;
        else if (renewed.stored_ms > request_.offered_ms && renewed.static_holder.empty())
          return AnswerLost(Why::kCopied);
      }
      stored_ms_ = renewed.stored_ms;
      if (stored_ms_ >= request_.ceiling_ms) break;
      if (takes_++ >= kMaxTakes) return Fail("the ceiling in the lease store changes all the time");
      return AskRenewal();
    case Renewed::How::kUnexpected: return FailOnReply(transaction);
  }
  if (has_forgotten_ || transaction.revision() < request_.revision) return AnswerLost(Why::kForgotten);
  StoreReply reply = Reply(StoreOutcome::kOk);
  reply.revision = transaction.revision();
  reply.granted_ms = request_.ceiling_ms;
  reply.stored_ms = stored_ms_;
  reply.expiry_ms = ExpiryMs();
  if (!renewed.static_holder.empty() && renewed.static_holder != settings_.holder)
    NameRival(StoreReply::Rival::kStatic, renewed.static_holder, &reply);
  Answer(reply);
}

void EtcdLeaseStore::AnswerLost(Why why) noexcept {
  StoreReply reply = Reply(StoreOutcome::kLost);
  reply.revision = link_.reply(0).revision();
  reply.why = reply.revision < request_.revision ? Why::kForgotten : why;
  Answer(reply);
}

// ---- presence

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
  if (!announced.empty() && announced != request_.token)
    NameRival(StoreReply::Rival::kStatic, presented.announced.holder, &reply);
  else if (!leased.empty() && leased != settings_.holder)
    NameRival(StoreReply::Rival::kLease, leased, &reply);
  Answer(reply);
}

void EtcdLeaseStore::NameRival(StoreReply::Rival kind, std::string_view holder, StoreReply* reply) noexcept {
  snprintf(rival_, sizeof rival_, "%.*s", static_cast<int>(holder.size()), holder.data());
  reply->rival = kind;
  reply->rival_holder = rival_;
}

}  // namespace idgen::lease
