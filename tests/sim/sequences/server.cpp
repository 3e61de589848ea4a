// Processes, their transactions, the file of marks, and crashes.
#include "sequences/server.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "sequences/marks_host.h"

namespace idgen::sim::sequences {

using sequencer::Answer;
using sequencer::Operation;
using Outcome = Answer::Outcome;

Server::Server(World& world, int index)
    : world_(world),
      index_(index),
      random_(world.plan_.seed, Stream::kServer, static_cast<uint64_t>(index)),
      file_(sequencer::Marks::Places(kMarks)),
      knows_(world.plan_.keys.size()),
      own_changes_(world.plan_.keys.size()) {
  for (size_t key = 0; key < world.plan_.keys.size(); ++key)
    key_size_ = static_cast<size_t>(snprintf(key_names_[key], sizeof key_names_[key], "k%02zu:g", key));
  for (Record& record : file_) record.versions.emplace_back();
}

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

int Server::NumberOf(const sequencer::KeyHash& hash) const noexcept {
  int key = 0;
  while (!(HashOf(KeyOf(key)) == hash)) ++key;
  return key;
}

// --- the life of processes

void Server::Start() {
  if (up()) return;
  memory_ = std::make_unique<Memory>(world_.plan_.places, kMarks);
  ++life_;
  stopping_ = false;
  for (const Record& record : file_) Marks().Load(record.versions.back());
  SaveWhole(false);
  world_.Note("server %d starts", index_);
  for (Actor* actor : actors_) Spawn(*actor);
}

void Server::Spawn(Actor& actor) {
  actor.is_cancelled = false;
  actor.waits_for = actor.own_fetch = actor.latest = nullptr;
  actor.connection = {};
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
  }
  living_ = 0;
  memory_.reset();
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
  SaveWhole(!world_.plan_.breaks.ahead_at_stop);
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
  int64_t pause_until_us = 0;
  while (!stopping_) {
    Place* wanted = nullptr;
    if (world_.now_us_ >= pause_until_us) {
      Acquire(actor, memory_->table_lock);
      if (!memory_->queue.empty()) {
        wanted = memory_->queue.front();
        memory_->queue.pop_front();
      }
      Release(memory_->table_lock);
    }
    if (wanted == nullptr) {
      world_.Sleep(actor, std::max<int64_t>(pause_until_us - world_.now_us_, 50 * kMs));
      continue;
    }
    if (!Serve(actor, *wanted)) pause_until_us = world_.now_us_ + kSecond;
  }
  GiveAllBack(actor);
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
    if (!world_.plan_.breaks.commit_without_sync) Keep(actor, memory_->synced, actor.awaited, true);
  } catch (const CallFailed&) {
    failed = true;
  }
  if (failed) {
    ++world_.figures_.failed_calls;
    return;
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
  MarksHost host(*this, actor, 0);
  sequencer::AskAboveMarks(host, operation, names, answers, key_count, known);
  actor.awaited = std::max(actor.awaited, host.write());
  actor.given.clear();
  for (int i = 0; i < key_count; ++i)
    if (answers[i].outcome == Outcome::kFull) throw CallFailed{"full"};
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
  if (count == 1 && TakeAtOnce(actor, key)) return GiveAll(actor);
  const Answer answer = TakeValues(actor, key, count);
  if (answer.outcome != Outcome::kOk) throw CallFailed{"full"};
  GiveAll(actor);
}

void Server::Change(Actor& actor, int key) {
  using Kind = Operation::Kind;
  Operation operation = {.definition = world_.plan_.keys[static_cast<size_t>(key)]};
  const sequencer::Definition& definition = operation.definition;
  operation.kind = actor.random.Chance(0.5) ? Kind::kSet : actor.random.Chance(0.6) ? Kind::kDrop : Kind::kSetIfNone;
  const KeyState& state = world_.store_.state(key);
  operation.value = std::clamp<int64_t>(state.value + (actor.random.Chance(0.2) ? 0 : actor.random.Between(-60, 60)) *
                                                          definition.step * (actor.random.Chance(0.1) ? 10 : 1),
                                        std::max<int64_t>(definition.Before(), 0), definition.max_value);
  const sequencer::StoreKey name = KeyOf(key);
  Answer answer;
  bool failed = false;
  MarksHost host(*this, actor, world_.now_us_ + kStoreTimeoutUs);
  try {
    host.Ask(operation, &name, &answer, 1);
    sequencer::NoteChange(host, operation, name, answer);
    actor.awaited = std::max(actor.awaited, host.write());
  } catch (const CallFailed&) {
    failed = true;
  }
  const bool changes_nothing = operation.kind == Kind::kSetIfNone && answer.outcome == Outcome::kOk && !answer.had;
  if (!changes_nothing && definition.HasSegments()) ForgetSegments(actor, key);
  if (!changes_nothing && !failed)
    own_changes_[static_cast<size_t>(key)] = {
        .ran = host.ran(key).at,
        .done = world_.NextEvent(),
        .value = operation.kind == Kind::kDrop ? sequencer::kNoValue : operation.value,
        .generation = answer.generation,
        .life = life_};
  if (failed) throw CallFailed{"no answer"};
}

// Once the faults are over.
void Server::CheckAll(Actor& actor) {
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
    if (std::string(failure.why) == "full") ++checked_;
  }
}

// --- the store

void Server::Connect(Actor& actor, int64_t until_us) {
  Connection& connection = actor.connection;
  while (connection.number == 0 || !world_.store_.IsUp(connection.process)) {
    connection.number = 0;
    CheckCancel(actor);
    if (world_.now_us_ >= until_us) throw CallFailed{"no connection"};
    const uint64_t old = world_.store_.old_process();
    const uint64_t process = reaches_old_ && old != 0 ? old : world_.store_.process();
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
  for (int i = 0; i < count; ++i) numbers[i] = NumberOf(keys[i]);
  world_.MayLeave();
  Connect(actor, until_us);
  Connection& connection = actor.connection;
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
  world_.MayLeave();
}

// --- marks

// The flow of src/pg/sequences/mark_file.cpp.
void Server::Keep(Actor& actor, const uint64_t& done, uint64_t write, bool on_disk) {
  while (write > done) {
    if (memory_->keeper.is_held) {
      world_.Sleep(actor, actor.random.Between(1, 20));
      CheckCancel(actor);
      continue;
    }
    memory_->keeper.is_held = true;
    WriteOut(actor);
    if (on_disk) SyncOut(actor);
    Release(memory_->keeper);
  }
}

void Server::WriteOut(Actor& actor) {
  uint64_t writes = 0;
  for (bool is_there = true; is_there;) {
    Acquire(actor, memory_->marks_lock);
    size_t place = 0;
    is_there = Marks().TakeUnwritten(&place);
    const sequencer::MarkRecord record = Marks().Record(place, world_.plan_.breaks.exact_while_running);
    writes = Marks().writes();
    Release(memory_->marks_lock);
    if (!is_there) break;
    world_.MayLeave();
    ++world_.figures_.records;
    file_[place].versions.push_back(record);
  }
  memory_->written = writes;
}

void Server::SyncOut(Actor& actor) {
  const uint64_t writes = memory_->written;
  size_t latest[64];
  for (size_t place = 0; place < file_.size(); ++place) latest[place] = file_[place].versions.size() - 1;
  ++world_.figures_.syncs;
  world_.Sleep(actor, 1 + actor.random.Exponential(world_.plan_.sync_us));
  for (size_t place = 0; place < file_.size(); ++place) {
    auto& versions = file_[place].versions;
    versions.erase(versions.begin(), versions.begin() + static_cast<long>(latest[place]));
  }
  memory_->synced = writes;
}

void Server::SaveWhole(bool at_end) {
  for (size_t place = 0; place < file_.size(); ++place) file_[place].versions = {Marks().Record(place, at_end)};
}

}  // namespace idgen::sim::sequences
