// What is special about a world of sequences in etcd: its plan and faults, the way there, and what runs in the model.
#include <algorithm>
#include <iterator>
#include <utility>

#include "sequences/etcd_cluster.h"
#include "sequences/etcd_session.h"
#include "sequences/server.h"
#include "sequences/world.h"

namespace idgen::sim::sequences {

using sequencer::Operation;
using Kind = Operation::Kind;

Plan Plan::OfEtcd(uint64_t seed) {
  Plan plan = Of(seed);
  Random random(seed, Stream::kPlan, 1);
  plan.store = StoreKind::kEtcd;
  plan.forgets = false;
  plan.replicas = 0;
  plan.lasts_us = std::min(plan.lasts_us, std::max(2 * kSecond, plan.op_every_us * 120));
  // Few keys, for which many compete; and TTLs, which segments do not have.
  if (random.Chance(0.4)) plan.keys.resize(std::min<size_t>(plan.keys.size(), 2));
  plan.restores = random.Chance(0.4);
  if (random.Chance(0.2)) plan.sets = 0.2;
  const double ttls = random.Chance(0.3) ? 0.5 : 0;
  for (sequencer::Definition& definition : plan.keys) {
    if (definition.HasSegments() || !random.Chance(ttls)) continue;
    definition.ttl_ms = random.LogBetween(1000, 10000);
    definition.sliding = random.Chance(0.5);
  }
  return plan;
}

std::vector<Fault> World::FaultsOfEtcd(const Plan& plan) {
  static constexpr FaultKind kKinds[] = {FaultKind::kCrash,     FaultKind::kMachineCrash, FaultKind::kCleanRestart,
                                         FaultKind::kReset,     FaultKind::kCancel,       FaultKind::kStoreRestart,
                                         FaultKind::kFailOver,  FaultKind::kBusy,         FaultKind::kBusy,
                                         FaultKind::kTogether,  FaultKind::kLostReplies,  FaultKind::kLateCalls,
                                         FaultKind::kLateCalls, FaultKind::kNoSpace,      FaultKind::kRevoked,
                                         FaultKind::kRestore,   FaultKind::kRestore};
  return DrawFaults(plan, kKinds, std::size(kKinds));
}

// --- the way there

uint64_t World::SendToEtcd(Actor& actor, EtcdCall call) {
  const size_t index = etcd_calls_.size();
  etcd_calls_.push_back(std::move(call));
  Server& server = *actor.server;
  int64_t way_us = 1 + actor.random.Exponential(plan_.way_us);
  if (now_us_ < server.late_until_us_ && actor.random.Chance(0.3)) way_us += actor.random.LogBetween(kMs, kSecond);
  Do(now_us_ + way_us, [this, index] { ArriveAtEtcd(index); });
  return index;
}

void World::ArriveAtEtcd(size_t index) {
  EtcdCall& call = etcd_calls_[index];
  if (call.is_lost) return;
  if (etcd_->up) {
    RunAtEtcd(call);
  } else {
    // Some members refuse; others keep the call for the next leader.
    if (!random_.Chance(0.4)) {
      if (random_.Chance(0.5)) etcd_->waiting.push_back(index);
      return;
    }
    call.answer.http_status = 0;
  }
  const Actor& actor = *actors_[static_cast<size_t>(call.actor)];
  if (now_us_ < actor.server->lost_until_us_ && random_.Chance(0.4)) return;
  Do(now_us_ + 1 + random_.Exponential(plan_.way_us),
     [this, index] { actors_[static_cast<size_t>(etcd_calls_[index].actor)]->etcd->Deliver(index); });
}

void World::BringEtcdUp() {
  if (etcd_->up) return;
  etcd_->up = true;
  ++store_restarts_;
  NoteExpired();
  etcd_->model().ChangeLeader(now_us_ / kMs);
  Note("etcd is up");
  for (const size_t index : std::exchange(etcd_->waiting, {})) ArriveAtEtcd(index);
}

// Keys whose TTL is over begin again.
void World::NoteExpired() {
  std::vector<int> leased;
  for (int key = 0; key < etcd_->count(); ++key)
    if (etcd_->HasLease(key)) leased.push_back(key);
  etcd_->model().Expire(now_us_ / kMs);
  for (const int key : leased) {
    if (etcd_->RevisionOf(key) != 0) continue;
    NoteKeyReset(key, -1);
    Note("key %d has expired", key);
  }
}

void World::NoteKeyReset(int key, int64_t value) {
  const uint64_t event = NextEvent();
  etcd_->NoteReset(key, event);
  ledger_.NoteReset(key, event, value);
}

void World::RunAtEtcd(EtcdCall& call) {
  NoteExpired();
  struct Seen {
    KeyState state;
    int64_t revision;
  };
  std::vector<Seen> seen;
  for (int key = 0; key < etcd_->count(); ++key) seen.push_back({etcd_->StateOf(key), etcd_->RevisionOf(key)});
  call.answer = etcd_->model().Call(call.path, call.body, now_us_ / kMs);
  const Operation& operation = call.operation;
  const bool resets =
      operation.kind == Kind::kSet || operation.kind == Kind::kSetIfNone || operation.kind == Kind::kDrop;
  for (int key = 0; key < etcd_->count(); ++key) {
    const KeyState& before = seen[static_cast<size_t>(key)].state;
    if (etcd_->RevisionOf(key) == seen[static_cast<size_t>(key)].revision) continue;
    // Others may have been given values in between.
    if (operation.kind != Kind::kNext && operation.kind != Kind::kSegment && !changes_.emplace(call.number, key).second)
      Violate("a change is carried out twice");
    const uint64_t event = NextEvent();
    if (resets) etcd_->NoteReset(key, event);
    const KeyState after = etcd_->StateOf(key);
    const bool raises = operation.kind == Kind::kRaise && after.generation <= operation.mark.generation;
    Judge({.actor = call.actor, .operation = operation, .knew = call.knew, .key = key, .event = event}, before, after,
          raises, true);
    if (raises && operation.mark.generation >= call.knew.generation && call.knew.reset > after.reset)
      etcd_->NoteReset(key, call.knew.reset);
    call.ran.emplace_back(
        key,
        Ran{.at = event, .process = etcd_->model().cluster_id, .generation = after.generation, .reset = after.reset});
  }
  if (keep_timeline_ && call.ran.empty())
    Note("server %d (%d): %s changes nothing: %d", actors_[static_cast<size_t>(call.actor)]->server->index_,
         actors_[static_cast<size_t>(call.actor)]->number, call.path.c_str(), call.answer.http_status);
  call.body.clear();
}

// --- faults

// True if the fault is dealt with.
bool World::StrikeEtcd(const Fault& fault, Random& random) {
  Server& server = *servers_[static_cast<size_t>(fault.who)];
  const auto take_down = [this](int64_t for_us) {
    etcd_->up = false;
    Do(now_us_ + for_us, [this] { BringEtcdUp(); });
  };
  switch (fault.kind) {
    case FaultKind::kReset: CutEtcdConnections(fault.who); return true;
    case FaultKind::kStoreRestart:  // or its quorum is lost
      take_down(fault.a);
      for (int who = 0; who < plan_.servers; ++who)
        if (random.Chance(0.5)) CutEtcdConnections(who);
      return true;
    case FaultKind::kFailOver: take_down(fault.a / 4); return true;
    case FaultKind::kTogether:
      for (auto& each : servers_) each->Crash(random.Chance(0.5), random.LogBetween(kMs, kSecond));
      take_down(fault.a / 4);
      return true;
    case FaultKind::kLostReplies: server.lost_until_us_ = now_us_ + fault.a; return true;
    case FaultKind::kLateCalls: server.late_until_us_ = now_us_ + fault.a; return true;
    case FaultKind::kNoSpace:
      etcd_->model().SetNoSpace(true);
      Do(now_us_ + fault.a / 2, [this] { etcd_->model().SetNoSpace(false); });
      return true;
    case FaultKind::kRevoked: {
      NoteExpired();
      std::vector<int> leased;
      for (int key = 0; key < etcd_->count(); ++key)
        if (etcd_->HasLease(key)) leased.push_back(key);
      if (etcd_->model().leases().empty()) return true;
      auto lease = etcd_->model().leases().begin();
      std::advance(lease, static_cast<long>(random.Below(etcd_->model().leases().size())));
      etcd_->model().Revoke(lease->first);
      for (const int key : leased)
        if (etcd_->RevisionOf(key) == 0) NoteKeyReset(key, -1);
      return true;
    }
    case FaultKind::kRestore:
      if (!plan_.restores) return true;
      RestoreEtcd(random);
      take_down(fault.a / 4);
      return true;
    default: return false;
  }
}

// On new members, which may or may not be a cluster of the same id: nothing that is under way reaches them.
void World::RestoreEtcd(Random& random) {
  std::vector<KeyState> before;
  for (int key = 0; key < etcd_->count(); ++key) before.push_back(etcd_->StateOf(key));
  const uint64_t id = etcd_->model().cluster_id;
  const uint64_t since = etcd_->Restore(random.Below(3));
  if (since == 0) return;
  etcd_->model().cluster_id = random.Chance(0.5) ? id : random.Next() | 1;
  for (EtcdCall& call : etcd_calls_) call.is_lost = true;
  for (int who = 0; who < plan_.servers; ++who) CutEtcdConnections(who);
  int forgotten = 0;
  for (int key = 0; key < etcd_->count(); ++key) {
    if (etcd_->StateOf(key) == before[static_cast<size_t>(key)]) continue;
    ledger_.NoteForgot(key, NextEvent(), since);
    ++forgotten;
  }
  NoteExpired();
  etcd_->model().ChangeLeader(now_us_ / kMs);
  // Or it is another cluster: then values may be skipped as well.
  has_forgotten_ = true;
  figures_.forgot += forgotten > 0 ? 1 : 0;
  Note("etcd is restored from a snapshot of event %llu; keys that have gone back: %d",
       static_cast<unsigned long long>(since), forgotten);
}

void World::CutEtcdConnections(int server) {
  were_connections_cut_ = true;
  for (Actor* actor : servers_[static_cast<size_t>(server)]->actors_) actor->etcd->link.Break();
}

}  // namespace idgen::sim::sequences
