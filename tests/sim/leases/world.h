// One simulated world: servers, their store, the network between them, the faults; one thread, one seed, no real time.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "leases/breaks.h"
#include "engine/event_queue.h"
#include "engine/fiber.h"
#include "leases/ledger.h"
#include "engine/random.h"
#include "etcd/model.h"
#include "leases/store.h"

namespace idgen::sim {

class Server;

inline constexpr int64_t kUs = 1;
inline constexpr int64_t kMs = 1000 * kUs;
inline constexpr int64_t kSecond = 1000 * kMs;
inline constexpr int64_t kMinute = 60 * kSecond;
inline constexpr int64_t kHour = 60 * kMinute;
inline constexpr int64_t kBeginUs = 1795000000 * kSecond;  // November 2026

enum class StoreKind : uint8_t {
  kLinearizable,  // keeps what it acknowledged, and the operator has said so
  kKeeping,       // the same, without the operator's declaration
  kForgetful,     // replicas, fail-overs, snapshots, FLUSHALL
  kEtcd,          // the lease store for etcd as it ships, over a model of etcd
};

// What a violation is about, the worst first.
enum class Rule : uint8_t {
  kId,    // an id was given twice
  kTime,  // a time was given to two holders of one worker id: an id would have been issued twice, had both been busy
  kAny,   // any other invariant
};

// The parameters of a run, drawn from the seed or set on the command line.
struct Plan {
  uint64_t seed = 0;
  int servers = 4;
  int static_servers = 1;  // of them
  int backends = 3;
  int min_worker = 0;  // worker ids from here on are leased, so many of them:
  int workers = 8;
  StoreKind store = StoreKind::kForgetful;
  int replicas = 0;
  int wait_replicas = 0;
  int64_t ttl_ms = 30000;
  int64_t window_ms = 20000;
  int64_t max_ahead_ms = 1000;
  int64_t hours_us = kHour;
  int64_t start_within_us = 5 * kSecond;  // all servers
  int64_t op_every_us = 2 * kSecond;      // of a backend, on average
  double preempt = 0.02;                  // of the steps that can be left in the middle
  int faults = 60;
  bool declared_new = false;       // the prefix and every server are declared new; otherwise some are, at random
  int64_t skew_us = 15 * kSecond;  // maximum initial error of a server's wall clock
  bool proxied = false;            // behind a proxy servers do not notice that the store's process changes
  bool same_numbers = false;       // one server, which may lease its static worker ids, too, under two prefixes
  bool standbys = false;           // servers that lease start as standbys now and then, and are promoted later
  bool twins = false;              // two leased servers have the same name: clones
  bool clocks_step = true;
  bool store_clock_steps = true;
  int64_t store_clock_back_us = 0;  // for the envelope: how far the store's clock is set back
  Rule watched = Rule::kAny;        // violations of lesser rules are ignored
  // Of a world with etcd.
  int64_t revoke_late_ms = 0;   // leases are revoked this long after their end
  bool members_differ = false;  // each member of the cluster has a wall clock of its own, hours apart
  bool checks_keys = true;      // after each transaction
  bool restores = false;        // of the cluster, from snapshots
  bool clocks_agree = false;    // so that it is enough to wait before a restored cluster is started
  Breaks breaks;

  static Plan Of(uint64_t seed);
  static Plan OfEtcd(uint64_t seed);
  // Many servers of the defaults on one store that keeps what it acknowledged, with few faults: what a user can expect.
  static Plan AtScale(uint64_t seed, int servers, int64_t hours);
};

enum class FaultKind : uint8_t {
  kCrash,        // at once
  kCrashAtStep,  // `a` steps from then
  kCrashLoop,    // `a` times, every `b`
  kCleanRestart,
  kWorkerExit,    // the background worker, `a` steps from then; shared memory lives on
  kPause,         // SIGSTOP for `a`
  kClockStep,     // a server's wall clock by `a`
  kClockSpike,    // by `a`, and back after `b`
  kNetworkBad,    // for `a`: messages are lost, late, twice
  kServerCutOff,  // one server from the store for `a`
  kStorePause,    // for `a`
  kStoreRestart,  // what it keeps: kind of store; down for `a`
  kStoreClock,    // forward by `a`
  kFailOver,      // after the replicas were cut off for `a`; the old master goes on for `b`
  kReplicaCut,    // for `a`
  kForget,        // FLUSHALL
  kSettings,      // if `a` is 0 a server is sent from its lease to a static worker id or back, 1: it gets another
                  // static one, 2: it leases again, 3: its window and max_ahead change
  kFileLost,      // a static server's: at a crash
  kFileOld,       // the same, but with an older copy
  kMoved,         // the same, but the directory is a copy
  kPromoted,      // the same, but on another timeline
  kHeldMessage,   // the next request of a server comes a second time after `a`; if `b` is 1 the server stops after it
  kHeldClaim,     // a server acquires again; the request comes a second time after `a`, while the server is stopped and
                  // the others are restarted, the last time within `b` before
  kSetBack,  // a server is stopped for `a`; `b` before it goes on the store is restarted with what it had at the stop,
             // or with nothing; meanwhile the others are restarted
  kReset,    // a server's connections for `a`: its requests may yet arrive, the replies do not
  kPromotions,  // a server crashes `a` times, every `b`, and is promoted in place each time: another timeline
  // Only in a world with etcd.
  kRevoked,     // a server's lease ends early; if `b` is 1 when the server is stopped for `a`, otherwise after `a`
  kGrantedTtl,  // for `a`, etcd grants a TTL of `b` seconds
  kNoSpace,     // etcd refuses what needs space, for `a`
  kCloned,      // a server is replaced by a clone of another one, whose local file counts as its own: a virtual machine
  // Drawn apart.
  kRestored,  // etcd, from a snapshot that is `a` old: if `b` is 1 after all servers have come to their ceilings,
              // otherwise after `b`, while they go on
  kRace,      // a server takes a worker id up to `a` after it has chosen it; meanwhile the others are restarted, twice
};
constexpr int kFaultKinds = static_cast<int>(FaultKind::kPromotions) + 1;
constexpr int kEtcdFaultKinds = static_cast<int>(FaultKind::kCloned) + 1;
constexpr int kAllFaultKinds = static_cast<int>(FaultKind::kRace) + 1;

struct Fault {
  int64_t at_us = 0;
  FaultKind kind = FaultKind::kCrash;
  int who = 0;
  int64_t a = 0;
  int64_t b = 0;
  uint64_t number = 0;  // in the plan's list, also once others were taken out: what it draws follows from it
};

std::string Describe(const Fault& fault);

struct Figures {
  uint64_t ids = 0;
  uint64_t events = 0;
  uint64_t store_calls = 0;
  std::vector<uint64_t> etcd_calls;  // in each second
  uint64_t acquisitions = 0;
  uint64_t lost_leases = 0;
  int64_t longest_outage_us = 0;  // of a server that was up
  int64_t largest_lead_us = 0;    // of an id clock over the wall clock
  bool time_repeated = false;     // even if `watched` ignores that
  // From the start of a server until its identity is published.
  std::vector<int64_t> ready_after_stop_us;
  std::vector<int64_t> ready_after_crash_us;
};

class World {
 public:
  World(const Plan& plan, const std::vector<Fault>& faults);
  ~World();

  static std::vector<Fault> FaultsOf(const Plan& plan);
  static std::vector<Fault> FaultsAtScale(const Plan& plan);

  // True if nothing was violated.
  bool Run();
  // Made by the server whose step is running.
  static void MakeToken(char (&text)[lease::kTokenBytes + 1]) noexcept;
  const std::string& violation() const noexcept { return violation_; }
  const Figures& figures() const noexcept { return figures_; }
  // Records what happens as text, which is slow.
  void KeepTimeline() { keep_timeline_ = true; }
  const std::vector<std::string>& timeline() const noexcept { return timeline_; }

 private:
  friend class Server;
  friend class SimStore;
  friend class SimEtcdStore;
  friend struct SimMemory;

  // A call to etcd, and its answer.
  struct EtcdMessage {
    std::string path, body;
    EtcdModel::Answer answer;  // HTTP status 0: the connection was refused
    int64_t date_ms = 0;
    int cluster = 0;  // that it was sent to
  };
  struct Message {
    int server = 0;
    int node = -1;  // where it arrived
    Call call;
    lease::StoreReply reply;
    uint64_t offset = 0;
    int64_t give_up_us = 0;  // WAIT's time limit
    std::unique_ptr<EtcdMessage> etcd = {};
  };
  // A second copy of a server's next request, or of its next acquisition, arrives late.
  struct Hold {
    int64_t after_us = 0;  // 0: none does
    bool of_acquisition = false;
    bool stops_after = false;  // the server stops once the copy has arrived
    int64_t pause_us = 0;      // if not 0, it is paused after this time until the copy has arrived
  };
  struct Suspended {
    Fiber* fiber = nullptr;
    int server = 0;
    int life = 0;
    int actor = 0;
    uint64_t worker_run = 0;
  };

  // A flag in the tag of a backend's event, beside its number: an extra event, after which no further one is scheduled.
  static constexpr uint64_t kBetween = 1u << 15;

  void Push(int64_t at_us, EventKind kind, int who, uint64_t tag = 0) {
    events_.Push({std::max(at_us, now_us_), tag, who, kind});
  }
  void Do(int64_t at_us, std::function<void()> what);
  void Handle(const Event& event);

  // The network.
  uint64_t Send(int server, const Call& call);
  uint64_t SendToEtcd(int server, std::string_view path, std::string_view body);
  uint64_t NewMessage();
  void Arrive(const Event& event);
  void ArriveAtEtcd(const Event& event);
  void AfterWait(uint64_t id);
  void Reply(uint64_t id, int64_t after_us);
  int RouteOf(int server) const;
  bool LinkBad() const;
  int64_t DelayUs(int server);

  // Runs a step that is suspended at each yield point with probability `leaves`.
  void RunStep(Server& server, int actor, double leaves, std::function<void()> step);
  void AtYield() {
    if (Fiber::Current() != nullptr) MayLeave();
  }
  void MayLeave();
  void ResumeSuspended(size_t index);

  void Strike(const Fault& fault);
  bool StrikeEtcd(const Fault& fault, Random& random);
  // What every transaction must keep to: a lease is swapped only by its own server or its clone, and no token has two
  // worker ids.
  using EtcdHolders = std::vector<std::pair<std::string, std::string>>;  // keys and values
  EtcdHolders HoldersInEtcd() const;
  void CheckHolders(const EtcdHolders& before);
  std::map<std::string, int64_t> CeilingsInEtcd() const;
  void CheckCeilings(const std::map<std::string, int64_t>& before);
  void CheckTaken(const std::string& key, std::string_view token);
  void NoteMeeting(int server);
  void NoteReleased(int server);
  void CheckAcquired(int server, const lease::StoreReply& reply);
  void RestoreEtcd(const EtcdModel& snapshot, bool waited);
  static void AddFaultsOfEtcd(const Plan& plan, std::vector<Fault>* faults);
  int FamilyOf(std::string_view token) const;
  void SetStoreBack(Random& random);
  // Restarts all servers but `who`, each at some time within `within_us` after `from_us`.
  void RestartOthers(int who, int64_t from_us, int64_t within_us, Random& random);
  void EndFaults();
  void CheckLiveness();
  void Violate(const std::string& text, Rule rule = Rule::kAny);
  void Note(const char* format, ...) __attribute__((format(printf, 2, 3)));

  Plan plan_;
  std::vector<Fault> faults_;
  Random random_;              // for everything without a stream of its own
  std::vector<Random> links_;  // each server's way to the store
  Store store_;
  EtcdModel etcd_;
  // A server's next take of a worker id arrives this much later than it would, and the server may crash meanwhile.
  struct SlowTake {
    int64_t by_us = 0;
    bool crashes = false;
  };
  std::vector<SlowTake> slow_takes_;
  // By the key of the worker id.
  using EtcdCeilings = std::map<std::string, int64_t>;
  struct Forgotten {
    int64_t ceiling_ms = 0;
    int server = -1;  // whose worker id it was
    int life = 0;
    bool is_met = false;   // the server has talked to the restored cluster
    bool is_back = false;  // it has acquired a worker id there
  };
  std::map<std::string, Forgotten> forgotten_;   // ceilings, by a cluster that was restored
  std::map<int64_t, int64_t> ceilings_at_take_;  // by fence
  bool is_restoring_ = false;                    // the members are gone
  int etcd_number_ = 0;                          // grows with every restore
  bool is_void_ = false;                         // the operator has not done what the promise needs
  std::vector<int> families_;                    // of servers: a virtual machine and its clones are one
  int64_t member_clocks_us_[3] = {};             // of etcd's members, less true time
  Ledger ledger_;
  static inline FiberPool fibers_;  // whose stacks the next world uses again
  std::vector<std::unique_ptr<Server>> servers_;
  EventQueue events_{kBeginUs};
  std::vector<std::function<void()>> to_do_;
  std::vector<Message> messages_;
  std::vector<uint64_t> free_messages_;
  std::vector<Suspended> suspended_;
  int64_t now_us_ = kBeginUs;
  uint64_t requests_ = 0;  // sent so far
  int64_t network_bad_until_us_ = 0;
  std::vector<Hold> holds_;  // per server
  std::vector<int64_t> resets_until_us_;
  std::vector<uint64_t> connected_to_;  // per server: the store's process
  int64_t store_paused_until_us_ = 0;
  std::vector<int> route_;      // per server; -1: the master
  bool store_is_back_ = false;  // its clock is set back
  bool faults_over_ = false;
  bool clocks_never_stepped_ = true;  // in the whole run
  bool violated_ = false;
  std::string violation_;
  Figures figures_;
  bool keep_timeline_ = false;
  std::vector<std::string> timeline_;
  Server* stepping_ = nullptr;  // the server whose step is running
  int actor_ = 0;               // and which of its processes
  Suspended step_;
};

}  // namespace idgen::sim
