// Events, the network, suspended steps, and invariants.
#include "leases/world.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <iterator>

#include "leases/server.h"

namespace idgen::sim {

World::World(const Plan& plan, const std::vector<Fault>& faults)
    : plan_(plan), faults_(faults), random_(plan.seed, Stream::kWorld), store_(1 + plan.replicas, plan_.breaks) {
  SimMemory::world = this;
  for (int i = 0; i < plan.servers; ++i) {
    links_.emplace_back(plan.seed, Stream::kLink, static_cast<uint64_t>(i));
    servers_.push_back(std::make_unique<Server>(*this, i, i < plan.static_servers));
  }
  route_.assign(servers_.size(), -1);
  holds_.resize(servers_.size());
  resets_until_us_.resize(servers_.size());
  connected_to_.resize(servers_.size());
  slow_takes_.resize(servers_.size());
  for (int i = 0; i < plan.servers; ++i) families_.push_back(i);
}

World::~World() {
  for (const Suspended& it : suspended_)
    if (it.fiber != nullptr) fibers_.Give(it.fiber);
}

void World::MakeToken(char (&text)[lease::kTokenBytes + 1]) noexcept {
  Server& server = *SimMemory::world->stepping_;
  // Differs from every other server's, however many those have made.
  snprintf(text, sizeof text, "%06d%030llu", server.index_ + 1, static_cast<unsigned long long>(++server.tokens_made_));
}

void World::Do(int64_t at_us, std::function<void()> what) {
  to_do_.push_back(std::move(what));
  Push(at_us, EventKind::kDo, 0, to_do_.size() - 1);
}

bool World::Run() {
  etcd_.RevokeLateBy(plan_.revoke_late_ms);
  if (plan_.members_differ)
    for (int64_t& clock_us : member_clocks_us_) clock_us = random_.Between(-6 * kHour, 6 * kHour);
  // The script is declared new by the operator half the time; otherwise the first servers wait out a quarantine.
  if ((random_.Chance(0.5) || plan_.declared_new) && plan_.store != StoreKind::kEtcd) {
    Call call;
    call.request.kind = lease::StoreRequest::Kind::kDeclareNew;
    call.ttl_ms = plan_.ttl_ms;
    store_.Receive(0, call, now_us_, random_, kMs);
  }
  for (auto& server : servers_)
    Push(now_us_ + server->random_.Between(0, plan_.start_within_us), EventKind::kStart, server->index_);
  for (size_t i = 0; i < faults_.size(); ++i) {
    const FaultKind kind = faults_[i].kind;
    const bool of_clocks =
        kind == FaultKind::kClockStep || kind == FaultKind::kClockSpike || kind == FaultKind::kStoreClock;
    clocks_never_stepped_ = clocks_never_stepped_ && !of_clocks;
    Push(faults_[i].at_us, EventKind::kFault, 0, i);
  }
  // A minute is what a server may lead by where no clock is wrong by more than that.
  clocks_never_stepped_ = clocks_never_stepped_ && !plan_.members_differ && plan_.skew_us <= kMinute;
  Push(now_us_ + 10 * kSecond, EventKind::kSnapshot, 0);
  const int64_t calm_us = kBeginUs + plan_.hours_us;
  // Long enough for a quarantine, the leases of crashed servers to expire, the last held message, and a clock step to
  // be accepted.
  const int64_t end_us = calm_us + 4 * plan_.ttl_ms * kMs + 3 * kMinute;
  Do(calm_us, [this] { EndFaults(); });
  while (!events_.empty() && !violated_ && !is_void_) {
    const Event event = events_.Pop();
    if (event.at_us > end_us) break;
    now_us_ = event.at_us;
    ++figures_.events;
    Handle(event);
  }
  if (!violated_ && !is_void_) {
    now_us_ = end_us;
    CheckLiveness();
  }
  return !violated_;
}

void World::Handle(const Event& event) {
  const auto who = static_cast<size_t>(event.who);
  // A stopped process does its work when it continues.
  const auto stopped = [this, &event](Server& server) {
    if (server.paused_until_us_ <= now_us_) return false;
    Push(server.paused_until_us_, event.kind, event.who, event.tag);
    return true;
  };
  switch (event.kind) {
    case EventKind::kTurn: {
      Server& server = *servers_[who];
      if (!server.up() || server.wake_tag_ != event.tag || stopped(server)) return;
      server.wake_armed_ = false;
      if (server.making_line_) {  // it waits for the server lock, whose holder wakes it
        server.turn_waits_ = true;
        return;
      }
      // A worker that is in a turn checks again at its end.
      if (!server.worker_busy_) server.Turn();
      return;
    }
    case EventKind::kOp: {
      Server& server = *servers_[who];
      const auto backend = static_cast<size_t>(event.tag & (kBetween - 1));
      if (!server.up() || static_cast<uint64_t>(server.life_number_) != event.tag >> 16) return;
      if (stopped(server)) return;
      const bool once = (event.tag & kBetween) != 0;
      if (!server.backends_[backend].busy)
        server.Operate(static_cast<int>(backend), once);
      else if (!once)
        server.backends_[backend].missed = true;
      return;
    }
    case EventKind::kArrive: return Arrive(event);
    case EventKind::kReply: {
      const Message& message = messages_[event.tag];
      if (servers_[who]->up()) servers_[who]->DeliverReply(message.offset, message);
      free_messages_.push_back(event.tag);
      return;
    }
    case EventKind::kWaitOver: return AfterWait(event.tag);
    case EventKind::kFault: return Strike(faults_[event.tag]);
    case EventKind::kResume: return ResumeSuspended(event.tag);
    case EventKind::kStart: return servers_[who]->Start();
    case EventKind::kWorkerStart:
      if (static_cast<uint64_t>(servers_[who]->life_number_) == event.tag && !stopped(*servers_[who]))
        servers_[who]->StartWorker();
      return;
    case EventKind::kEnd:
      if (static_cast<uint64_t>(servers_[who]->life_number_) == event.tag) servers_[who]->End();
      return;
    case EventKind::kPromote:
      if (static_cast<uint64_t>(servers_[who]->life_number_) == event.tag && !stopped(*servers_[who]))
        servers_[who]->Promote();
      return;
    case EventKind::kSnapshot:
      store_.TakeSnapshot(now_us_);
      Push(now_us_ + random_.LogBetween(5 * kSecond, 5 * kMinute), EventKind::kSnapshot, 0);
      return;
    case EventKind::kDo:
      if (!faults_over_) to_do_[event.tag]();
      return;
  }
}

// --- suspended steps

void World::RunStep(Server& server, int actor, double leaves, std::function<void()> step) {
  const bool may_leave = !faults_over_ && (server.crash_in_ >= 0 || server.RandomOf(actor).Chance(leaves));
  stepping_ = &server;
  if (!may_leave) {
    step();
  } else {
    step_ = {fibers_.Take(), server.index_, server.life_number_, actor, server.worker_run_};
    actor_ = actor;
    const Suspended mine = step_;
    step_.fiber = nullptr;
    if (mine.fiber->Start(std::move(step))) {
      fibers_.Give(mine.fiber);
    } else {
      // It left: killed if no time is set for continuing, paused otherwise.
      step_ = mine;
      ResumeSuspended(suspended_.size());
    }
  }
  stepping_ = nullptr;
  if (server.keeper_ && server.keeper_->stopped() && !server.worker_busy_ && server.up()) server.WorkerHasStopped();
}

namespace {
enum class Left : uint8_t { kPaused, kKilled };
Left left = Left::kPaused;
}  // namespace

void World::MayLeave() {
  if (stepping_ == nullptr || faults_over_) return;
  Server& server = *stepping_;
  if (server.crash_in_ >= 0 && server.crash_in_-- == 0) {
    left = Left::kKilled;
    Fiber::Leave();
  } else if (server.RandomOf(actor_).Chance(0.15)) {
    left = Left::kPaused;
    Fiber::Leave();
  }
}

// Resumes a suspended step, and handles the way it leaves the next time. `index` beyond the end: the step has just left
// for the first time, and is in `step_`.
void World::ResumeSuspended(size_t index) {
  Suspended it;
  if (index < suspended_.size()) {
    it = suspended_[index];
    if (it.fiber == nullptr) return;
    suspended_[index].fiber = nullptr;
    Server& server = *servers_[static_cast<size_t>(it.server)];
    const bool gone =
        !server.up() || server.life_number_ != it.life || (it.actor < 0 && server.worker_run_ != it.worker_run);
    if (gone) return fibers_.Give(it.fiber);
    if (server.paused_until_us_ > now_us_) {
      suspended_.push_back(it);
      return Push(server.paused_until_us_, EventKind::kResume, 0, suspended_.size() - 1);
    }
    stepping_ = &server;
    actor_ = it.actor;
    const bool ended = it.fiber->Resume();
    stepping_ = nullptr;
    if (ended) return fibers_.Give(it.fiber);
  } else {
    it = step_;
  }
  Server& server = *servers_[static_cast<size_t>(it.server)];
  if (left == Left::kKilled) {
    fibers_.Give(it.fiber);
    server.crash_in_ = -1;
    if (server.crash_worker_only_ && it.actor < 0)
      server.ExitWorker();
    else
      server.Crash(true, server.crash_down_us_);
    return;
  }
  suspended_.push_back(it);
  // Usually for a moment, now and then for longer than any time limit.
  Random& random = server.RandomOf(it.actor);
  const int64_t for_us = random.Chance(0.9) ? random.LogBetween(1, 50 * kMs) : random.LogBetween(1, 2 * kHour);
  Push(now_us_ + for_us, EventKind::kResume, 0, suspended_.size() - 1);
  // While the worker is suspended, a backend often requests ids, sometimes at the same instant.
  if (it.actor < 0 && random.Chance(0.5))
    Push(now_us_ + (random.Chance(0.5) ? 0 : random.Between(0, for_us)), EventKind::kOp, it.server,
         static_cast<uint64_t>(it.life) << 16 | kBetween | random.Below(static_cast<uint64_t>(plan_.backends)));
}

// --- the network

bool World::LinkBad() const { return now_us_ < network_bad_until_us_; }

int64_t World::DelayUs(int server) {
  Random& random = links_[static_cast<size_t>(server)];
  if (!LinkBad()) return random.LogBetween(100, 2000);
  return random.Chance(0.5) ? random.LogBetween(100, 100 * kMs) : random.LogBetween(kMs, 2 * kMinute);
}

int World::RouteOf(int server) const {
  const int route = route_[static_cast<size_t>(server)];
  return route == -1 ? store_.master() : route;
}

uint64_t World::NewMessage() {
  if (free_messages_.empty()) {
    messages_.emplace_back();
    return static_cast<uint64_t>(messages_.size() - 1);
  }
  const uint64_t free = free_messages_.back();
  free_messages_.pop_back();
  return free;
}

uint64_t World::Send(int server, const Call& call) {
  ++figures_.store_calls;
  uint64_t id;
  const uint64_t number = ++requests_;
  Random& random = links_[static_cast<size_t>(server)];
  const int copies = LinkBad() ? (random.Chance(0.2) ? 0 : random.Chance(0.2) ? 2 : 1) : 1;
  for (int i = 0; i < copies; ++i) {
    id = NewMessage();
    messages_[id] = {.server = server, .node = -1, .call = call, .reply = {}, .offset = number, .give_up_us = 0};
    Push(now_us_ + DelayUs(server), EventKind::kArrive, server, id);
  }
  if (now_us_ < resets_until_us_[static_cast<size_t>(server)] && random.Chance(0.5))
    Do(now_us_ + random.Between(0, 4 * kMs),
       [this, server] { servers_[static_cast<size_t>(server)]->BreakConnection(); });
  Hold& hold = holds_[static_cast<size_t>(server)];
  if (hold.after_us > 0 && (!hold.of_acquisition || call.request.kind == lease::StoreRequest::Kind::kAcquire)) {
    id = NewMessage();
    messages_[id] = {.server = server, .node = -1, .call = call, .reply = {}, .offset = 0, .give_up_us = 0};
    Push(now_us_ + hold.after_us, EventKind::kArrive, server, id);
    if (hold.stops_after)
      Do(now_us_ + hold.after_us + 100, [this, server] { servers_[static_cast<size_t>(server)]->CleanStop(10 * kMs); });
    if (const int64_t until_us = now_us_ + hold.after_us + kMs; hold.pause_us > 0)
      Do(now_us_ + hold.pause_us, [this, server, until_us] {
        if (until_us > now_us_) servers_[static_cast<size_t>(server)]->Pause(until_us - now_us_);
      });
    hold = Hold();
  }
  return number;
}

void World::Arrive(const Event& event) {
  if (plan_.store == StoreKind::kEtcd) return ArriveAtEtcd(event);
  Message& message = messages_[event.tag];
  Random& random = links_[static_cast<size_t>(message.server)];
  if (now_us_ < store_paused_until_us_) return Push(store_paused_until_us_, EventKind::kArrive, event.who, event.tag);
  message.node = RouteOf(message.server);
  if (message.node < 0 || !store_.up(message.node)) {
    // Refused, or nobody answers: usually reported, sometimes not.
    message.reply = lease::StoreReply();
    if (message.node == -2 || random.Chance(0.3)) return free_messages_.push_back(event.tag);
    return Reply(event.tag, DelayUs(message.server));
  }
  uint64_t& connected_to = connected_to_[static_cast<size_t>(message.server)];
  if (const uint64_t writer = store_.WriterOf(message.node); connected_to != writer && !plan_.proxied) {
    connected_to = writer;
    message.call.first = true;
  }
  const int64_t lag_us = random.Chance(0.1) ? 200 * kMs : kMs;
  const Store::Done done = store_.Receive(message.node, message.call, now_us_, random, lag_us);
  message.reply = done.reply;
  using Kind = lease::StoreRequest::Kind;
  const Kind kind = message.call.request.kind;
  const bool waits = plan_.wait_replicas > 0 && !plan_.breaks.no_wait &&
                     done.reply.outcome == lease::StoreOutcome::kOk &&
                     (kind == Kind::kAcquire || (kind == Kind::kRenew && !plan_.breaks.wait_on_acquire_only));
  if (!waits) return Reply(event.tag, DelayUs(message.server));
  message.give_up_us = now_us_ + kSecond;
  // The message is reused for WAIT: the request's ceiling is no longer needed, and holds the offset.
  message.call.request.ceiling_ms = static_cast<int64_t>(done.offset);
  Push(now_us_ + 2 * kMs, EventKind::kWaitOver, event.who, event.tag);
}

void World::AfterWait(uint64_t id) {
  Message& message = messages_[id];
  const auto offset = static_cast<uint64_t>(message.call.request.ceiling_ms);
  if (store_.Acknowledged(message.node, offset, now_us_) >= plan_.wait_replicas)
    return Reply(id, DelayUs(message.server));
  if (now_us_ < message.give_up_us) return Push(now_us_ + 50 * kMs, EventKind::kWaitOver, message.server, id);
  message.reply = lease::StoreReply();
  Reply(id, DelayUs(message.server));
}

void World::Reply(uint64_t id, int64_t after_us) {
  const Message& message = messages_[id];
  if (LinkBad() && links_[static_cast<size_t>(message.server)].Chance(0.2)) return free_messages_.push_back(id);
  Push(now_us_ + after_us, EventKind::kReply, message.server, id);
}

// --- invariants

void World::EndFaults() {
  faults_over_ = true;
  Note("faults are over");
  network_bad_until_us_ = 0;
  store_paused_until_us_ = 0;
  std::fill(route_.begin(), route_.end(), -1);
  etcd_.SetNoSpace(false);
  etcd_.GrantTtl(0);
  std::fill(std::begin(member_clocks_us_), std::end(member_clocks_us_), 0);
  if (!store_.up(store_.master())) store_.Restart(store_.master(), Store::Memory::kKept, 0);
  for (int node = 0; node < store_.count(); ++node) {
    store_.Demote(node, now_us_);
    store_.Cut(node, false, now_us_);
  }
  for (auto& server : servers_) {
    server->crash_in_ = -1;
    // A stopped server continues now, and its deferred work is due.
    const bool was_stopped = server->paused_until_us_ > now_us_;
    server->paused_until_us_ = now_us_;
    for (int backend = 0; was_stopped && server->up() && backend < plan_.backends; ++backend)
      server->ScheduleOp(backend);
    if (server->past_uncertain_ && server->skew_us_ > kSecond) server->clock_kept_ = true;  // see StepClock
    if (!server->clock_kept_) server->skew_us_ = std::clamp(server->skew_us_, -kSecond, kSecond);
    server->Promote();
    if (!server->up()) Push(now_us_ + 15 * kSecond, EventKind::kStart, server->index_);
    if (server->up() && !server->worker_up_)
      Push(now_us_ + kSecond, EventKind::kWorkerStart, server->index_, static_cast<uint64_t>(server->life_number_));
    server->wake_armed_ = false;
    server->WakeWorkerAt(now_us_);
  }
  for (size_t i = 0; i < suspended_.size(); ++i)
    if (suspended_[i].fiber != nullptr) Push(now_us_, EventKind::kResume, 0, i);
}

void World::CheckLiveness() {
  for (auto& server : servers_) {
    if (!server->up() || !server->keeper_) {
      Violate("server " + std::to_string(server->index_) + " is not up, long after the faults are over");
      continue;
    }
    // Needs an operator: a floor more than a day ahead, or every worker id ahead of the store's clock.
    const lease::View& view = server->keeper_->view();
    if (view.phase == lease::Phase::kRefused) continue;
    if (server->leased() && server->lease_source_->view().busy == lease::StoreReply::Why::kAhead) continue;
    // Its clock was set ahead after the faults, to stay within the promise: see Start.
    if (server->clock_kept_) continue;
    // Its earlier ids, under a static worker id or another prefix, came from a clock that was ahead.
    if (server->leased() && (server->ever_static_ || plan_.same_numbers) && view.short_of_ceiling) continue;
    // More servers than worker ids.
    const auto leased = std::count_if(servers_.begin(), servers_.end(), [](auto& other) { return other->leased(); });
    if (server->leased() && server->lease_source_->view().busy == lease::StoreReply::Why::kFull &&
        leased > plan_.workers)
      continue;
    const int64_t silent_us = now_us_ - server->last_issue_us_;
    if (silent_us <= 40 * plan_.op_every_us) continue;
    char text[300];
    snprintf(text, sizeof text,
             "server %d has issued nothing for %.3f s, long after the faults are over: phase %d, verdict %d, busy %d, "
             "failures %d, lead %.3f s, short of ceiling %d",
             server->index_, static_cast<double>(silent_us) / kSecond, static_cast<int>(view.phase),
             static_cast<int>(view.verdict), static_cast<int>(server->lease_source_->view().busy),
             server->lease_source_->view().failures, static_cast<double>(server->LeadUs()) / kSecond,
             view.short_of_ceiling ? 1 : 0);
    Violate(text);
  }
}

void World::Violate(const std::string& text, Rule rule) {
  if (rule <= Rule::kTime) figures_.time_repeated = true;
  if (violated_ || rule > plan_.watched) return;
  violated_ = true;
  violation_ = text;
  Note("VIOLATION: %s", text.c_str());
}

void World::Note(const char* format, ...) {
  if (!keep_timeline_) return;
  char text[600];
  const int head = snprintf(text, sizeof text, "%14.6f s  ", static_cast<double>(now_us_ - kBeginUs) / kSecond);
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text + head, sizeof text - static_cast<size_t>(head), format, arguments);
  va_end(arguments);
  timeline_.push_back(text);
}

}  // namespace idgen::sim
