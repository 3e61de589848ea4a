// Servers that lease from a store which a test has in its hand, for the keeper's tests.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <vector>

#include "keeper_world.h"

namespace idgen::lease {

inline constexpr int64_t kRenewMs = 2000;
inline constexpr int64_t kQuarantineMs = 30000;

// What a store keeps: ceilings, and who holds which worker id. Its clock is its own.
struct LeaseBook {
  struct Record {
    int64_t ceiling_ms = 0;
    const void* holder = nullptr;
  };
  std::map<uint32_t, Record> records;
  uint32_t workers = 8;
  int64_t now_ms = kNowMs;
};

// A server's door to the store. `silent`, `fails` and `denies` are faults; `most_ms` bounds what is granted.
class BookSource final : public IdentitySource {
 public:
  explicit BookSource(LeaseBook& book) : book_(&book) {}

  void Submit(const SourceRequest& request, const core::Instant&) noexcept override {
    requests.push_back(request);
    waiting_ = true;
  }
  bool Poll(const core::Instant&, SourceAnswer* answer) noexcept override {
    const bool is_local = !requests.empty() && requests.back().kind == SourceRequest::Kind::kSettle;
    if (!waiting_ || (silent && !is_local)) return false;
    waiting_ = false;
    *answer = {.request = requests.back(), .past = Past::kKnown, .retry_after_us = retry_after_us};
    if (fails && !is_local) return true;
    answer->source_now_ms = book_->now_ms;
    switch (requests.back().kind) {
      case SourceRequest::Kind::kClaim: Claim(answer); break;
      case SourceRequest::Kind::kRaise: Renew(answer); break;
      case SourceRequest::Kind::kRelease: Release(answer); break;
      case SourceRequest::Kind::kSettle: Settle(answer); break;
      case SourceRequest::Kind::kNone: break;
    }
    return true;
  }
  void Use(LeaseBook& book) { book_ = &book; }
  // Another has taken the worker id.
  void Deprive() {
    for (auto& [worker, record] : book_->records)
      if (record.holder == this) record.holder = book_;
  }
  int Holds() const {
    return static_cast<int>(std::count_if(book_->records.begin(), book_->records.end(),
                                          [this](auto& entry) { return entry.second.holder == this; }));
  }

  std::vector<SourceRequest> requests;
  bool silent = false;
  bool fails = false;
  int64_t retry_after_us = 0;
  int64_t most_ms = INT64_MAX;
  // What kSettle finds in the local file.
  Past past = Past::kKnown;
  int64_t past_ms = 0;
  int settle_error = 0;

 private:
  void Claim(SourceAnswer* answer) {
    answer->outcome = SourceOutcome::kBusy;
    for (uint32_t worker = 0; worker < book_->workers; ++worker) {
      LeaseBook::Record& record = book_->records[worker];
      if (record.holder != nullptr) continue;
      record.holder = this;
      record.ceiling_ms = std::max(record.ceiling_ms, book_->now_ms);
      worker_ = answer->worker = worker;
      answer->floor_ms = record.ceiling_ms;
      answer->outcome = SourceOutcome::kOk;
      return;
    }
  }
  void Renew(SourceAnswer* answer) {
    LeaseBook::Record& record = book_->records[worker_];
    answer->outcome = record.holder == this ? SourceOutcome::kOk : SourceOutcome::kLost;
    if (!answer->ok()) return;
    answer->granted_ms = std::min({answer->request.ceiling_ms, most_ms, book_->now_ms + kQuarantineMs});
    record.ceiling_ms = std::max(record.ceiling_ms, answer->granted_ms);
  }
  void Release(SourceAnswer* answer) {
    for (auto& [worker, record] : book_->records)
      if (record.holder == this) record.holder = nullptr;
    answer->outcome = SourceOutcome::kOk;
  }

  // As NotedSource does it: the file is local, so this works without the store.
  void Settle(SourceAnswer* answer) {
    answer->error = settle_error;
    if (settle_error != 0) return;
    answer->outcome = SourceOutcome::kOk;
    answer->past = past;
    answer->floor_ms = past_ms;
    answer->granted_ms = answer->request.ceiling_ms > past_ms ? answer->request.ceiling_ms : 0;
  }

  LeaseBook* book_;
  uint32_t worker_ = 0;
  bool waiting_ = false;
};

// A server that leases. World's source is not used.
class LeaseWorld : public World {
 public:
  static constexpr uint64_t kLease = 77;

  explicit LeaseWorld(LeaseBook& shared) : book(shared), lease(shared) {
    wishes.source = kLease;
    wishes.leased = true;
    wishes.worker = 0;
    wishes.settings.renew_every_us = kRenewMs * core::kUsPerMs;
    keeper.emplace(*state, Now(), Origin{.source = kLease, .leased = true});
  }

  void Pass(int64_t ms) {
    World::Pass(ms);
    book.now_ms += ms;
  }
  void Turn() {
    const SourceRequest request = keeper->Advance(Now(), wishes);
    if (request.kind != SourceRequest::Kind::kNone) lease.Submit(request, Now());
    for (SourceAnswer answer; lease.Poll(Now(), &answer);) keeper->Receive(answer, Now());
    keeper->DrainEvents([this](const Event& event) { events.push_back(event); });
    const core::Identity identity = Published();
    if (identity) {
      ASSERT_LE(identity.ceiling_ms(), book.records[identity.worker()].ceiling_ms) << "published, but not durable";
    }
  }
  void Run(int64_t ms) {
    const int64_t end_ms = boot_ms + ms;
    for (int turns = 0; boot_ms < end_ms; ++turns) {
      ASSERT_LT(turns, 1000000) << "it does not sleep";
      Turn();
      Pass(std::min((keeper->view().sleep_us + 999) / core::kUsPerMs, end_ms - boot_ms));
    }
    Turn();
  }
  void Start() {
    for (int i = 0; i < 3; ++i) Turn();
  }
  void Stop() {
    wishes.stop = true;
    Turn();
  }
  void RestartKeeper(bool of_identity) {
    keeper.emplace(*state, Now(), Origin{.source = wishes.source, .leased = true, .of_identity = of_identity});
  }
  int Asked(SourceRequest::Kind kind) const {
    return static_cast<int>(std::count_if(lease.requests.begin(), lease.requests.end(),
                                          [kind](const SourceRequest& request) { return request.kind == kind; }));
  }
  Phase phase() const { return keeper->view().phase; }

  LeaseBook& book;
  BookSource lease;
};

struct Alone : private LeaseBook, LeaseWorld {
  Alone() : LeaseWorld(static_cast<LeaseBook&>(*this)) {}
};

}  // namespace idgen::lease
