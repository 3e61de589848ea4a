// Events, the way to the store, and what must hold there.
#include "sequences/world.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>

#include "sequences/etcd_cluster.h"
#include "sequences/etcd_session.h"
#include "sequences/server.h"

namespace idgen::sim::sequences {

using sequencer::Answer;
using sequencer::Operation;
using Kind = Operation::Kind;

namespace {
// Or a later generation had come; or all values are used up, in which case it does not matter.
bool IsRaised(const Operation& raise, const Answer& answer) {
  return answer.outcome == Answer::Outcome::kOk && answer.generation <= raise.mark.generation;
}
}  // namespace

World::World(const Plan& plan, const std::vector<Fault>& faults)
    : plan_(plan),
      faults_(faults),
      random_(plan.seed, Stream::kWorld),
      store_(1 + plan.replicas, static_cast<int>(plan.keys.size()), plan_.breaks),
      ledger_(static_cast<int>(plan.keys.size()), plan.servers, plan.store == StoreKind::kEtcd) {
  SimMemory::world = this;
  if (plan.store == StoreKind::kEtcd) {
    std::vector<std::string> names;
    for (size_t key = 0; key < plan.keys.size(); ++key) names.push_back("/sim/" + Server::NameOfKey(key));
    etcd_ = std::make_unique<EtcdCluster>(std::move(names));
    for (size_t key = 0; key < plan.keys.size(); ++key)
      if (!sequencer::HasMarks(plan.keys[key])) ledger_.NoteUnmarked(static_cast<int>(key));
  }
  for (int i = 0; i < plan.servers; ++i) {
    servers_.push_back(std::make_unique<Server>(*this, i));
    for (int number = 0; number <= plan.backends; ++number) {
      auto actor = std::make_unique<Actor>();
      actor->server = servers_.back().get();
      actor->index = static_cast<int>(actors_.size());
      actor->number = number;
      actor->random = Random(plan.seed, Stream::kActor, actors_.size());
      if (etcd_) actor->etcd = std::make_unique<EtcdSession>(*this, *actor);
      servers_.back()->actors_.push_back(actor.get());
      actors_.push_back(std::move(actor));
    }
  }
}

World::~World() {
  for (const auto& actor : actors_)
    if (actor->fiber != nullptr) fibers_.Give(actor->fiber);
}

void World::Do(int64_t at_us, std::function<void()> what) {
  to_do_.push_back(std::move(what));
  events_.Push({.at_us = std::max(at_us, now_us_), .tag = to_do_.size() - 1, .who = 0, .kind = EventKind::kDo});
}

bool World::Run() {
  for (auto& server : servers_) Do(now_us_ + random_.Between(0, 200 * kMs), [&server] { server->Start(); });
  for (const Fault& fault : faults_)
    Do(fault.at_us, [this, fault] {
      if (!faults_over_) Strike(fault);
    });
  for (int64_t at_us = kBeginUs; at_us < kBeginUs + plan_.lasts_us; at_us += random_.LogBetween(kMs, 500 * kMs))
    Do(at_us, [this] { store_.Replicate(); });
  for (int64_t at_us = kBeginUs; at_us < kBeginUs + plan_.lasts_us; at_us += random_.LogBetween(100 * kMs, 5 * kSecond))
    Do(at_us, [this] {
      if (etcd_)
        etcd_->TakeSnapshot(NextEvent());
      else
        store_.TakeSnapshot();
    });
  Do(kBeginUs + plan_.lasts_us, [this] { EndFaults(); });
  const int64_t end_us = kBeginUs + plan_.lasts_us + 60 * kSecond;
  while (!events_.empty() && !violated_) {
    const Event event = events_.Pop();
    if (event.at_us > end_us) break;
    now_us_ = event.at_us;
    ++figures_.events;
    if (event.kind == EventKind::kDo) {
      const std::function<void()> what = std::move(to_do_[event.tag]);
      what();
      continue;
    }
    Actor& actor = *actors_[static_cast<size_t>(event.who)];
    if (actor.fiber == nullptr || actor.token != event.tag) continue;
    actor.token = 0;
    running_ = &actor;
    if (actor.fiber->Resume()) {
      fibers_.Give(actor.fiber);
      actor.fiber = nullptr;
      actor.connection = {};
    }
    running_ = nullptr;
    if (faults_over_ && std::all_of(servers_.begin(), servers_.end(), [](auto& it) { return it->is_content(); })) break;
  }
  if (!violated_) CheckLiveness();
  return !violated_;
}

void World::Note(const char* format, ...) {
  if (!keep_timeline_) return;
  char text[400];
  const int head = snprintf(text, sizeof text, "%10.6f  [%llu] ", static_cast<double>(now_us_ - kBeginUs) / kSecond,
                            static_cast<unsigned long long>(event_));
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text + head, sizeof text - static_cast<size_t>(head), format, arguments);
  va_end(arguments);
  timeline_.emplace_back(text);
}

void World::Violate(const std::string& text) {
  if (violated_) return;
  violated_ = true;
  violation_ = text;
  Note("VIOLATION: %s", text.c_str());
}

Figures World::figures() const {
  Figures figures = figures_;
  figures.values = ledger_.values();
  figures.repeated = ledger_.repeated();
  return figures;
}

void World::Sleep(Actor& actor, int64_t us) {
  actor.token = ++tokens_;
  events_.Push({.at_us = now_us_ + std::max<int64_t>(us, 1),
                .tag = actor.token,
                .who = actor.index,
                .kind = EventKind::kResume});
  Fiber::Leave();
}

void World::Wake(Actor& actor) {
  if (actor.fiber == nullptr || actor.token == 0) return;
  events_.Push({.at_us = now_us_, .tag = actor.token, .who = actor.index, .kind = EventKind::kResume});
}

void World::MayLeave() {
  if (running_ == nullptr || faults_over_ || !running_->random.Chance(plan_.preempt)) return;
  Sleep(*running_, running_->random.LogBetween(1, 5 * kMs));
}

// --- the way to the store

size_t World::Send(Actor& actor, const Operation& operation, const int* keys, int count, const Known& knew) {
  const size_t index = messages_.size();
  messages_.push_back({.actor = actor.index,
                       .connection = actor.connection.number,
                       .process = actor.connection.process,
                       .operation = operation,
                       .server = actor.server->index_,
                       .knew = knew,
                       .keys = std::vector<int>(keys, keys + count),
                       .answers = {},
                       .ran = {}});
  Do(now_us_ + 1 + actor.random.Exponential(plan_.way_us), [this, index] { Arrive(index); });
  return index;
}

void World::Arrive(size_t index) {
  Message& message = messages_[index];
  if (message.is_lost || !store_.IsUp(message.process)) return;
  RunAtStore(message);
  Do(now_us_ + 1 + random_.Exponential(plan_.way_us), [this, index] {
    Message& answered = messages_[index];
    Actor& actor = *actors_[static_cast<size_t>(answered.actor)];
    if (actor.connection.number != answered.connection) return;
    answered.is_done = true;
    Wake(actor);
  });
}

void World::RunAtStore(Message& message) {
  for (const int key : message.keys) {
    const uint64_t event = NextEvent();
    const KeyState before = store_.state(key, message.process);
    const Answer answer = store_.Execute(message.process, key, message.operation, now_us_, event);
    const KeyState& after = store_.state(key, message.process);
    if (message.process == store_.old_process() && message.operation.kind != Kind::kWriter) Note("at the old master:");
    const bool raises = message.operation.kind == Kind::kRaise && IsRaised(message.operation, answer);
    Judge({.actor = message.actor, .operation = message.operation, .knew = message.knew, .key = key, .event = event},
          before, after, raises, answer.had);
    // Who raises it brings back what he knows to have been set.
    if (raises && message.operation.mark.generation >= message.knew.generation)
      store_.NoteReset(message.process, key, message.knew.reset);
    message.answers.push_back(answer);
    message.ran.push_back(
        {.at = event, .process = message.process, .generation = after.generation, .reset = after.reset});
  }
}

KeyState World::StateOf(int key) const { return etcd_ ? etcd_->StateOf(key) : store_.state(key); }

void World::Judge(const Step& step, const KeyState& before, const KeyState& after, bool raises, bool had) {
  const Operation& operation = step.operation;
  Actor& actor = *actors_[static_cast<size_t>(step.actor)];
  if (after.reset == step.event) {
    actor.change_ran = step.event;
    ledger_.NoteReset(step.key, step.event, operation.kind == Kind::kDrop ? -1 : operation.value);
  }
  if (operation.kind == Kind::kRaise) CheckRaise(step, before, raises);
  CheckChange(step, before, had);
  if (!keep_timeline_ || operation.kind == Kind::kWriter) return;
  static constexpr const char* kVerbs[] = {"next", "segment", "set",   "set if none", "peek",
                                           "drop", "writer",  "raise", "return"};
  Note("server %d (%d): %s of key %d, %lld, mark %lld/%lld, value %lld: %lld/%lld -> %lld/%lld", actor.server->index_,
       actor.number, kVerbs[static_cast<size_t>(operation.kind)], step.key, static_cast<long long>(operation.count),
       static_cast<long long>(operation.mark.value), static_cast<long long>(operation.mark.generation),
       static_cast<long long>(operation.value), before.there ? static_cast<long long>(before.value) : -1,
       static_cast<long long>(before.generation), after.there ? static_cast<long long>(after.value) : -1,
       static_cast<long long>(after.generation));
}

// What a raise may do: it undoes nothing that the server did not know of, and where the store forgot nothing it is for
// what a server that crashed may have had.
void World::CheckRaise(const Step& step, const KeyState& before, bool raises) {
  ++figures_.raises;
  if (!raises) return;
  // Two masters may make the same generation, in the same millisecond.
  const bool is_tie = has_had_two_masters_ && before.generation == step.operation.mark.generation;
  if (before.reset > step.knew.ran && !is_tie) return Violate("a raise undoes a set or a drop");
  const sequencer::Definition& definition = plan_.keys[static_cast<size_t>(step.key)];
  if (has_forgotten_ || definition.HasSegments()) return;
  // Who gave a value is unknown if its connection ends before the value is noted; then some may be skipped.
  if (etcd_ && were_connections_cut_) return;
  if (etcd_) return Violate("values are skipped though etcd forgot nothing");
  const Server& server = *actors_[static_cast<size_t>(step.actor)]->server;
  if (server.crashes() == 0) return Violate("values are skipped by a server that has not crashed");
  if (store_restarts_ == 0) return Violate("values are skipped though the store is the same as before");
  if (step.operation.mark.value - before.value > sequencer::kMaxAhead * definition.step)
    Violate("more values are skipped than a record is ahead");
}

void World::CheckChange(const Step& step, const KeyState& before, bool had) {
  if (step.operation.kind == Kind::kSetIfNone && had && before.there)
    Violate("a key that has a value is set, though it was to be only where it has none");
  if (step.operation.kind == Kind::kReturn && had && before.reset > step.knew.ran)
    Violate("values go back after a set or a drop");
}

void World::CutConnections(int server) {
  for (Actor* actor : servers_[static_cast<size_t>(server)]->actors_) {
    if (actor->connection.number == 0) continue;
    for (Message& message : messages_)
      if (message.connection == actor->connection.number && message.ran.empty() && random_.Chance(0.5))
        message.is_lost = true;
    actor->connection.number = 0;
    Wake(*actor);
  }
}

// --- the end

void World::EndFaults() {
  faults_over_ = true;
  busy_until_us_ = 0;
  EndOldMaster();
  if (etcd_) {
    BringEtcdUp();
    etcd_->model().SetNoSpace(false);
  }
  if (!store_.up()) {
    ++store_restarts_;
    ChangeStore([this] { store_.Restart(Store::Memory::kKept, 0); }, "is back");
  }
  Do(now_us_ + 20 * kSecond, [this] {
    for (auto& server : servers_) {
      server->Start();
      server->is_checking_ = true;
    }
  });
}

void World::CheckLiveness() {
  for (auto& server : servers_)
    if (!server->is_content())
      return Violate("server " + std::to_string(server->index_) + " does not get a value of key " +
                     std::to_string(server->checked_) + ", though nothing is wrong any more");
}

void World::EndOldMaster() {
  for (size_t key = 0; key < plan_.keys.size(); ++key)
    if (store_.IsOldOther(static_cast<int>(key))) ledger_.NoteForgot(static_cast<int>(key), NextEvent());
  store_.EndOld();
  Note("the store has one master");
}

// Notes which keys are not what they were.
void World::ChangeStore(const std::function<void()>& change, const char* what) {
  std::vector<KeyState> before;
  for (size_t key = 0; key < plan_.keys.size(); ++key) before.push_back(store_.state(static_cast<int>(key)));
  change();
  int forgotten = 0;
  for (size_t key = 0; key < plan_.keys.size(); ++key) {
    if (store_.state(static_cast<int>(key)) == before[key]) continue;
    ledger_.NoteForgot(static_cast<int>(key), NextEvent());
    ++forgotten;
  }
  has_forgotten_ = has_forgotten_ || forgotten > 0;
  figures_.forgot += forgotten > 0 ? 1 : 0;
  Note("the store %s; keys that it has forgotten, or part of them: %d", what, forgotten);
}

}  // namespace idgen::sim::sequences
