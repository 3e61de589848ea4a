// The script's operations, in its order.
#include "leases/redis_model.h"

#include <algorithm>
#include <cstring>

namespace idgen::sim {
namespace {

using lease::StoreOutcome;
using lease::StoreReply;
using lease::StoreRequest;
using Why = StoreReply::Why;

class Script {
 public:
  Script(RedisState& state, const Call& call, int64_t now_ms, uint64_t writer, const Breaks& breaks) noexcept
      : state_(state), call_(call), now_ms_(now_ms), writer_(writer), breaks_(breaks), quarantine_ms_(call.ttl_ms) {}

  StoreReply Acquire() {
    const int64_t closed_until_ms = Open();
    const int64_t expiry_ms = now_ms_ + call_.ttl_ms;
    int chosen = -1, own = 0;
    int64_t lowest_ms = 0, highest_ms = 0, first_expiry_ms = -1, static_expiry_ms = -1, own_expiry_ms = -1;
    if (state_.records.size() < static_cast<size_t>(call_.max_workers))
      state_.records.resize(static_cast<size_t>(call_.max_workers));
    for (int worker = call_.min_worker; worker < call_.max_workers; ++worker) {
      Record& record = state_.records[static_cast<size_t>(worker)];
      const int64_t record_expiry_ms = ExpiryOf(record);
      if (record.there && !record.free && (record_expiry_ms > now_ms_ || breaks_.resurrected) &&
          (strcmp(record.token, call_.request.token) == 0 || (breaks_.token_swap && record.holder == call_.holder))) {
        Write(record, record.ceiling_ms, expiry_ms, record.floor_ms);
        return Acquired(worker, record.floor_ms, expiry_ms);
      }
      if (record.there) highest_ms = std::max(highest_ms, record.ceiling_ms);
      if (record.there && !record.free && record_expiry_ms > now_ms_) {
        first_expiry_ms = first_expiry_ms < 0 ? record_expiry_ms : std::min(first_expiry_ms, record_expiry_ms);
        if (record.holder == call_.holder) {
          ++own;
          own_expiry_ms = own_expiry_ms < 0 ? record_expiry_ms : std::min(own_expiry_ms, record_expiry_ms);
        }
        continue;
      }
      const Record* claim = ClaimOf(static_cast<uint32_t>(worker));
      if (claim != nullptr && ExpiryOf(*claim) > now_ms_) {
        static_expiry_ms = static_expiry_ms < 0 ? ExpiryOf(*claim) : std::min(static_expiry_ms, ExpiryOf(*claim));
        continue;
      }
      const int64_t recorded_ms =
          std::max(record.there ? record.ceiling_ms : 0, claim != nullptr ? claim->ceiling_ms : 0);
      const int64_t floor_ms = breaks_.floor_from_record && record.there ? recorded_ms : std::max(recorded_ms, now_ms_);
      if (chosen < 0 || (floor_ms < lowest_ms && !breaks_.any_worker)) {
        chosen = worker;
        lowest_ms = floor_ms;
      }
    }
    if (closed_until_ms >= 0) return Busy(Why::kQuarantine, closed_until_ms);
    if (own >= 3 && !breaks_.any_number_of_records) return Busy(Why::kCrashes, own_expiry_ms);
    if (chosen < 0) {
      int64_t until_ms = first_expiry_ms >= 0 ? first_expiry_ms : static_expiry_ms >= 0 ? static_expiry_ms : now_ms_;
      if (static_expiry_ms >= 0) until_ms = std::min(until_ms, static_expiry_ms);
      return Busy(Why::kFull, until_ms);
    }
    if (lowest_ms > now_ms_ + call_.reach_ms) {
      const int64_t until_ms = lowest_ms - call_.reach_ms;
      return Busy(Why::kAhead, first_expiry_ms < 0 ? until_ms : std::min(until_ms, first_expiry_ms));
    }
    if (first_expiry_ms < 0 && highest_ms <= now_ms_ + call_.ttl_ms) state_.ttl_ms = call_.ttl_ms;
    Write(state_.records[static_cast<size_t>(chosen)], lowest_ms, expiry_ms, lowest_ms);
    return Acquired(chosen, lowest_ms, expiry_ms);
  }

  StoreReply Renew() {
    Record* found = Find(call_.request.worker);
    if (call_.first || found == nullptr || state_.ttl_ms < call_.ttl_ms)
      Open();
    else
      quarantine_ms_ = state_.ttl_ms;
    const int64_t highest_ms = now_ms_ + quarantine_ms_;
    int64_t granted_ms = call_.request.ceiling_ms;
    if (granted_ms > highest_ms && !call_.durable && !breaks_.no_time_bound) granted_ms = highest_ms;
    const bool in_time = now_ms_ < call_.request.last_expiry_ms;
    int64_t stored_ms = granted_ms;
    if (found != nullptr && Owns(*found) && IsOfFloor(*found)) {
      if (!in_time && !breaks_.resurrected) {
        Open();
        if (state_.born_ms >= call_.request.last_expiry_ms) return Lost(Why::kForgotten);
      }
      if (!breaks_.stored_not_max) stored_ms = std::max(found->ceiling_ms, granted_ms);
    } else if (!call_.durable && (in_time || (breaks_.reclaim_without_expiry && found == nullptr)) &&
               !breaks_.no_reclaim &&
               (found == nullptr || found->free || (ExpiryOf(*found) <= now_ms_ && !HasToken(*found)))) {
      Open();
      if (!breaks_.reclaim_with_offered) stored_ms = std::max(granted_ms, highest_ms);
      if (found != nullptr) stored_ms = std::max(stored_ms, found->ceiling_ms);
      if (state_.records.size() <= call_.request.worker) state_.records.resize(call_.request.worker + 1);
      found = &state_.records[call_.request.worker];
    } else {
      return Lost(found != nullptr ? Why::kTaken : Why::kForgotten);
    }
    const int64_t expiry_ms = now_ms_ + call_.ttl_ms;
    Write(*found, stored_ms, expiry_ms, call_.request.floor_ms);
    StoreReply reply = {
        .outcome = StoreOutcome::kOk, .granted_ms = granted_ms, .expiry_ms = expiry_ms, .store_now_ms = now_ms_};
    const Record* claim = ClaimOf(call_.request.worker);
    if (claim != nullptr && ExpiryOf(*claim) > now_ms_ && claim->holder != call_.holder)
      SetRival(&reply, StoreReply::Rival::kStatic, *claim);
    return reply;
  }

  StoreReply Release() {
    Open();
    Record* found = call_.request.worker_known ? Find(call_.request.worker) : nullptr;
    if (!call_.request.worker_known) {
      for (Record& record : state_.records)
        if (record.there && !record.free && ExpiryOf(record) > now_ms_ &&
            strcmp(record.token, call_.request.token) == 0)
          found = &record;
    }
    if (found == nullptr || !Owns(*found)) return Lost(Why::kTaken);
    state_.touched = static_cast<int>(found - state_.records.data());
    found->free = true;
    found->expiry_ms = 0;
    found->token[0] = '\0';
    if (breaks_.release_lowers) found->ceiling_ms = std::min(found->ceiling_ms, now_ms_);
    return {.outcome = StoreOutcome::kOk, .store_now_ms = now_ms_};
  }

  StoreReply Present() {
    const uint32_t worker = call_.request.worker;
    StoreReply reply = {.outcome = StoreOutcome::kOk, .store_now_ms = now_ms_};
    const Record* lease = Find(worker);
    if (state_.claims.size() <= worker) state_.claims.resize(worker + 1);
    Record& claim = state_.claims[worker];
    if (claim.there && strcmp(claim.token, call_.request.token) != 0 && ExpiryOf(claim) > now_ms_)
      SetRival(&reply, StoreReply::Rival::kStatic, claim);
    else if (lease != nullptr && !lease->free && ExpiryOf(*lease) > now_ms_ && lease->holder != call_.holder)
      SetRival(&reply, StoreReply::Rival::kLease, *lease);
    const int64_t ceiling_ms = std::max(call_.request.ceiling_ms, claim.there ? claim.ceiling_ms : 0);
    Fill(claim, ceiling_ms, now_ms_ + call_.ttl_ms, 0);
    return reply;
  }

  StoreReply DeclareNew() {
    Open();
    for (const Record& record : state_.records)
      if (record.there) return {.outcome = StoreOutcome::kInUse};
    state_.new_until_ms = now_ms_ + call_.ttl_ms;
    return {.outcome = StoreOutcome::kOk, .until_ms = state_.new_until_ms};
  }

 private:
  // Until when no worker id may go to another token; -1 if it may.
  int64_t Open() noexcept {
    const bool missing = state_.born_ms < 0;
    const bool other_writer = state_.writer != writer_ && !breaks_.quarantine_only_when_empty;
    if (missing || other_writer || state_.born_ms > now_ms_) {
      state_.born_ms = now_ms_;
      state_.new_until_ms = -1;
    }
    state_.writer = writer_;
    if (state_.ttl_ms > call_.ttl_ms)
      quarantine_ms_ = state_.ttl_ms;
    else
      state_.ttl_ms = call_.ttl_ms;
    if (breaks_.no_quarantine) return -1;
    if (state_.new_until_ms > now_ms_ && state_.new_until_ms <= now_ms_ + quarantine_ms_) return -1;
    state_.new_until_ms = -1;
    const int64_t closed_until_ms = state_.born_ms + quarantine_ms_;
    return closed_until_ms > now_ms_ ? closed_until_ms : -1;
  }

  Record* Find(uint32_t worker) noexcept {
    if (worker >= state_.records.size() || !state_.records[worker].there) return nullptr;
    return &state_.records[worker];
  }
  const Record* ClaimOf(uint32_t worker) const noexcept {
    if (worker >= state_.claims.size() || !state_.claims[worker].there) return nullptr;
    return &state_.claims[worker];
  }
  void SetRival(StoreReply* reply, StoreReply::Rival kind, const Record& record) const noexcept {
    reply->rival = kind;
    reply->rival_holder = call_.name_of != nullptr ? call_.name_of(record.holder) : "";
  }
  bool Owns(const Record& record) const noexcept {
    return breaks_.no_owner_check || (!record.free && strcmp(record.token, call_.request.token) == 0);
  }
  bool IsOfFloor(const Record& record) const noexcept {
    return breaks_.token_alone || breaks_.no_owner_check || record.floor_ms == call_.request.floor_ms;
  }
  bool HasToken(const Record& record) const noexcept {
    return !record.free && strcmp(record.token, call_.request.token) == 0;
  }
  int64_t ExpiryOf(const Record& record) const noexcept { return std::min(record.expiry_ms, now_ms_ + quarantine_ms_); }

  void Write(Record& record, int64_t ceiling_ms, int64_t expiry_ms, int64_t floor_ms) const noexcept {
    state_.touched = static_cast<int>(&record - state_.records.data());
    Fill(record, ceiling_ms, expiry_ms, floor_ms);
  }
  void Fill(Record& record, int64_t ceiling_ms, int64_t expiry_ms, int64_t floor_ms) const noexcept {
    record.there = true;
    record.free = false;
    record.ceiling_ms = ceiling_ms;
    record.expiry_ms = expiry_ms;
    record.floor_ms = floor_ms;
    record.holder = call_.holder;
    memcpy(record.token, call_.request.token, sizeof record.token);
  }

  StoreReply Acquired(int worker, int64_t floor_ms, int64_t expiry_ms) const noexcept {
    return {.outcome = StoreOutcome::kOk,
            .worker = static_cast<uint32_t>(worker),
            .floor_ms = floor_ms,
            .expiry_ms = expiry_ms,
            .store_now_ms = now_ms_};
  }
  StoreReply Busy(Why why, int64_t until_ms) const noexcept {
    return {.outcome = StoreOutcome::kBusy, .why = why, .until_ms = until_ms, .store_now_ms = now_ms_};
  }
  StoreReply Lost(Why why) const noexcept {
    return {.outcome = StoreOutcome::kLost, .why = why, .store_now_ms = now_ms_};
  }

  RedisState& state_;
  const Call& call_;
  int64_t now_ms_;
  uint64_t writer_;
  const Breaks& breaks_;
  int64_t quarantine_ms_;
};

}  // namespace

StoreReply Apply(RedisState& state, const Call& call, int64_t now_ms, uint64_t writer, const Breaks& breaks) {
  state.touched = -1;
  Script script(state, call, now_ms, writer, breaks);
  switch (call.request.kind) {
    case StoreRequest::Kind::kAcquire: return script.Acquire();
    case StoreRequest::Kind::kRenew: return script.Renew();
    case StoreRequest::Kind::kRelease: return script.Release();
    case StoreRequest::Kind::kDeclareNew: return script.DeclareNew();
    case StoreRequest::Kind::kPresent: return script.Present();
    case StoreRequest::Kind::kList: return {.outcome = StoreOutcome::kOk, .store_now_ms = now_ms};
  }
  return {};
}

}  // namespace idgen::sim
