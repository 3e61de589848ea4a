// What a simulated server does.
#include "leases/server.h"

#include <algorithm>

namespace idgen::sim {
namespace {

using core::ReservationOutcome;

constexpr int kWorkerActor = -1;

// A minute, and half of the window for the tick by which the last ids may have run ahead.
constexpr int64_t kUncertainUs = kMinute + kStaticWindowMs * kMs / 2;

}  // namespace

Server::Server(World& world, int index, bool is_static)
    : world_(world),
      index_(index),
      random_(world.plan_.seed, Stream::kServer, static_cast<uint64_t>(index)),
      worker_random_(world.plan_.seed, Stream::kActor, static_cast<uint64_t>(index) << 16 | 0xffff),
      standby_random_(world.plan_.seed, Stream::kStandby, static_cast<uint64_t>(index)),
      store_(world, index),
      window_ms_(world.plan_.window_ms),
      max_ahead_ms_(world.plan_.max_ahead_ms) {
  for (int backend = 0; backend < world.plan_.backends; ++backend) {
    backends_.emplace_back(Random(world.plan_.seed, Stream::kActor, static_cast<uint64_t>(index << 16 | backend)));
    if (random_.Chance(0.3)) backends_.back().behind_us = random_.LogBetween(1, 4 * kMs);
  }
  drift_ = (random_.Unit() - 0.5) * 4e-4;  // 200 ppm
  boot_base_us_ = random_.Between(0, 1000 * kHour);
  skew_us_ = random_.LogBetween(kMs, world.plan_.skew_us);
  if (random_.Chance(0.5)) skew_us_ = -skew_us_;
  if (world.plan_.store == StoreKind::kEtcd) etcd_ = std::make_unique<SimEtcdStore>(world, index);
  cluster_ = {.system_identifier = 7000 + static_cast<uint64_t>(index), .timeline = 1};
  wanted_ = is_static ? 0 : lease_key_;
}

core::Instant Server::Now() const noexcept {
  const int64_t since_us = world_.now_us_ - kBeginUs;
  if (boot_of_us_ != world_.now_us_) {
    boot_of_us_ = world_.now_us_;
    boot_us_ = boot_base_us_ + since_us + static_cast<int64_t>(static_cast<double>(since_us) * drift_);
  }
  return {.boot_us = boot_us_, .wall_us = world_.now_us_ + skew_us_};
}

int64_t Server::LeadUs() const noexcept {
  if (!up()) return 0;
  const int64_t id_clock_us = Now().boot_us + static_cast<int64_t>(life_->state->clock_offset_us.load());
  return life_->state->clock_state.load() == 0 ? 0 : id_clock_us - Now().wall_us;
}

// Outside the promise: a static server whose file is lost or not its own, while its id clock had led by more than an
// uncertain start allows for. The operator has set the clock.
void Server::KeepWithinPromise() noexcept {
  if (past_uncertain_ && last_id_clock_us_ - (world_.now_us_ + skew_us_) > kUncertainUs)
    skew_us_ = last_id_clock_us_ - kUncertainUs - world_.now_us_, clock_kept_ = true;
}

void Server::Start() {
  if (up()) return;
  in_recovery_ = world_.plan_.standbys && !world_.faults_over_ && standby_random_.Chance(0.5);
  // Its promotion makes the file that of another timeline.
  past_uncertain_ = past_uncertain_ || (in_recovery_ && ever_static_);
  KeepWithinPromise();
  // The source of its worker id was changed while it was down.
  if (world_.plan_.same_numbers && life_number_ > 0 && random_.Chance(0.3))
    Configure(random_.Chance(0.7) ? 0 : 2, random_);
  ++life_number_;
  in_recovery_ = in_recovery_ && wanted_ != 0;
  if (in_recovery_) {
    world_.Note("server %d starts as a standby", index_);
    world_.Push(world_.now_us_ + standby_random_.LogBetween(100 * kMs, 5 * kMinute), EventKind::kPromote, index_,
                static_cast<uint64_t>(life_number_));
  }
  life_ = std::make_unique<Life>();
  life_->slots = std::vector<core::BackendSlot>(static_cast<size_t>(world_.plan_.backends));
  for (int layout = 0; layout < 2; ++layout)
    core::FindOrMakeLine<core::PlainMemory>(*life_->state, kSimLayouts[layout]);
  for (core::BackendSlot& slot : life_->slots) core::ClaimSlot(slot, 1, 0);
  for (Backend& backend : backends_) backend.Begin();
  stopping_ = making_line_ = turn_waits_ = worker_stopped_ = false;
  crash_in_ = -1;
  started_at_us_ = last_issue_us_ = world_.now_us_;
  issued_in_life_ = ready_in_life_ = false;
  paused_until_us_ = 0;
  StartWorker();
  for (int backend = 0; backend < world_.plan_.backends; ++backend) ScheduleOp(backend);
}

void Server::Promote() {
  if (!up() || !in_recovery_) return;
  world_.Note("server %d is promoted", index_);
  in_recovery_ = false;
  ++cluster_.timeline;
  KeepWithinPromise();
  WakeWorkerAt(world_.now_us_ + standby_random_.LogBetween(1, 200 * kMs));
}

void Server::StartWorker() {
  if (!up() || worker_up_ || worker_stopped_) return;
  worker_up_ = true;
  worker_busy_ = false;
  ++worker_run_;
  worker_in_recovery_ = in_recovery_;
  io::ClusterId cluster = cluster_;
  if (worker_in_recovery_) cluster.timeline = 0;
  const bool has_identity = life_->state->identity.load() != 0 || life_->state->withheld.load() != 0;
  const lease::Origin origin = lease::OriginOf(life_->memo, has_identity, life_->source, Wanted(), Wanted() != 0);
  store_.Reset();
  if (etcd_) etcd_->Reset();
  file_.emplace(disk_, "data", 0600u);
  // As CREATE EXTENSION's script does for a new server.
  if (wanted_ == 0 && life_number_ == 1 && worker_run_ == 1 && (world_.plan_.declared_new || random_.Chance(0.5)))
    file_->CreateForNewServer(cluster_, 1);
  static_source_.emplace(*file_, cluster);
  lease_source_.emplace(store(), life_->memo, World::MakeToken);
  noted_source_.emplace(*lease_source_, *file_, cluster);
  // A crash during the constructor counts as a crash during the first turn.
  keeper_.emplace(*life_->state, Now(), origin);
  if (life_->state->identity.load() == 0 && life_->state->withheld.load() == 0) life_->held.any = false;
  UseSource();
  WakeWorkerAt(world_.now_us_);
}

void Server::UseSource() {
  source_ = life_->source = Wanted();
  ever_static_ = ever_static_ || !leased();
  always_static_ = always_static_ && !leased();
  if (!leased() || source_ == kNoSource) return noted_source_->SetRules({});
  lease_source_->SetRules({.source = source_, .ttl_ms = world_.plan_.ttl_ms, .release_within_us = 500 * kMs});
  const lease::StartRule rule{.max_ahead_ms = max_ahead_ms_, .window_ms = std::max(window_ms_, kStaticWindowMs)};
  noted_source_->SetRules(
      {.source = source_, .margin_ms = window_ms_ / 2, .uncertain_lead_ms = rule.UncertainLeadMs()});
}

lease::IdentitySource& Server::source() {
  if (leased()) return *noted_source_;
  return *static_source_;
}

lease::LeaseStore& Server::store() noexcept {
  if (etcd_) return *etcd_;
  return store_;
}

void Server::DeliverReply(uint64_t message, const World::Message& reply) {
  if (etcd_)
    etcd_->link().Deliver(message, reply.etcd->answer, reply.etcd->date_ms);
  else
    store_.Deliver(message, reply.reply);
}

void Server::BreakConnection() {
  if (etcd_)
    etcd_->link().Break();
  else
    store_.Break();
}

void Server::WakeWorkerAt(int64_t at_us) {
  if (!up() || !worker_up_) return;
  if (wake_armed_ && wake_at_us_ <= at_us && wake_at_us_ >= world_.now_us_) return;
  wake_armed_ = true;
  wake_at_us_ = at_us;
  world_.Push(at_us, EventKind::kTurn, index_, ++wake_tag_);
}

lease::Wishes Server::CurrentWishes() {
  const Plan& plan = world_.plan_;
  lease::Wishes wishes;
  wishes.settings = {.max_ahead_ms = max_ahead_ms_,
                     .window_ms = leased() ? window_ms_ : kStaticWindowMs,
                     .max_clock_step_ms = 60000,
                     .block_size = 256,
                     .renew_every_us = leased() ? lease::LeaseSource::RenewEveryUs(plan.ttl_ms, window_ms_) : 0};
  wishes.source = Wanted();
  wishes.leased = Wanted() != 0;
  wishes.has_worker = Wanted() != kNoSource;
  wishes.in_recovery = worker_in_recovery_;
  // Above the leased ones, and different from every other server's.
  wishes.worker = static_cast<uint32_t>(plan.min_worker + plan.workers + index_) +
                  static_turn_ * static_cast<uint32_t>(plan.servers);
  if (plan.same_numbers) wishes.worker = static_turn_;
  wishes.asked_for = life_->asked_for;
  wishes.stop = stopping_;
  return wishes;
}

void Server::Turn() {
  wake_armed_ = false;
  worker_busy_ = true;
  const double preempt = world_.plan_.preempt;
  // Rare turns are suspended more often than the renewals, of which there are two a second.
  const bool rare = keeper_->view().phase != lease::Phase::kHolding || stopping_ || wanted_ != source_ ||
                    worker_in_recovery_ != in_recovery_;
  world_.RunStep(*this, kWorkerActor, rare && preempt > 0 ? std::max(preempt, 0.3) : preempt, [this] {
    if (worker_in_recovery_ && !in_recovery_) {
      worker_in_recovery_ = false;
      static_source_->SetCluster(cluster_);
      noted_source_->SetCluster(cluster_);
    }
    if (keeper_->view().source != source_) UseSource();
    const lease::SourceRequest request = keeper_->Advance(Now(), CurrentWishes());
    CheckRequest(request);
    world_.AtYield();
    if (request.kind != lease::SourceRequest::Kind::kNone) source().Submit(request, Now());
    world_.AtYield();
    lease::SourceAnswer answer;
    while (source().Poll(Now(), &answer)) {
      if (!leased()) NoteFile(answer);
      world_.AtYield();
      keeper_->Receive(answer, Now());
      if (answer.outcome == lease::SourceOutcome::kLost) life_->held.any = false;
    }
    worker_busy_ = false;
    ReportEvents();
    if (keeper_->stopped()) return;
    int64_t sleep_us = keeper_->view().sleep_us;
    if (leased()) sleep_us = std::min(sleep_us, lease_source_->wants(Now().boot_us).wake_boot_us - Now().boot_us);
    WakeWorkerAt(world_.now_us_ + std::max<int64_t>(sleep_us, 0) + 50);
  });
}

// A reload with other settings.
void Server::Configure(int64_t what, Random& random) {
  const Plan& plan = world_.plan_;
  switch (what) {
    case 0: wanted_ = wanted_ == 0 ? lease_key_ : 0; return;
    case 1: static_turn_ = (static_turn_ + 1) % 2; return;
    case 2:
      lease_key_ = plan.same_numbers ? lease_key_ ^ 1 : lease_key_ + 2;
      if (wanted_ != 0) wanted_ = lease_key_;
      return;
    default:
      // Large enough that the longest tick fits into half a window and max_ahead.
      window_ms_ = random.Between(plan.window_ms * 2 / 3, plan.window_ms);
      max_ahead_ms_ = random.Between(plan.max_ahead_ms * 2 / 3, plan.max_ahead_ms);
  }
}

void Server::ReportEvents() {
  using Kind = lease::Event::Kind;
  keeper_->DrainEvents([this](const lease::Event& event) {
    switch (event.kind) {
      case Kind::kPublished:
        ++world_.figures_.acquisitions;
        if (!ready_in_life_)
          (after_crash_ ? world_.figures_.ready_after_crash_us : world_.figures_.ready_after_stop_us)
              .push_back(world_.now_us_ - started_at_us_);
        ready_in_life_ = true;
        if (!leased()) past_uncertain_ = false;  // it has a file of its own again
        world_.Note("server %d issues as worker %u from %lld", index_, event.worker,
                    static_cast<long long>(event.floor_ms));
        break;
      case Kind::kWithheld: world_.Note("server %d holds worker %u in advance", index_, event.worker); break;
      case Kind::kLost:
        ++world_.figures_.lost_leases;
        world_.Note("server %d loses worker %u", index_, event.worker);
        break;
      case Kind::kReleased: world_.Note("server %d releases worker %u", index_, event.worker); break;
      case Kind::kReplaced: world_.Note("server %d gives up worker %u for another source", index_, event.worker); break;
      case Kind::kSourceFailed: world_.Note("server %d: the source fails", index_); break;
      case Kind::kSourceRecovered: world_.Note("server %d: the source answers again", index_); break;
      case Kind::kClockStepTaken: world_.Note("server %d believes its clock's step", index_); break;
      default: break;
    }
  });
  const int64_t lead_us = LeadUs();
  world_.figures_.largest_lead_us = std::max(world_.figures_.largest_lead_us, lead_us);
  // A server starts from a floor up to a minute ahead, and a ceiling is further ahead by the rest.
  const int64_t most_us = kMinute + 2 * (world_.plan_.ttl_ms + kStaticWindowMs + world_.plan_.max_ahead_ms) * kMs;
  if (world_.clocks_never_stepped_ && lead_us > most_us) world_.Violate("the id clock runs away from the wall clock");
  // The lead of an uncertain start; a server that is stopped for hours comes back with a boot-time clock that has
  // drifted.
  if (world_.clocks_never_stepped_ && always_static_ &&
      lead_us > kMinute + (world_.plan_.max_ahead_ms + kStaticWindowMs) * kMs + 2 * kSecond)
    world_.Violate("crashes and promotions lead a static server's id clock by more than an uncertain start");
}

void Server::ScheduleOp(int backend) {
  Backend& it = backends_[static_cast<size_t>(backend)];
  int64_t after_us = 1;
  if (world_.now_us_ < it.waits_until_us)  // as in src/pg/ids/take_id.cpp
    after_us += std::min(kMs << std::min(it.tries++, 8), 10 * kMs);
  else
    after_us += it.random.Exponential(world_.plan_.op_every_us);
  world_.Push(world_.now_us_ + after_us, EventKind::kOp, index_,
              static_cast<uint64_t>(life_number_) << 16 | static_cast<uint64_t>(backend));
}

void Server::Operate(int backend, bool once) {
  backends_[static_cast<size_t>(backend)].busy = true;
  world_.RunStep(*this, backend, world_.plan_.preempt, [this, backend, once] {
    const ReservationOutcome outcome = TakeIds(backend);
    Backend& it = backends_[static_cast<size_t>(backend)];
    // Some wait for the worker's next turn.
    if (outcome != ReservationOutcome::kNoIdentity && outcome != ReservationOutcome::kAtCeiling) {
      it.waits_until_us = 0;
    } else if (world_.now_us_ >= it.waits_until_us && it.random.Chance(0.1)) {
      it.waits_until_us = world_.now_us_ + it.random.LogBetween(kMs, kSecond);
      it.tries = 0;
    }
    it.busy = false;
    if (!once || it.missed) ScheduleOp(backend);
    it.missed = false;
  });
}

core::ReservationOutcome Server::TakeIds(int backend) {
  Random& random = backends_[static_cast<size_t>(backend)].random;
  core::ServerState& state = *life_->state;
  core::BackendSlot& slot = life_->slots[static_cast<size_t>(backend)];
  const int64_t count = random.Chance(0.003) ? random.LogBetween(100, 20000) : random.LogBetween(1, 12);
  uint32_t line = random.Chance(0.7) ? 0 : 1;
  // Under the server lock, which the worker holds during its turns.
  if (random.Chance(0.05) && !worker_busy_ && !making_line_) {
    making_line_ = true;
    core::FindOrMakeLine<SimMemory>(state, kSimLayouts[random.Between(2, 3)]);
    making_line_ = false;
    if (turn_waits_) WakeWorkerAt(world_.now_us_);
    turn_waits_ = false;
  }
  const auto lines = static_cast<uint32_t>(state.line_count.load());
  if (lines > 2 && random.Chance(0.2)) line = 2 + static_cast<uint32_t>(random.Below(lines - 2));
  if (slot.line != line) {
    core::DropBlock(slot);
    slot.line = line;
  }
  const int layout = LayoutOf(state.lines[line].layout);
  // Read for every id; the time changes only if the step is suspended.
  int64_t coarse_of_us = 0, coarse = 0;
  const auto coarse_ns = [this, &coarse_of_us, &coarse] {
    if (coarse_of_us != world_.now_us_) {
      coarse_of_us = world_.now_us_;
      coarse = Now().boot_us / 4000 * 4000000;
    }
    return coarse;
  };
  const auto behind_us = static_cast<uint64_t>(backends_[static_cast<size_t>(backend)].behind_us) + 1;
  const auto id_clock_us = [this, &state, &random, behind_us] {
    return Now().boot_us - static_cast<int64_t>(random.Below(behind_us)) + core::ClockOffsetUs<SimMemory>(state);
  };
  // Ids taken without a suspension in between are recorded together.
  core::Position first = 0, past = 0;
  const auto note = [&] {
    if (past > first) Issued(backend, first, past, slot.worker, layout);
    first = past = 0;
  };
  for (int64_t i = 0; i < count; ++i) {
    core::Position position;
    if (!core::TakeFromBlock(slot, line, coarse_ns, &position)) {
      note();
      const core::Reservation reservation = core::Refill<SimMemory>(state, slot, 1, coarse_ns, id_clock_us);
      if (reservation.outcome != ReservationOutcome::kOk) {
        if (reservation.outcome == ReservationOutcome::kNoIdentity ||
            reservation.outcome == ReservationOutcome::kAtCeiling) {
          if (!life_->asked_for) WakeWorkerAt(world_.now_us_);
          life_->asked_for = true;
        }
        if (reservation.outcome == ReservationOutcome::kExhausted)
          world_.Violate("a line has run out that ends decades from here");
        return reservation.outcome;
      }
      Reserved(backend, reservation, layout);
      position = core::TakePosition(slot);
      const int64_t ahead_ms = core::TimeOf(state.lines[line].layout, position) - core::MsOf(slot.reserved_at_us);
      if (ahead_ms > world_.plan_.max_ahead_ms + state.lines[line].layout.unit_ms)
        world_.Violate("an id is further ahead of the id clock than max_ahead");
    }
    if (position != past) {
      note();
      first = position;
    }
    past = position + 1;
  }
  note();
  return ReservationOutcome::kOk;
}

void Server::Crash(bool restart, int64_t down_us) {
  if (!up()) return;
  after_crash_ = true;
  world_.Note("server %d crashes%s", index_, restart ? "" : " for good");
  last_id_clock_us_ = std::max(last_id_clock_us_, Now().wall_us + LeadUs());
  using Unsynced = MemoryDisk::Unsynced;
  constexpr Unsynced kUnsynced[] = {Unsynced::kLost, Unsynced::kTorn, Unsynced::kKept};
  if (file_) file_->Close();
  disk_.Crash(kUnsynced[random_.Below(3)], random_.Chance(0.5));
  keeper_.reset();
  noted_source_.reset();
  lease_source_.reset();
  static_source_.reset();
  file_.reset();
  store().Close();
  worker_up_ = worker_busy_ = false;
  wake_armed_ = false;
  ++worker_run_;
  life_.reset();
  if (restart) world_.Push(world_.now_us_ + down_us, EventKind::kStart, index_);
}

void Server::CleanStop(int64_t down_us) {
  if (!up() || stopping_) return;
  stopping_ = true;
  stop_down_us_ = down_us;
  WakeWorkerAt(world_.now_us_);
}

// The postmaster waits for the backends, some of which may be in the middle of a reservation.
void Server::WorkerHasStopped() {
  world_.Note("server %d: its worker has stopped", index_);
  last_id_clock_us_ = std::max(last_id_clock_us_, Now().wall_us + LeadUs());
  if (file_) file_->Close();
  keeper_.reset();
  after_crash_ = false;
  worker_up_ = false;
  worker_stopped_ = true;
  ++worker_run_;
  world_.Push(world_.now_us_ + random_.LogBetween(1, 5 * kSecond), EventKind::kEnd, index_,
              static_cast<uint64_t>(life_number_));
}

void Server::End() {
  if (!up()) return;
  world_.Note("server %d has stopped", index_);
  life_.reset();
  world_.Push(world_.now_us_ + stop_down_us_, EventKind::kStart, index_);
}

// The process ends; shared memory stays, and other processes continue what they are doing.
void Server::ExitWorker() {
  if (!up() || !worker_up_) return;
  world_.Note("server %d: its worker exits", index_);
  if (file_) file_->Close();
  keeper_.reset();
  store().Close();
  worker_up_ = worker_busy_ = false;
  wake_armed_ = false;
  ++worker_run_;
  world_.Push(world_.now_us_ + kSecond, EventKind::kWorkerStart, index_, static_cast<uint64_t>(life_number_));
}

void Server::Pause(int64_t for_us) {
  if (!up()) return;
  world_.Note("server %d is stopped for %.3f s", index_, static_cast<double>(for_us) / kSecond);
  paused_until_us_ = std::max(paused_until_us_, world_.now_us_ + for_us);
}

}  // namespace idgen::sim
