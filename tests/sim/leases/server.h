// A simulated PostgreSQL server: the shared state, keeper, sources and blocks that ship, under clocks that lie, crashes
// and pauses; its worker's turn is that of src/pg/worker/worker.cpp.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "core/block.h"
#include "io/ceiling_file.h"
#include "leases/etcd_store.h"
#include "leases/layouts.h"
#include "lease/keeper.h"
#include "lease/lease_source.h"
#include "lease/noted_source.h"
#include "lease/static_source.h"
#include "memory_disk.h"
#include "leases/world.h"

namespace idgen::sim {

inline constexpr int64_t kStaticWindowMs = 10000;

// A process can be suspended or killed at every access of a shared word.
struct SimMemory {
  static inline World* world = nullptr;

  static uint64_t Load(const core::Word& word, core::Step) noexcept {
    world->AtYield();
    return word.load(std::memory_order_relaxed);
  }
  static void Store(core::Word& word, uint64_t value, core::Step) noexcept {
    world->AtYield();
    word.store(value, std::memory_order_relaxed);
  }
  static bool Swap(core::Word& word, uint64_t& expected, uint64_t desired, core::Step) noexcept {
    world->AtYield();
    const uint64_t seen = word.load(std::memory_order_relaxed);
    if (seen != expected) {
      expected = seen;
      return false;
    }
    word.store(desired, std::memory_order_relaxed);
    return true;
  }
};

// The lease store as a server sees it.
class SimStore final : public lease::LeaseStore {
 public:
  SimStore(World& world, int server) : world_(world), server_(server) {}

  void Begin(const lease::StoreRequest& request, int64_t now_us) noexcept override;
  bool Step(int64_t now_us, lease::StoreReply* reply) noexcept override;
  io::Wants wants(int64_t) const noexcept override { return {.wake_boot_us = deadline_us_}; }
  const char* problem() const noexcept override { return "it does not answer"; }
  void Close() noexcept override { pending_ = 0; }

  void Deliver(uint64_t message, const lease::StoreReply& reply);
  // The connection is reset: the request has failed, as far as the server can tell.
  void Break();
  void Reset() noexcept {
    pending_ = 0;
    answered_ = connected_ = false;
  }

 private:
  World& world_;
  int server_;
  uint64_t pending_ = 0;  // message number and one
  lease::StoreRequest::Kind asked_ = lease::StoreRequest::Kind::kList;
  bool answered_ = false;
  bool connected_ = false;
  lease::StoreReply reply_;
  int64_t deadline_us_ = 0;  // on the boot-time clock
};

class Server {
 public:
  Server(World& world, int index, bool is_static);

  // Life and death.
  void Start();
  void Promote();
  void Crash(bool restart, int64_t down_us);
  void CleanStop(int64_t down_us);
  void ExitWorker();
  void StartWorker();
  void WorkerHasStopped();
  void End();
  void Pause(int64_t for_us);

  // Its processes.
  void Turn();
  void Operate(int backend, bool once);

  bool up() const noexcept { return life_ != nullptr; }
  core::Instant Now() const noexcept;
  void StepClock(int64_t by_us) noexcept {
    // Going back before a server whose file is lost has started again is outside the promise.
    if (by_us > 0 || !past_uncertain_) skew_us_ += by_us;
  }
  int prefix() const noexcept { return static_cast<int>(source_ % kPrefixes); }
  int64_t LeadUs() const noexcept;  // of the id clock over the wall clock
  bool HasWorker() const noexcept { return life_ != nullptr && life_->memo.worker_known; }

  // Its store.
  void DeliverReply(uint64_t message, const World::Message& reply);
  void BreakConnection();

 private:
  friend class World;
  friend class SimStore;
  friend class SimEtcdStore;

  // What the server may reserve under, according to its store or its file: tracked independently of the code under
  // test.
  struct Held {
    bool any = false;  // a ceiling is durable, and the worker id is neither given up nor lost
    uint32_t worker = 0;
    uint64_t acquisition = 0;
    int64_t floor_ms = 0;
    int64_t ceiling_ms = 0;
  };
  struct Life {
    std::unique_ptr<core::ServerState> state = std::make_unique<core::ServerState>();
    std::vector<core::BackendSlot> slots;
    lease::LeaseMemo memo = {};
    uint64_t source = 0;
    bool asked_for = false;
    Held held;
    int64_t highest_clock_us = 0;  // of the id clock
    core::Position reserved_to[kLayouts] = {};
  };
  struct Backend {
    explicit Backend(const Random& stream) : random(stream) {}
    Random random;
    bool busy = false;
    bool missed = false;         // its next operation became due meanwhile
    int64_t behind_us = 1;       // by how much its processor's clock may lag
    int64_t waits_until_us = 0;  // for an identity, or a higher ceiling
    int tries = 0;

    void Begin() noexcept {
      busy = missed = false;
      waits_until_us = 0;
      tries = 0;
    }
  };

  void ArmCrash(int64_t steps, bool worker_only) {
    crash_in_ = steps;
    crash_worker_only_ = worker_only;
  }
  Random& RandomOf(int actor) noexcept {
    return actor < 0 ? worker_random_ : backends_[static_cast<size_t>(actor)].random;
  }
  void KeepWithinPromise() noexcept;
  void Configure(int64_t what, Random& random);
  void WakeWorkerAt(int64_t at_us);
  void UseSource();
  lease::IdentitySource& source();
  bool leased() const noexcept { return source_ != 0; }
  // As in src/pg/worker/worker.cpp: a standby has no static worker id.
  static constexpr uint64_t kNoSource = 1;
  uint64_t Wanted() const noexcept { return worker_in_recovery_ && wanted_ == 0 ? kNoSource : wanted_; }
  lease::Wishes CurrentWishes();
  void CheckRequest(const lease::SourceRequest& request);
  void NoteGranted(lease::StoreRequest::Kind kind, const lease::StoreReply& reply);
  void NoteFile(const lease::SourceAnswer& answer);
  void ReportEvents();
  core::ReservationOutcome TakeIds(int backend);
  void Reserved(int backend, const core::Reservation& reservation, int layout);
  void Repeated(Rule rule, core::Position position, uint32_t worker, int layout, int backend, const Issue& before);
  void Issued(int backend, core::Position first, core::Position past, uint32_t worker, int layout);
  void ScheduleOp(int backend);

  World& world_;
  int index_;
  Random random_;  // of its lives
  Random worker_random_;
  Random standby_random_;
  std::vector<Backend> backends_;
  uint64_t tokens_made_ = 0;
  // Clocks.
  double drift_ = 0;  // of the boot-time clock
  int64_t boot_base_us_;
  mutable int64_t boot_of_us_ = 0, boot_us_ = 0;  // as of when it was last asked for
  int64_t skew_us_ = 0;                           // wall clock less true time
  // Life.
  std::unique_ptr<Life> life_;
  int life_number_ = 0;
  uint64_t worker_run_ = 0;
  bool worker_up_ = false;
  bool worker_busy_ = false;
  bool making_line_ = false;  // a backend is in the middle of it
  bool turn_waits_ = false;   // until that backend is done
  int64_t paused_until_us_ = 0;
  int64_t wake_at_us_ = 0;
  uint64_t wake_tag_ = 0;
  bool wake_armed_ = false;
  int64_t crash_in_ = -1;
  bool crash_worker_only_ = false;
  int64_t crash_down_us_ = kSecond;
  bool stopping_ = false;
  bool in_recovery_ = false;         // a standby
  bool worker_in_recovery_ = false;  // as far as its worker has noticed
  bool worker_stopped_ = false;  // for good
  int64_t stop_down_us_ = 0;
  // The worker's process.
  std::optional<lease::Keeper<SimMemory>> keeper_;
  std::optional<lease::LeaseSource> lease_source_;
  std::optional<lease::NotedSource> noted_source_;
  std::optional<lease::StaticSource> static_source_;
  std::optional<io::CeilingFile> file_;
  lease::LeaseStore& store() noexcept;
  SimStore store_;
  std::unique_ptr<SimEtcdStore> etcd_;  // instead of it in a world with etcd
  MemoryDisk disk_;
  MemoryDisk old_disk_;  // a backup
  io::ClusterId cluster_;
  uint64_t source_ = 0;
  uint64_t wanted_ = 0;
  bool always_static_ = true;
  bool ever_static_ = false;
  uint64_t lease_key_ = 2;
  uint32_t static_turn_ = 0;  // which of its static worker ids is set
  int64_t window_ms_;
  int64_t max_ahead_ms_;
  int64_t last_id_clock_us_ = 0;  // of the previous life
  bool past_uncertain_ = false;
  // During a spike of its clock that is too short to be accepted: no id may be later than this.
  int64_t spike_until_us_ = 0;
  int64_t spike_limit_us_ = 0;
  int spike_life_ = 0;
  bool clock_kept_ = false;  // set by the operator, so as to stay within the promise
  // For liveness and figures.
  int64_t started_at_us_ = 0;
  int64_t last_issue_us_ = 0;
  bool issued_in_life_ = false;
  bool ready_in_life_ = false;
  bool after_crash_ = false;
};

}  // namespace idgen::sim
