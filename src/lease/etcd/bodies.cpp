// Writing the transactions of leases in etcd, and reading their results.
#include "lease/etcd/bodies.h"

#include <algorithm>

namespace idgen::lease {
namespace {

using Kind = EtcdKeys::Kind;
using Relation = wire::EtcdBody::Relation;
using Revision = wire::EtcdBody::Revision;
using OpKind = wire::EtcdOp::Kind;

void CompareExists(std::string_view key, bool exists, wire::EtcdBody* body) noexcept {
  body->CompareRevision(key, Revision::kCreate, exists ? Relation::kGreater : Relation::kEqual, 0);
}

void CompareLease(std::string_view key, int64_t fence, const char* token, wire::EtcdBody* body) noexcept {
  const TokenRange range(token);
  body->CompareRevision(key, Revision::kMod, Relation::kEqual, fence);
  body->CompareValue(key, Relation::kGreater, {range.low, sizeof range.low});
  body->CompareValue(key, Relation::kLess, {range.high, sizeof range.high});
}

void AddRaise(EtcdKeys& keys, uint32_t worker, int64_t ceiling_ms, wire::EtcdBody* body) noexcept {
  char digits[kCeilingDigits];
  const std::string_view ceiling = WriteCeiling(ceiling_ms, digits);
  const std::string_view key = keys.Key(Kind::kCeiling, worker);
  body->BeginTxn();
  body->CompareValue(key, Relation::kLess, ceiling);
  body->Then();
  body->Put(key, ceiling);
  body->Else();
  body->BeginTxn();
  CompareExists(key, false, body);
  body->Then();
  body->Put(key, ceiling);
  body->EndTxn();
  body->EndTxn();
}

// The only record of a range; false if there is none.
bool OnlyRecord(const wire::EtcdOp& range, wire::EtcdKv* kv) noexcept {
  return range.kind() == OpKind::kRange && range.kv_count() == 1 && range.kv(0, kv);
}

EtcdHolder HolderIn(const wire::EtcdOp& range) noexcept {
  wire::EtcdKv kv;
  return OnlyRecord(range, &kv) ? ParseHolder(kv.value) : EtcdHolder{};
}

}  // namespace

void WriteLook(EtcdKeys& keys, const FencedLease& previous, wire::EtcdBody* body) noexcept {
  body->BeginTxn();
  CompareLease(keys.Key(Kind::kWorker, previous.worker), previous.fence, previous.token, body);
  CompareExists(keys.Key(Kind::kStatic, previous.worker), false, body);
  body->Then();
  body->Range(keys.Key(Kind::kCeiling, previous.worker));
  body->Else();
  body->Range(keys.First(), keys.End());
  body->EndTxn();
}

Looked ReadLooked(const wire::EtcdReply& reply) noexcept {
  const wire::EtcdOp range = reply.op(0);
  if (range.kind() != OpKind::kRange) return {};
  if (!reply.succeeded()) return {.how = Looked::How::kNot, .records = range};
  Looked looked{.how = Looked::How::kOwn, .has_ceiling = range.kv_count() > 0};
  wire::EtcdKv kv;
  if (looked.has_ceiling && (!OnlyRecord(range, &kv) || !ParseCeiling(kv.value, &looked.ceiling_ms)))
    return {.how = Looked::How::kDamaged};
  return looked;
}

void WriteTake(EtcdKeys& keys, const EtcdLeaseText& text, const FencedLease& previous, const Choice& choice,
               wire::EtcdBody* body) noexcept {
  body->BeginTxn();
  body->CompareRange(keys.FirstWorker(), keys.EndOfWorkers(), Revision::kLease, Relation::kNotEqual, text.lease);
  body->Then();
  for (int i = 0; i < choice.count; ++i) {
    const Candidate& candidate = choice.candidates[i];
    body->BeginTxn();
    if (candidate.is_previous)
      CompareLease(keys.Key(Kind::kWorker, candidate.worker), previous.fence, previous.token, body);
    else
      CompareExists(keys.Key(Kind::kWorker, candidate.worker), false, body);
    CompareExists(keys.Key(Kind::kStatic, candidate.worker), false, body);
    CompareExists(keys.Key(Kind::kCeiling, candidate.worker), candidate.has_ceiling, body);
    body->Then();
    body->Put(keys.Key(Kind::kWorker, candidate.worker), text.value, text.lease);
    char zeros[kCeilingDigits];
    if (candidate.has_ceiling)
      body->Range(keys.Key(Kind::kCeiling, candidate.worker));
    else  // so that a renewal can compare it
      body->Put(keys.Key(Kind::kCeiling, candidate.worker), WriteCeiling(0, zeros));
    body->Else();
  }
  body->Range(keys.First(), keys.End());
  for (int i = 0; i < choice.count; ++i) body->EndTxn();
  body->EndTxn();
}

Taken ReadTaken(const wire::EtcdReply& reply, const Choice& choice) noexcept {
  if (!reply.succeeded()) return {.how = Taken::How::kHasOne};
  wire::EtcdOp op = reply.op(0);
  for (int i = 0; i < choice.count; ++i, op = op.op(0)) {
    if (op.kind() != OpKind::kTxn) return {};
    if (!op.succeeded()) continue;
    Taken taken{.how = Taken::How::kTaken, .candidate = i};
    wire::EtcdKv kv;
    if (choice.candidates[i].has_ceiling && (!OnlyRecord(op.op(1), &kv) || !ParseCeiling(kv.value, &taken.floor_ms)))
      return {};
    return taken;
  }
  if (op.kind() != OpKind::kRange) return {};
  return {.how = Taken::How::kLost, .records = op};
}

void WriteRenew(EtcdKeys& keys, uint32_t worker, int64_t fence, const char* token, int64_t stored_ms,
                int64_t ceiling_ms, wire::EtcdBody* body) noexcept {
  char stored_digits[kCeilingDigits], digits[kCeilingDigits];
  const std::string_view stored = WriteCeiling(stored_ms, stored_digits);
  const std::string_view ceiling = WriteCeiling(std::max(stored_ms, ceiling_ms), digits);
  body->BeginTxn();
  CompareLease(keys.Key(Kind::kWorker, worker), fence, token, body);
  body->CompareValue(keys.Key(Kind::kCeiling, worker), Relation::kEqual, stored);
  body->Then();
  body->Range(keys.Key(Kind::kStatic, worker));
  body->Put(keys.Key(Kind::kCeiling, worker), ceiling);
  body->Else();
  body->Range(keys.Key(Kind::kStatic, worker));
  body->Range(keys.Key(Kind::kWorker, worker));
  body->Range(keys.Key(Kind::kCeiling, worker));
  body->EndTxn();
}

Renewed ReadRenewed(const wire::EtcdReply& reply, int64_t fence, const char* token) noexcept {
  if (reply.op(0).kind() != OpKind::kRange) return {};
  Renewed renewed{.how = Renewed::How::kRenewed, .static_holder = HolderIn(reply.op(0)).holder};
  if (reply.succeeded()) return renewed;
  // All of this is as of one moment, the same at which the comparisons failed.
  wire::EtcdKv kv;
  if (reply.op(1).kind() != OpKind::kRange || reply.op(2).kind() != OpKind::kRange) return {};
  if (!OnlyRecord(reply.op(1), &kv) || kv.mod_revision != fence || ParseHolder(kv.value).token != token)
    return {.how = Renewed::How::kTaken};
  if (!OnlyRecord(reply.op(2), &kv)) return {.how = Renewed::How::kForgotten};
  if (!ParseCeiling(kv.value, &renewed.stored_ms)) return {};
  renewed.how = Renewed::How::kOtherCeiling;
  return renewed;
}

void WriteRaise(EtcdKeys& keys, uint32_t worker, int64_t ceiling_ms, wire::EtcdBody* body) noexcept {
  AddRaise(keys, worker, ceiling_ms, body);
}

void WritePresent(EtcdKeys& keys, uint32_t worker, const EtcdLeaseText& text, int64_t ceiling_ms,
                  wire::EtcdBody* body) noexcept {
  body->BeginTxn();
  body->Then();
  body->Range(keys.Key(Kind::kStatic, worker));
  body->Range(keys.Key(Kind::kWorker, worker));
  body->Put(keys.Key(Kind::kStatic, worker), text.value, text.lease);
  AddRaise(keys, worker, ceiling_ms, body);
  body->EndTxn();
}

bool ReadPresented(const wire::EtcdReply& reply, Presented* presented) noexcept {
  if (!reply.succeeded() || reply.op(0).kind() != OpKind::kRange || reply.op(1).kind() != OpKind::kRange) return false;
  *presented = {.announced = HolderIn(reply.op(0)), .leased = HolderIn(reply.op(1))};
  return true;
}

}  // namespace idgen::lease
