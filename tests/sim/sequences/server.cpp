// Processes, their transactions, the file of marks, and crashes.
#include "sequences/server.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "engine/format.h"
#include "sequencer/prefetch.h"
#include "sequences/etcd_session.h"
#include "sequences/host.h"

namespace idgen::sim::sequences {

using sequencer::Answer;
using sequencer::Operation;
using Outcome = Answer::Outcome;

namespace {

constexpr int64_t kGiveBackWithinUs = 500 * kMs;
constexpr uint32_t kQueue = 8;

void* Zeros(size_t size) {
  constexpr size_t kLine = 64;
  void* memory = aligned_alloc(kLine, size);
  if (memory == nullptr) abort();
  return memset(memory, 0, size);
}

}  // namespace

Actor::Actor() = default;
Actor::~Actor() = default;

Server::Memory::Memory(int32_t slots, size_t marks)
    : slot_bytes(Zeros(sequencer::SlotTable::Bytes(slots, kQueue)), &free),
      table(sequencer::SlotTable::Make(slot_bytes.get(), slots, kQueue)),
      grants(static_cast<size_t>(slots)),
      mark_bytes(sequencer::Marks::Bytes(marks) / 8 + 1) {}

Server::Server(World& world, int index)
    : world_(world),
      index_(index),
      random_(world.plan_.seed, Stream::kServer, static_cast<uint64_t>(index)),
      file_(sequencer::Marks::Slots(kMarks)),
      knows_(world.plan_.keys.size()),
      own_changes_(world.plan_.keys.size()) {
  for (size_t key = 0; key < world.plan_.keys.size(); ++key)
    key_size_ = (NameOfKey(key) + ":g").copy(key_names_[key], sizeof key_names_[key]);
  for (Record& record : file_) record.versions.emplace_back();
}

std::string Server::NameOfKey(size_t key) { return Format("k%02zu", key); }

int Server::NumberOf(const sequencer::StoreKey& key) noexcept { return atoi(key.bytes + 1); }

// Two products of a key of at most 8 bytes, and the finalizer of SplitMix64.
sequencer::KeyHash Server::HashOf(const sequencer::StoreKey& key) noexcept {
  uint64_t word = 0;
  memcpy(&word, key.bytes, key.size);
  const auto mix = [](uint64_t x) {
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
    return x ^ (x >> 31);
  };
  uint64_t high = ((0x9AE16A3B2F90404F + key.size) ^ word) * 0xFF51AFD7ED558CCD;
  uint64_t low = ((0xCBF29CE484222325 ^ key.size) + word) * 0xC4CEB9FE1A85EC53;
  high ^= high >> 32;
  low ^= low >> 29;
  return {.high = mix(high), .low = mix(low)};
}

// --- the life of processes

void Server::Start() {
  if (up()) return;
  memory_ = std::make_unique<Memory>(world_.plan_.slots, kMarks);
  ++life_;
  stopping_ = false;
  for (const Record& record : file_) Marks().Load(record.versions.back());
  SaveWhole(false);
  world_.Note("server %d starts", index_);
  for (Actor* actor : actors_) Spawn(*actor);
}

void Server::Spawn(Actor& actor) {
  actor.is_cancelled = false;
  actor.waits_for = nullptr;
  actor.session = {};
  actor.latest = nullptr;
  actor.connection = {};
  if (actor.etcd) actor.etcd->Reset();
  actor.awaited = 0;
  actor.given.clear();
  actor.gifts.clear();
  actor.fiber = World::fibers_.Take();
  actor.token = 0;
  ++living_;
  world_.running_ = &actor;
  const bool ended = actor.fiber->Start([this, &actor] { Live(actor); });
  world_.running_ = nullptr;
  if (ended) abort();  // it sleeps first
}

void Server::Crash(bool of_machine, int64_t down_us) {
  if (!up()) return;
  ++crashes_;
  ++world_.figures_.crashes;
  for (Actor* actor : actors_) {
    if (actor->fiber != nullptr) World::fibers_.Give(actor->fiber);
    actor->fiber = nullptr;
    actor->connection = {};
    if (actor->etcd) actor->etcd->Close();
  }
  living_ = 0;
  memory_.reset();
  sync_at_us_ = INT64_MAX;
  if (of_machine && world_.plan_.store == StoreKind::kEtcd) world_.ledger_.Uncommit(index_, synced_);
  if (of_machine)
    for (Record& record : file_) {
      const size_t kept = random_.Below(record.versions.size());
      record.versions = {sequencer::MarkRecord(record.versions[kept])};
    }
  world_.Note("server %d crashes%s", index_, of_machine ? ", with its machine" : "");
  world_.Do(world_.now_us_ + down_us, [this] { Start(); });
}

void Server::CleanStop(int64_t down_us) {
  if (!up() || stopping_) return;
  stopping_ = true;
  down_us_ = down_us;
  world_.Note("server %d is stopped", index_);
  for (Actor* actor : actors_) world_.Wake(*actor);
}

// The last process has ended.
void Server::End() {
  SaveWhole(true);
  memory_.reset();
  world_.Note("server %d has stopped", index_);
  world_.Do(world_.now_us_ + down_us_, [this] { Start(); });
}

void Server::Cancel(int backend) {
  if (!up()) return;
  actors_[static_cast<size_t>(backend)]->is_cancelled = true;
  world_.Wake(*actors_[static_cast<size_t>(backend)]);
}

void Server::CheckCancel(Actor& actor) {
  const bool is_backend = actor.number < world_.plan_.backends;
  if (!actor.is_cancelled && !(stopping_ && is_backend)) return;
  actor.is_cancelled = false;
  throw CallFailed{"cancelled"};
}

void Server::Acquire(Actor& actor, Lock& lock) {
  world_.MayLeave();
  while (lock.is_held) world_.Sleep(actor, actor.random.Between(1, 20));
  lock.is_held = true;
}

void Server::Live(Actor& actor) {
  world_.Sleep(actor, actor.random.Between(1, 10 * kMs));
  if (actor.number < world_.plan_.backends)
    LiveAsBackend(actor);
  else
    LiveAsFetcher(actor);
  if (--living_ == 0 && stopping_)
    world_.Do(world_.now_us_, [this, life = life_] {
      if (up() && life == life_) End();
    });
}

void Server::LiveAsBackend(Actor& actor) {
  while (!stopping_) {
    const bool is_busy = world_.now_us_ < world_.busy_until_us_;
    world_.Sleep(actor,
                 is_busy ? actor.random.Between(1, kMs) : 1 + actor.random.Exponential(world_.plan_.op_every_us));
    if (stopping_) return;
    actor.is_cancelled = false;
    if (is_checking_) {
      if (actor.number == 0) CheckAll(actor);
      if (content_) return;
      continue;
    }
    if (!world_.faults_over_) Transact(actor);
  }
}

void Server::LiveAsFetcher(Actor& actor) {
  SimHost host(*this, actor);
  host.LockSlots();
  sequencer::RefillQueue(host);
  host.UnlockSlots();
  int64_t pause_until_us = 0;
  while (!stopping_) {
    if (world_.now_us_ >= sync_at_us_) {
      sync_at_us_ = INT64_MAX;
      host.Attempt([&] { sequencer::SyncAllMarks(host, world_.now_us_ + kStoreTimeoutUs); });
    }
    sequencer::Slot* wanted = world_.now_us_ >= pause_until_us ? sequencer::NextWanted(host) : nullptr;
    if (wanted == nullptr) {
      world_.Sleep(actor, std::min(std::max<int64_t>(pause_until_us - world_.now_us_, 50 * kMs),
                                   std::max<int64_t>(sync_at_us_ - world_.now_us_, 1)));
      continue;
    }
    if (!sequencer::Prefetch(host, *wanted, world_.now_us_ + kStoreTimeoutUs))
      pause_until_us = world_.now_us_ + kSecond;
  }
  sequencer::GiveAllBack(host, world_.now_us_ + kGiveBackWithinUs);
}

// --- transactions

void Server::Transact(Actor& actor) {
  actor.gifts.clear();
  actor.awaited = 0;
  bool failed = false;
  try {
    for (auto calls = actor.random.Between(1, 3); calls > 0; --calls) {
      CallSome(actor);
      if (actor.random.Chance(0.2)) world_.Sleep(actor, actor.random.Between(1, 5 * kMs));
      CheckCancel(actor);
    }
    if (actor.random.Chance(world_.plan_.aborts)) return;
    SimHost host(*this, actor);
    sequencer::SyncBeforeCommit(host, actor.awaited, !host.may_forget(), INT64_MAX);
  } catch (const CallFailed&) {
    failed = true;
  }
  if (failed) {
    ++world_.figures_.failed_calls;
    SimHost host(*this, actor);
    return sequencer::Abandon(host);
  }
  world_.MayLeave();
  for (const size_t gift : actor.gifts) world_.ledger_.Commit(gift, world_.NextEvent());
}

void Server::CallSome(Actor& actor) {
  const auto& definitions = world_.plan_.keys;
  const int key = static_cast<int>(actor.random.Below(definitions.size()));
  if (actor.random.Chance(world_.plan_.sets)) return Change(actor, key);
  ++world_.figures_.calls;
  const int64_t count = actor.random.Chance(0.2) ? actor.random.LogBetween(1, 40) : 1;
  if (definitions[static_cast<size_t>(key)].HasSegments() && !actor.random.Chance(0.03)) {
    // A loop over one key takes from where it took from last.
    for (auto times = actor.random.Chance(0.3) ? actor.random.Between(1, 30) : 1; times > 0; --times)
      CallSegments(actor, key, count);
    return;
  }
  int keys[4] = {key};
  int key_count = 1;
  for (int other = 0; other < static_cast<int>(definitions.size()) && key_count < 4; ++other)
    if (other != key && definitions[static_cast<size_t>(other)] == definitions[static_cast<size_t>(key)] &&
        actor.random.Chance(0.1))
      keys[key_count++] = other;
  CallExact(actor, keys, key_count, key_count > 1 ? 1 : count);
}

void Server::GiveAll(Actor& actor) {
  std::string problem;
  for (const Given& given : actor.given) {
    CheckOwnChange(world_.ledger_.grant(given.grant));
    const int64_t step = world_.plan_.keys[static_cast<size_t>(world_.ledger_.grant(given.grant).key)].step;
    for (int64_t i = 0; i < given.count && problem.empty(); ++i)
      actor.gifts.push_back(world_.ledger_.Give(given.grant, given.first + i * step,
                                                given.order == 0 ? 0 : given.order + static_cast<uint64_t>(i),
                                                world_.NextEvent(), &problem));
  }
  actor.given.clear();
  if (!problem.empty()) world_.Violate(problem);
}

// What it set itself it knows, as it knows what it gave.
void Server::CheckOwnChange(const Grant& grant) {
  const OwnChange& change = own_changes_[static_cast<size_t>(grant.key)];
  if (change.value < grant.first || grant.found < change.done || grant.life != change.life) return;
  if (grant.generation > change.generation || world_.plan_.may_evict) return;
  if (world_.ledger_.IsReset(grant.key, change.ran, grant.ran, grant.first)) return;
  if (!world_.ledger_.IsMarked(grant.key) && world_.ledger_.ForgotBetween(grant.key, change.ran, grant.ran) != 0)
    return;
  world_.Violate("a value that lies below what its own server has set is given");
}

void Server::CallExact(Actor& actor, const int* keys, int key_count, int64_t count) {
  Operation operation = {
      .kind = Operation::Kind::kNext, .definition = world_.plan_.keys[static_cast<size_t>(keys[0])], .count = count};
  operation.definition.cache = 1;
  sequencer::StoreKey names[kMostKeys];
  Answer answers[kMostKeys];
  sequencer::Known known[kMostKeys];
  for (int i = 0; i < key_count; ++i) names[i] = KeyOf(keys[i]);
  SimHost host(*this, actor);
  host.AwaitMark(
      sequencer::AskAboveMarks(host, operation, names, answers, key_count, known, world_.now_us_ + kStoreTimeoutUs));
  actor.given.clear();
  for (int i = 0; i < key_count; ++i)
    if (answers[i].outcome == Outcome::kFull) throw CallFailed{"full"};
  for (int i = 0; i < key_count; ++i)
    if (answers[i].outcome == Outcome::kRefused) throw CallFailed{"refused"};
  for (int i = 0; i < key_count; ++i) {
    if (answers[i].outcome != Outcome::kOk) return world_.Violate("the store's answer is none");
    actor.given.push_back({.grant = host.AddGrant(keys[i], answers[i]),
                           .first = answers[i].grant.Value(0),
                           .count = answers[i].grant.count,
                           .order = 0});
  }
  GiveAll(actor);
}

void Server::CallSegments(Actor& actor, int key, int64_t count) {
  actor.given.clear();
  if (count == 1 && TryTakeFromLatestSlot(actor, key)) return GiveAll(actor);
  const Answer answer = TakeValues(actor, key, count);
  if (answer.outcome != Outcome::kOk) throw CallFailed{"full"};
  GiveAll(actor);
}

void Server::Change(Actor& actor, int key) {
  using Kind = Operation::Kind;
  Operation operation = {.definition = world_.plan_.keys[static_cast<size_t>(key)]};
  const sequencer::Definition& definition = operation.definition;
  operation.kind = actor.random.Chance(0.5) ? Kind::kSet : actor.random.Chance(0.6) ? Kind::kDrop : Kind::kSetIfNone;
  const KeyState state = world_.StateOf(key);
  operation.value = std::clamp<int64_t>(state.value + (actor.random.Chance(0.2) ? 0 : actor.random.Between(-60, 60)) *
                                                          definition.step * (actor.random.Chance(0.1) ? 10 : 1),
                                        std::max<int64_t>(definition.Before(), 0), definition.max_value);
  operation.mark.generation = world_.now_us_ / kMs;
  SimHost host(*this, actor);
  const sequencer::SlotName name = NameOf(key);
  Answer answer;
  CallFailed failure = {nullptr};
  actor.change_ran = 0;
  try {
    answer = sequencer::ChangeKey(host, operation, name.key, name.hash, world_.now_us_ + kStoreTimeoutUs);
  } catch (const CallFailed& it) {
    failure = it;
  }
  if (failure.why != nullptr) {
    sequencer::Abandon(host);
    if (actor.change_ran != 0)
      own_changes_[static_cast<size_t>(key)] = {.ran = actor.change_ran, .done = world_.NextEvent(), .life = life_};
    throw failure;
  }
  if (operation.kind == Kind::kSetIfNone && answer.outcome == Outcome::kOk && !answer.had) return;
  if (answer.outcome == Outcome::kRefused) throw CallFailed{"refused"};
  own_changes_[static_cast<size_t>(key)] = {
      .ran = host.ran(key).at,
      .done = world_.NextEvent(),
      .value = operation.kind == Kind::kDrop ? sequencer::kNoValue : operation.value,
      .generation = answer.generation,
      .life = life_};
}

sequencer::SlotName Server::NameOf(int key) const noexcept {
  return {.key = KeyOf(key),
          .store = 1,
          .hash = HashOf(KeyOf(key)).low,
          .definition = &world_.plan_.keys[static_cast<size_t>(key)]};
}

// As pg/sequence_host/values.h.
bool Server::TryTakeFromLatestSlot(Actor& actor, int key) {
  if (actor.latest == nullptr || actor.latest_key != key) return false;
  SimHost host(*this, actor);
  const int64_t step = world_.plan_.keys[static_cast<size_t>(key)].step;
  return sequencer::TakeFromSlot(host, *actor.latest, actor.latest_tenure, step, 1).result ==
         sequencer::Range::Result::kTaken;
}

Answer Server::TakeValues(Actor& actor, int key, int64_t count) {
  SimHost host(*this, actor);
  int64_t taken = 0;
  const Answer answer = sequencer::TakeValues(host, NameOf(key), count, world_.now_us_ + kStoreTimeoutUs, &taken);
  actor.latest = actor.session.slot;
  actor.latest_tenure = actor.session.tenure;
  actor.latest_key = key;
  return answer;
}

// Once the faults are over.
void Server::CheckAll(Actor& actor) {
  bool failed = false;
  try {
    for (; checked_ < static_cast<int>(world_.plan_.keys.size()); ++checked_) {
      if (world_.plan_.keys[static_cast<size_t>(checked_)].HasSegments()) {
        actor.given.clear();
        const Answer answer = TakeValues(actor, checked_, 1);
        if (answer.outcome != Outcome::kOk && answer.outcome != Outcome::kFull) return;
        GiveAll(actor);
      } else {
        CallExact(actor, &checked_, 1, 1);
      }
    }
    content_ = true;
  } catch (const CallFailed& failure) {
    failed = true;
    if (std::string(failure.why) == "full") ++checked_;
  }
  SimHost host(*this, actor);
  if (failed) sequencer::Abandon(host);
}

// --- the store

void Server::Connect(Actor& actor, int64_t until_us) {
  Connection& connection = actor.connection;
  while (connection.number == 0 || !world_.store_.IsUp(connection.process)) {
    connection.number = 0;
    CheckCancel(actor);
    if (world_.now_us_ >= until_us) throw CallFailed{"no connection"};
    const uint64_t old = world_.store_.old_process();
    const bool reaches_old = world_.flaps() ? actor.random.Chance(0.5) : reaches_old_;
    const uint64_t process = reaches_old && old != 0 ? old : world_.store_.process();
    if (!world_.store_.IsUp(process)) {
      world_.Sleep(actor, 20 * kMs);
      continue;
    }
    world_.Sleep(actor, 2 * world_.plan_.way_us);
    if (!world_.store_.IsUp(process)) continue;
    connection.number = ++world_.connections_;
    connection.process = process;
  }
}

void Server::Ask(Actor& actor, const Operation& operation, const sequencer::StoreKey* keys, Answer* answers, Ran* ran,
                 int count, int64_t until_us, const World::Known& knew) {
  int numbers[kMostKeys];
  if (actor.etcd) return AskEtcd(actor, operation, keys, answers, ran, count, until_us, knew);
  for (int i = 0; i < count; ++i) numbers[i] = NumberOf(keys[i]);
  Connection& connection = actor.connection;
  const auto is_lost = [&] {
    return operation.only_over != 0 &&
           (connection.number != operation.only_over || !world_.store_.IsUp(connection.process));
  };
  if (is_lost()) return;
  world_.MayLeave();
  if (is_lost()) return;
  Connect(actor, until_us);
  const size_t message = world_.Send(actor, operation, numbers, count, knew);
  while (!world_.messages_[message].is_done) {
    if (connection.number != world_.messages_[message].connection) throw CallFailed{"the connection is lost"};
    try {
      CheckCancel(actor);
    } catch (const CallFailed&) {
      connection.number = 0;
      throw;
    }
    if (world_.now_us_ >= until_us) {
      connection.number = 0;
      throw CallFailed{"no answer"};
    }
    world_.Sleep(actor, until_us - world_.now_us_);
  }
  connection.answered = connection.number;
  for (int i = 0; i < count; ++i) {
    answers[i] = world_.messages_[message].answers[static_cast<size_t>(i)];
    ran[i] = world_.messages_[message].ran[static_cast<size_t>(i)];
  }
  if (world_.flaps() && actor.random.Chance(0.3)) connection.number = 0;
  world_.MayLeave();
}

void Server::AskEtcd(Actor& actor, const Operation& operation, const sequencer::StoreKey* keys, Answer* answers,
                     Ran* ran, int count, int64_t until_us, const World::Known& knew) {
  using State = sequencer::SequenceStore::State;
  world_.MayLeave();
  EtcdSession& etcd = *actor.etcd;
  etcd.Begin(operation, keys, answers, count, until_us, knew);
  State state;
  while ((state = etcd.store.Step(world_.now_us_)) == State::kBusy) {
    try {
      CheckCancel(actor);
    } catch (const CallFailed&) {
      etcd.Close();
      throw;
    }
    world_.Sleep(actor, std::min(etcd.store.wants(world_.now_us_).wake_boot_us, until_us) - world_.now_us_);
  }
  if (state == State::kFailed) throw CallFailed{"no answer"};
  actor.connection.answered = count == 1 || etcd.store.came_from_one() ? etcd.store.connection() : 0;
  for (int i = 0; i < count; ++i) ran[i] = etcd.ran(NumberOf(keys[i]));
  world_.MayLeave();
}

// --- marks

void Server::SyncFile(Actor& actor) {
  size_t latest[64];
  for (size_t slot = 0; slot < file_.size(); ++slot) latest[slot] = file_[slot].versions.size() - 1;
  ++world_.figures_.syncs;
  const uint64_t began = world_.event_;
  world_.Sleep(actor, 1 + actor.random.Exponential(world_.plan_.sync_us));
  for (size_t slot = 0; slot < file_.size(); ++slot) {
    auto& versions = file_[slot].versions;
    versions.erase(versions.begin(), versions.begin() + static_cast<long>(latest[slot]));
  }
  synced_ = began;
}

void Server::NoteEvicted() {
  static_assert(kMostKeys <= 64);
  uint64_t marked = 0;
  for (size_t slot = 0; slot < Marks().slots(); ++slot) {
    const sequencer::MarkRecord record = Marks().Record(slot, false);
    for (int key = 0; record.used != 0 && key < static_cast<int>(knows_.size()); ++key)
      if (record.key == HashOf(KeyOf(key))) marked |= uint64_t{1} << key;
  }
  const uint64_t evicted = memory_->marked_keys & ~marked;
  memory_->marked_keys = marked;
  for (int key = 0; key < static_cast<int>(knows_.size()); ++key)
    if ((evicted >> key & 1) != 0) world_.ledger_.NoteEvicted(key, index_, world_.NextEvent());
}

void Server::SaveWhole(bool at_end) {
  for (size_t slot = 0; slot < file_.size(); ++slot) file_[slot].versions = {Marks().Record(slot, at_end)};
}

}  // namespace idgen::sim::sequences
