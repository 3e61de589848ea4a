// A simulated installation of servers that give values of sequences: their store, the way there, the faults; one
// thread, one seed, no real time. Beside the world of leases, and simpler: connections lose, and neither double nor
// reorder.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "engine/event_queue.h"
#include "engine/fiber.h"
#include "engine/random.h"
#include "etcd/model.h"
#include "sequences/ledger.h"
#include "sequences/store.h"

namespace idgen::sim::sequences {

class Server;
class EtcdCluster;
struct Actor;

inline constexpr int64_t kUs = 1;
inline constexpr int64_t kMs = 1000 * kUs;
inline constexpr int64_t kSecond = 1000 * kMs;
inline constexpr int64_t kBeginUs = 1795000000 * kSecond;  // November 2026
inline constexpr int64_t kStoreTimeoutUs = 2 * kSecond;
inline constexpr int kMostKeys = 24;

enum class StoreKind : uint8_t { kRedis, kEtcd };

// What a run is made of; all of it follows from the seed, or is set on the command line.
struct Plan {
  uint64_t seed = 0;
  StoreKind store = StoreKind::kRedis;
  int servers = 1;
  int backends = 1;
  std::vector<sequencer::Definition> keys;
  int slots = 16;          // for segments
  bool forgets = false;    // the store
  bool restores = false;   // etcd, from a snapshot
  bool may_evict = false;  // there are more keys than marks
  int replicas = 0;
  int64_t way_us = kMs;  // to the store, or back
  int64_t sync_us = kMs;
  int64_t op_every_us = 20 * kMs;  // of a backend, on average
  int64_t lasts_us = 20 * kSecond;
  double sets = 0;      // of the calls
  double aborts = 0.1;  // of the transactions
  double preempt = 0.02;
  int faults = 20;
  Breaks breaks;

  static Plan Of(uint64_t seed);
  static Plan OfEtcd(uint64_t seed);
};

enum class FaultKind : uint8_t {
  kCrash,          // of a backend, and so of the server; it is down for `a`
  kMachineCrash,   // what is not synced may be lost
  kCleanRestart,   // it is down for `a`
  kReset,          // a server's connections: what was asked may have run
  kCancel,         // a backend
  kStoreRestart,   // down for `a`; a store that forgets may come back with an older snapshot, or with nothing
  kForget,         // FLUSHALL
  kReplicasCut,    // for `a`
  kFailOver,       // after `a`
  kTwoMasters,     // a replica becomes master, and for `a` the old one goes on, for those who reach it
  kBusy,           // backends ask without pausing for `a`
  kTogether,       // all servers crash, and the store is restarted meanwhile
  kForgetAtCrash,  // a server crashes, and the store forgets meanwhile
  // Of etcd alone.
  kLostReplies,  // of calls that were carried out, for `a`
  kLateCalls,    // calls of a server arrive late, for `a`
  kNoSpace,      // no writes, for `a` / 2
  kRevoked,      // a lease of keys ends early
  kRestore,      // from a snapshot
};
constexpr int kFaultKinds = static_cast<int>(FaultKind::kForgetAtCrash) + 1;  // of Redis

struct Fault {
  int64_t at_us = 0;
  FaultKind kind = FaultKind::kCrash;
  int who = 0;
  int64_t a = 0;
  uint64_t number = 0;  // in the plan's list, also once others were taken out: what it draws follows from it
};

std::string Describe(const Fault& fault);

struct Figures {
  uint64_t values = 0;
  uint64_t repeated = 0;  // by a store that forgot, where that may be
  uint64_t calls = 0;
  uint64_t failed_calls = 0;
  uint64_t raises = 0;
  uint64_t returns = 0;
  uint64_t syncs = 0;
  uint64_t records = 0;
  uint64_t crashes = 0;
  uint64_t forgot = 0;
  uint64_t events = 0;
};

// When something ran in the store, and what it was like afterwards.
struct Ran {
  uint64_t at = 0;
  uint64_t process = 0;
  int64_t generation = 0;
  uint64_t reset = 0;  // when it was set or dropped last
};

class World {
 public:
  World(const Plan& plan, const std::vector<Fault>& faults);
  ~World();

  static std::vector<Fault> FaultsOf(const Plan& plan);
  static std::vector<Fault> FaultsOfEtcd(const Plan& plan);

  // True where nothing was violated.
  bool Run();
  const std::string& violation() const noexcept { return violation_; }
  Figures figures() const;
  void KeepTimeline() { keep_timeline_ = true; }
  const std::vector<std::string>& timeline() const noexcept { return timeline_; }

 private:
  friend class Server;
  friend class SimHost;
  friend struct SimMemory;
  friend class EtcdSession;

  // Of a raise: when the store gave what the server's mark is of, and which set or drop that knows; of a return: when
  // it gave the values.
  struct Known {
    uint64_t ran = 0;
    uint64_t reset = 0;
    int64_t generation = 0;  // that the set or drop made
  };

  // What goes to the store over a connection: it runs there also where nobody waits for it any more.
  struct Message {
    int actor = 0;
    uint64_t connection = 0;
    uint64_t process = 0;  // of the store
    sequencer::Operation operation;
    int server = 0;
    Known knew;  // of who asks
    std::vector<int> keys;
    std::vector<sequencer::Answer> answers;
    std::vector<Ran> ran;
    bool is_lost = false;
    bool is_done = false;
  };

  // A call to etcd.
  struct EtcdCall {
    int actor = 0;
    uint64_t number = 0;             // of the operation that it is a part of
    sequencer::Operation operation;  // itself
    Known knew;
    std::string path, body;
    EtcdModel::Answer answer;
    std::vector<std::pair<int, Ran>> ran;  // by key that it wrote
    bool is_lost = false;
  };

  // What ran in a store on one key.
  struct Step {
    int actor;
    const sequencer::Operation& operation;
    const Known& knew;
    int key;
    uint64_t event;
  };

  static std::vector<Fault> DrawFaults(const Plan& plan, const FaultKind* kinds, size_t count);

  void Do(int64_t at_us, std::function<void()> what);
  uint64_t NextEvent() noexcept { return ++event_; }
  void Note(const char* format, ...) __attribute__((format(printf, 2, 3)));
  void Violate(const std::string& text);

  // For who runs in a fiber. Until `us` have passed, or Wake().
  void Sleep(Actor& actor, int64_t us);
  void Wake(Actor& actor);
  // Now and then, somewhere in the middle.
  void MayLeave();

  size_t Send(Actor& actor, const sequencer::Operation& operation, const int* keys, int count, const Known& knew);
  void Arrive(size_t message);
  void RunAtStore(Message& message);
  // `raises`: to the operation's mark. `had`: as in the answer.
  void Judge(const Step& step, const KeyState& before, const KeyState& after, bool raises, bool had);
  void CheckRaise(const Step& step, const KeyState& before, bool raises);
  void CheckChange(const Step& step, const KeyState& before, bool had);
  KeyState StateOf(int key) const;
  void CutConnections(int server);

  void Strike(const Fault& fault);
  void ChangeStore(const std::function<void()>& change, const char* what);
  void EndOldMaster();
  bool flaps() const noexcept { return now_us_ < flaps_until_us_ && store_.old_process() != 0; }

  uint64_t SendToEtcd(Actor& actor, EtcdCall call);
  void ArriveAtEtcd(size_t call);
  void RunAtEtcd(EtcdCall& call);
  void BringEtcdUp();
  void NoteExpired();
  void NoteKeyReset(int key, int64_t value);
  bool StrikeEtcd(const Fault& fault, Random& random);
  void RestoreEtcd(Random& random);
  void CutEtcdConnections(int server);

  void EndFaults();
  void CheckLiveness();

  Plan plan_;
  std::vector<Fault> faults_;
  Random random_;
  Store store_;
  std::unique_ptr<EtcdCluster> etcd_;  // instead of it
  Ledger ledger_;
  static inline FiberPool fibers_;  // whose stacks the next world uses again
  EventQueue events_{kBeginUs};
  std::vector<std::function<void()>> to_do_;
  std::vector<Message> messages_;
  std::vector<EtcdCall> etcd_calls_;
  uint64_t operations_ = 0;                     // in etcd
  std::set<std::pair<uint64_t, int>> changes_;  // operations that must not be carried out twice, and their keys
  std::vector<std::unique_ptr<Actor>> actors_;
  std::vector<std::unique_ptr<Server>> servers_;
  int64_t now_us_ = kBeginUs;
  int64_t busy_until_us_ = 0;
  int64_t flaps_until_us_ = 0;  // until then a connection may end after any answer, and lead to any master
  uint64_t event_ = 0;
  uint64_t tokens_ = 0;
  uint64_t connections_ = 0;
  int store_restarts_ = 0;
  bool has_forgotten_ = false;
  bool were_connections_cut_ = false;  // to etcd
  bool has_had_two_masters_ = false;
  bool faults_over_ = false;
  bool violated_ = false;
  std::string violation_;
  Figures figures_;
  bool keep_timeline_ = false;
  std::vector<std::string> timeline_;
  Actor* running_ = nullptr;
};

}  // namespace idgen::sim::sequences
