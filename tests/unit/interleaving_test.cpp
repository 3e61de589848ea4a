// Every interleaving of reservations with the worker's steps, of the code that ships: no id twice, none that goes back,
// none above what is durable, none too far ahead. And the proof that the explorer would notice: each wrong order of the
// steps is caught. IDGEN_SHOW_SCHEDULES=1 prints the schedules that catch them.
#include "explorer.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <span>
#include <vector>

#include "core/reservation.h"
#include "lease/keeper.h"

namespace idgen {
namespace {

using core::Identity;
using core::kUsPerMs;
using core::Layout;
using core::Line;
using core::Position;
using core::Reservation;
using core::ServerState;
using core::Step;
using core::Word;
using explorer::Explorer;
using explorer::Findings;
using Memory = explorer::ExploringMemory;
using Keeper = lease::Keeper<Memory>;

// Four ids a tick: few enough to use ticks up, enough to change the worker id in the middle of one.
constexpr Layout LayoutOf(int64_t unit_ms) {
  return {.unit_ms = unit_ms,
          .time = {.shift = 4, .width = 41},
          .region = {},
          .app = {},
          .worker = {.shift = 2, .width = 2},
          .sequence = {.shift = 0, .width = 2}};
}
constexpr Layout kLayout = LayoutOf(1);
constexpr Layout kSlowLayout = LayoutOf(2);
constexpr int64_t kMaxAheadMs = 1;

// ---- The world, and what must hold in it ----

struct Server {
  ServerState state;
  Word lines_lock;
  Word durable_ms;  // the ceiling in its record

  Line& line() { return state.lines[0]; }
  std::span<Line> lines() { return {state.lines, state.line_count.load()}; }
};

struct Issued {
  const Server* server;
  const Layout* layout;
  Position position;
  int64_t id;
};

struct World {
  Server first;
  Server second;
  Word boot_us;
  int64_t boot_read_behind_us = 0;  // by how much less backends read than the worker, on another CPU
  std::vector<Issued> issued;       // in the order of their reservation
};
World& world = *new World;

void NewWorld(int64_t boot_ms) {
  std::destroy_at(&world);
  std::construct_at(&world);
  world.boot_us.store(static_cast<uint64_t>(boot_ms * kUsPerMs));
  for (Server* server : {&world.first, &world.second}) {
    server->state.max_ahead_ms.store(static_cast<uint64_t>(kMaxAheadMs));
    core::FindOrMakeLine<Memory>(server->state, kLayout);
  }
}

std::string TextOf(Position position) { return std::to_string(position >> 2) + ":" + std::to_string(position & 3); }

// A word's value, or an id where there is no word.
std::string Describe(const Word* word, uint64_t value) {
  const auto number = std::to_string(static_cast<int64_t>(value));
  if (word == nullptr)
    return number + " = worker " + std::to_string(kLayout.worker.Get(value)) + ", " +
           TextOf(kLayout.time.Get(value) << kLayout.sequence.width | kLayout.sequence.Get(value));
  if (word == &world.boot_us) return "boot-time clock: " + number + " us";
  for (const Server* server : {&world.first, &world.second}) {
    const ServerState& state = server->state;
    const std::string whose = server == &world.second ? "second server: " : "";
    const Identity identity(word == &state.identity ? value : 0);
    if (identity)
      return whose + "worker " + std::to_string(identity.worker()) + " below " + std::to_string(identity.ceiling_ms()) +
             " ms";
    if (word == &state.identity) return whose + "none";
    if (word == &state.clock_offset_us) return whose + "offset: " + number + " us";
    if (word == &state.clock_state) return whose + "state: " + number;
    if (word == &state.line_count) return whose + number + " lines";
    if (word == &state.floor_ms || word == &server->durable_ms) return whose + number + " ms";
    for (const Line& line : state.lines)
      if (word == &line.next) return whose + "line " + std::to_string(&line - state.lines) + ": " + TextOf(value);
  }
  return number;
}

constexpr const char* kTwice = "an id is issued twice";
constexpr const char* kBackwards = "an id goes backwards";
constexpr const char* kNotDurable = "an id is not below the durable ceiling";
constexpr const char* kReleased = "an id is not below the ceiling of the release";
constexpr const char* kTooFarAhead = "an id runs too far ahead of the id clock";

// Called in the step that made the reservation.
void Issue(Server& server, const Line& line, const Reservation& reservation) {
  Explorer& explorer = *Explorer::current;
  const auto peek = [&explorer](const Word& word) { return static_cast<int64_t>(explorer.Peek(word)); };
  const int64_t ceiling_ms = peek(server.durable_ms);
  const int64_t furthest_ms = core::MsOf(peek(world.boot_us) + peek(server.state.clock_offset_us)) + kMaxAheadMs;
  for (uint64_t i = 0; i < reservation.count; ++i) {
    const Position position = reservation.start + i;
    const int64_t id = core::Compose(line.layout, position, reservation.worker);
    explorer.Note("issue", static_cast<uint64_t>(id));
    for (const Issued& former : world.issued) {
      if (former.layout->unit_ms != line.layout.unit_ms) continue;
      if (former.id == id) explorer.Fail(kTwice);
      if (former.server == &server && former.id > id) explorer.Fail(kBackwards);
    }
    if (position >= core::PositionAt(line.layout, ceiling_ms)) explorer.Fail(kNotDurable);
    if (core::TimeOf(line.layout, position) > furthest_ms) explorer.Fail(kTooFarAhead);
    world.issued.push_back({&server, &line.layout, position, id});
  }
}

// A former holder of `worker` used every position of [from_ms, floor_ms).
void IssuedByAFormerHolder(const Layout& layout, uint32_t worker, int64_t from_ms, int64_t floor_ms) {
  for (Position position = core::PositionAt(layout, from_ms); position < core::PositionAt(layout, floor_ms); ++position)
    world.issued.push_back({nullptr, &layout, position, core::Compose(layout, position, worker)});
}

// ---- Backends, and what they could do wrong ----

enum class Order { kRight, kIdentityFirst, kClockFirst };

// Turns Reserve into one that loads the identity before `next`.
struct IdentityFirst : Memory {
  static inline uint64_t loaded[8];  // by actor
  static uint64_t Load(const Word& word, Step step) {
    uint64_t& identity = loaded[Explorer::current->running()];
    if (step == Step::kLoadIdentity) return identity;
    if (step == Step::kLoadNext) identity = Memory::Load(world.first.state.identity, Step::kLoadIdentity);
    return Memory::Load(word, step);
  }
  static bool Swap(Word& word, uint64_t& expected, uint64_t desired, Step step) {
    if (Memory::Swap(word, expected, desired, step)) return true;
    expected = Load(word, Step::kLoadNext);
    return false;
  }
};

// Turns FindOrMakeLine into one that knows no floor.
struct Floorless : Memory {
  static uint64_t Load(const Word& word, Step step) {
    return &word == &world.first.state.floor_ms ? 0 : Memory::Load(word, step);
  }
};

Reservation Reserve(Server& server, Line& line, uint64_t count = 1, Order order = Order::kRight) {
  const auto like = [count](int64_t) { return count; };
  const auto id_clock_us = [&server] {
    const auto boot_us = static_cast<int64_t>(Memory::Load(world.boot_us, Step::kReadClock));
    return boot_us - world.boot_read_behind_us + core::ClockOffsetUs<Memory>(server.state);
  };
  Reservation reservation;
  if (order == Order::kRight) {
    reservation = core::Reserve<Memory>(server.state, line, 1, like, id_clock_us);
  } else if (order == Order::kIdentityFirst) {
    reservation = core::Reserve<IdentityFirst>(server.state, line, 1, like, id_clock_us);
  } else {
    const int64_t now_us = id_clock_us();
    reservation = core::Reserve<Memory>(server.state, line, 1, like, [now_us] { return now_us; });
  }
  if (reservation.outcome == core::ReservationOutcome::kOk) Issue(server, line, reservation);
  return reservation;
}

// For an actor that keeps nothing but what it was given.
void Settle(const Reservation& given) {
  Explorer::current->Settle({static_cast<uint64_t>(given.outcome), given.start, given.count, given.worker});
}

// ---- Actors, most of them on the first server ----

using Actor = std::function<void()>;

Actor Sequence(std::vector<Actor> steps) {
  return [steps = std::move(steps)] {
    for (const Actor& step : steps) step();
  };
}

Actor Backend(uint64_t count, int times, Order order = Order::kRight) {
  return [=] {
    for (int i = 0; i < times; ++i) Settle(Reserve(world.first, world.first.line(), count, order));
  };
}

Actor Ticks(int64_t ms) {
  return [ms] { Memory::Store(world.boot_us, world.boot_us.load() + static_cast<uint64_t>(ms * kUsPerMs), "tick"); };
}

void Lock() { Explorer::current->Acquire(world.first.lines_lock); }
void Unlock() { Explorer::current->Release(world.first.lines_lock); }
void Withdraw() { core::Withdraw<Memory>(world.first.state); }
void Seal() { core::Seal<Memory>(world.first.state); }

// Seals as if a line at the beginning of a tick need not move.
void SealLess() {
  Word& line = world.first.line().next;
  uint64_t next = Memory::Load(line, Step::kSeal);
  while (!Memory::Swap(line, next, core::NextTick(kLayout, next), Step::kSeal)) {
  }
}

void SetClock(Server& server, int64_t ms, core::ClockState state) {
  const auto boot_us = static_cast<int64_t>(Memory::Load(world.boot_us, Step::kReadClock));
  core::SetClock<Memory>(server.state, ms * kUsPerMs - boot_us, state);
}
Actor WallClockIs(int64_t ms) {
  return [ms] { SetClock(world.first, ms, core::ClockState::kFollowsWall); };
}
Actor RaiseIdClock(int64_t ms) {
  return [ms] { SetClock(world.first, ms, core::ClockState::kEstablished); };
}

Actor Fold(int64_t floor_ms) {
  return [floor_ms] { core::FoldFloor<Memory>(world.first.state, floor_ms); };
}

void SetDurable(Server& server, int64_t ceiling_ms) {
  Memory::Store(server.durable_ms, static_cast<uint64_t>(ceiling_ms), "write ceiling");
}
Actor MakeDurable(int64_t ceiling_ms) {
  return [ceiling_ms] { SetDurable(world.first, ceiling_ms); };
}

Actor Publish(uint32_t worker, int64_t ceiling_ms) {
  return [=] { core::Publish<Memory>(world.first.state, Identity::Of(worker, ceiling_ms)); };
}

// Issue sees to it that nothing above is issued from now on.
void ReleaseAt(int64_t ceiling_ms) {
  SetDurable(world.first, ceiling_ms);
  for (const Issued& id : world.issued)
    if (id.server == &world.first && id.position >= core::PositionAt(*id.layout, ceiling_ms))
      Explorer::current->Fail(kReleased);
}
void Release() {
  ReleaseAt(core::SealedTimeMs<Memory>(world.first.state, static_cast<int64_t>(world.first.durable_ms.load())));
}

void Start(Server& server, uint32_t worker, int64_t floor_ms, int64_t ceiling_ms) {
  SetClock(server, floor_ms, core::ClockState::kEstablished);
  core::FoldFloor<Memory>(server.state, floor_ms);
  SetDurable(server, ceiling_ms);
  core::Publish<Memory>(server.state, Identity::Of(worker, ceiling_ms));
}

// The second server starts with worker 1 from the ceiling that the first one released it at, and issues ids. (How its
// own steps interleave is AStartKeepsIdsAboveTheFloor's matter: nobody else uses its words, so here they take no
// turns.)
void TakeOver() {
  const auto floor_ms = static_cast<int64_t>(world.first.durable_ms.load());
  Start(world.second, 1, floor_ms, floor_ms + 2);
  for (Line& line : world.second.lines())
    for (int i = 0; i < 4; ++i) Reserve(world.second, line);
}

// ---- Scenarios ----

struct Scenario {
  std::function<void()> set_up;
  std::vector<std::pair<const char*, Actor>> actors;
};

Findings Explore(const Scenario& scenario) {
  const auto set_up = [&scenario](Explorer& explorer) {
    scenario.set_up();
    for (const auto& [name, actor] : scenario.actors) explorer.Add(name, actor);
  };
  return Explorer(set_up, Describe).Explore();
}

testing::AssertionResult Holds(const Scenario& scenario) {
  const Findings found = Explore(scenario);
  if (!found.violation.empty())
    return testing::AssertionFailure() << found.violation << " after this schedule:\n" << found.timeline;
  printf("[ explored ] %.2g schedules, by %zu runs through %zu states\n", found.schedules, found.runs, found.states);
  return testing::AssertionSuccess();
}

testing::AssertionResult Catches(const char* violation, const Scenario& scenario) {
  const Findings found = Explore(scenario);
  if (found.violation != violation)
    return testing::AssertionFailure() << "found: \"" << found.violation << "\"\n" << found.timeline;
  printf("[  caught  ] %s, in run %zu\n", violation, found.runs);
  if (getenv("IDGEN_SHOW_SCHEDULES")) printf("%s", found.timeline.c_str());
  return testing::AssertionSuccess();
}

Scenario WithATick(Scenario scenario) {
  scenario.actors.push_back({"clock", Ticks(1)});
  return scenario;
}

// Ids are issued as `worker`, from 100 ms on and below 102 ms, while the worker makes its steps.
Scenario Running(uint32_t worker, std::vector<Actor> steps, Order order = Order::kRight) {
  return {.set_up =
              [worker] {
                NewWorld(100);
                Start(world.first, worker, 100, 102);
              },
          .actors = {{"worker", Sequence(std::move(steps))},
                     {"backend 1", Backend(1, 2, order)},
                     {"backend 2", Backend(5, 2, order)}}};
}

TEST(Interleaving, AChangeOfTheWorkerIdKeepsIdsApartAndInOrder) {
  EXPECT_TRUE(Holds(Running(1, {Withdraw, Seal, Publish(2, 102)})));
  EXPECT_TRUE(Holds(WithATick(Running(2, {Withdraw, Seal, Publish(1, 102)}))));
  // A floor that the line is past leaves it where it is.
  EXPECT_TRUE(Holds(Running(2, {Withdraw, Seal, Fold(100), Publish(1, 102)})));
}

TEST(Interleaving, AChangeOfTheWorkerIdAndBackDoesToo) {
  EXPECT_TRUE(Holds(Running(1, {Withdraw, Seal, Publish(2, 102), Withdraw, Seal, Publish(1, 102)})));
}

TEST(Interleaving, AReleaseBoundsWhatWasAndWillBeIssued) {
  EXPECT_TRUE(Holds(Running(1, {Withdraw, Seal, Release, TakeOver})));
}

TEST(Interleaving, ARaisedCeilingIsUsedOnceItIsDurable) {
  EXPECT_TRUE(Holds(WithATick(Running(1, {MakeDurable(104), Publish(1, 104)}))));
}

TEST(WrongOrder, InAChangeOfTheWorkerIdIsCaught) {
  EXPECT_TRUE(Catches(kBackwards, Running(2, {Withdraw, Seal, Publish(1, 102)}, Order::kIdentityFirst)));
  EXPECT_TRUE(Catches(kBackwards, Running(1, {Withdraw, Seal, Publish(2, 102), Withdraw, Seal, Publish(1, 102)},
                                          Order::kIdentityFirst)));
  EXPECT_TRUE(Catches(kBackwards, Running(2, {Withdraw, Publish(1, 102)})));
  EXPECT_TRUE(Catches(kBackwards, Running(2, {Withdraw, SealLess, Publish(1, 102)})));
  EXPECT_TRUE(Catches(kBackwards, Running(2, {Withdraw, Publish(1, 102), Seal})));
  EXPECT_TRUE(Catches(kBackwards, Running(2, {Seal, Withdraw, Publish(1, 102)})));
}

TEST(WrongOrder, InAReleaseIsCaught) {
  EXPECT_TRUE(Catches(kTwice, Running(1, {Withdraw, Seal, Release, TakeOver}, Order::kIdentityFirst)));
  EXPECT_TRUE(Catches(kReleased, Running(1, {Withdraw, Release, TakeOver})));
  EXPECT_TRUE(Catches(kTwice, Running(1, {Withdraw, SealLess, Release, TakeOver})));
  EXPECT_TRUE(Catches(kReleased, Running(1, {Withdraw, Release, Seal, TakeOver})));
  EXPECT_TRUE(Catches(kReleased, Running(1, {Seal, Withdraw, Release, TakeOver})));
}

TEST(WrongOrder, ACeilingPublishedBeforeItIsDurableIsCaught) {
  EXPECT_TRUE(Catches(kNotDurable, WithATick(Running(1, {Publish(1, 104), MakeDurable(104)}))));
}

// A server whose wall clock was ahead and was set right starts with worker 1, which a former holder used up to 102 ms.
// That a backend can read the boot-time clock a little less than the worker did is what makes the fold necessary here:
// if clocks agreed, the id clock, raised first, would by itself keep ids above the floor.
Scenario Starting(std::vector<Actor> steps, Order order = Order::kRight) {
  return {.set_up =
              [] {
                NewWorld(100);
                world.boot_read_behind_us = 1;
                IssuedByAFormerHolder(kLayout, 1, 100, 102);
                IssuedByAFormerHolder(kSlowLayout, 1, 100, 102);
                WallClockIs(105)();
              },
          .actors = {{"worker", Sequence(std::move(steps))},
                     {"backend 1", Backend(1, 2, order)},
                     {"backend 2", Backend(5, 2, order)}}};
}
const std::vector<Actor> kStart = {WallClockIs(100), RaiseIdClock(102), Lock,           Fold(102),
                                   Unlock,           MakeDurable(106),  Publish(1, 106)};

TEST(Interleaving, AStartKeepsIdsAboveTheFloor) { EXPECT_TRUE(Holds(WithATick(Starting(kStart)))); }

TEST(WrongOrder, InAStartIsCaught) {
  EXPECT_TRUE(Catches(kTwice, Starting({RaiseIdClock(102), MakeDurable(106), Publish(1, 106), Fold(102)})));
  EXPECT_TRUE(Catches(kNotDurable, Starting({RaiseIdClock(102), Fold(102), Publish(1, 106), MakeDurable(106)})));
  EXPECT_TRUE(Catches(kTooFarAhead, Starting({Fold(102), MakeDurable(106), Publish(1, 106), RaiseIdClock(102)})));
  EXPECT_TRUE(Catches(kTooFarAhead, Starting(kStart, Order::kClockFirst)));
}

// Two backends want a line of a layout that has none yet, and then use that line and the other one.
enum class Making { kRight, kUnlocked, kFloorless };

Actor Maker(Making making) {
  return [making] {
    ServerState& state = world.first.state;
    if (making != Making::kUnlocked) Lock();
    Line* line = making == Making::kFloorless ? core::FindOrMakeLine<Floorless>(state, kSlowLayout)
                                              : core::FindOrMakeLine<Memory>(state, kSlowLayout);
    if (making != Making::kUnlocked) Unlock();
    Settle(Reserve(world.first, *line));
    Settle(Reserve(world.first, world.first.line()));
  };
}

Scenario WithANewLine(Scenario scenario, Making making = Making::kRight) {
  scenario.set_up = [set_up = scenario.set_up] {
    set_up();
    core::FindOrMakeLine<Memory>(world.second.state, kSlowLayout);
  };
  scenario.actors[1] = {"maker 1", Maker(making)};
  scenario.actors[2] = {"maker 2", Maker(making)};
  return scenario;
}

TEST(Interleaving, ALineMadeMeanwhileIsFoldedAndSealedLikeTheOthers) {
  EXPECT_TRUE(Holds(WithANewLine(Starting(kStart))));
  EXPECT_TRUE(Holds(WithANewLine(Running(2, {Withdraw, Lock, Seal, Unlock, Publish(1, 102)}))));
  EXPECT_TRUE(Holds(WithANewLine(Running(1, {Withdraw, Lock, Seal, Unlock, Lock, Release, Unlock, TakeOver}))));
}

TEST(WrongOrder, WhileALineIsMadeIsCaught) {
  EXPECT_TRUE(Catches(kTwice, WithANewLine(Starting(kStart), Making::kFloorless)));
  EXPECT_TRUE(Catches(kTwice, WithANewLine(Starting(kStart), Making::kUnlocked)));
  EXPECT_TRUE(
      Catches(kTwice, WithANewLine(Starting({RaiseIdClock(102), Fold(102), MakeDurable(106), Publish(1, 106)}))));
}

// ---- The worker itself, that exits in the middle of a turn and comes back ----

enum class Exit { kBeforeAsking, kBeforeTaking, kAfter };

core::Instant Now() {
  const auto boot_us = static_cast<int64_t>(Memory::Load(world.boot_us, Step::kReadClock));
  return {.boot_us = boot_us, .wall_us = boot_us};
}

lease::SourceAnswer CarryOut(const lease::SourceRequest& request) {
  lease::SourceAnswer answer = {.request = request,
                                .outcome = lease::SourceOutcome::kOk,
                                .past = lease::Past::kKnown,
                                .granted_ms = request.ceiling_ms};
  if (request.kind == lease::SourceRequest::Kind::kRaise) SetDurable(world.first, request.ceiling_ms);
  if (request.kind == lease::SourceRequest::Kind::kRelease) ReleaseAt(request.ceiling_ms);
  answer.floor_ms = static_cast<int64_t>(world.first.durable_ms.load());
  return answer;
}

void Turn(Keeper& keeper, const lease::Wishes& wishes, Exit exit = Exit::kAfter) {
  Lock();
  const lease::SourceRequest request = keeper.Advance(Now(), wishes);
  Unlock();
  if (exit == Exit::kBeforeAsking || request.kind == lease::SourceRequest::Kind::kNone) return;
  const lease::SourceAnswer answer = CarryOut(request);
  if (exit == Exit::kBeforeTaking) return;
  Lock();
  keeper.Receive(answer, Now());
  Unlock();
}

lease::Wishes Wishes(uint32_t worker) {
  return {.settings = {.max_ahead_ms = kMaxAheadMs, .window_ms = 2, .max_clock_step_ms = 60000, .block_size = 1},
          .has_worker = true,
          .worker = worker};
}
lease::Wishes Stop(lease::Wishes wishes) {
  wishes.stop = true;
  return wishes;
}

// Ids are issued as worker 2 and a raise of the ceiling is due.
Scenario Restarting(const lease::Wishes& before, Exit exit, const lease::Wishes& after, Order order = Order::kRight) {
  const auto set_up = [] {
    NewWorld(100);
    SetDurable(world.first, 100);
    Keeper keeper(world.first.state, Now());
    while (keeper.view().phase != lease::Phase::kHolding) Turn(keeper, Wishes(2));
    Ticks(2)();
  };
  const auto worker = [=] {
    Keeper first(world.first.state, Now());
    Turn(first, before, exit);
    Explorer::current->Note("exits, returns");
    Keeper second(world.first.state, Now());
    for (int i = 0; i < 2; ++i) Turn(second, after);
  };
  return {.set_up = set_up,
          .actors = {{"worker", worker}, {"backend 1", Backend(1, 2, order)}, {"backend 2", Backend(5, 1, order)}}};
}

TEST(Interleaving, TheKeeperStartsInThatOrder) {
  const auto start = [] {
    Keeper keeper(world.first.state, Now());
    while (keeper.view().phase != lease::Phase::kHolding) Turn(keeper, Wishes(1));
  };
  EXPECT_TRUE(Holds(WithANewLine(Starting({MakeDurable(102), start}))));
}

TEST(Interleaving, AWorkerMayExitAndGoOnWithThePublishedIdentity) {
  EXPECT_TRUE(Holds(Restarting(Wishes(2), Exit::kBeforeAsking, Wishes(2))));
  EXPECT_TRUE(Holds(Restarting(Wishes(2), Exit::kBeforeTaking, Wishes(1))));
  EXPECT_TRUE(Holds(Restarting(Wishes(2), Exit::kAfter, Wishes(1))));
}

TEST(Interleaving, AWorkerMayExitWhileItGivesTheIdentityUp) {
  for (const Exit exit : {Exit::kBeforeAsking, Exit::kBeforeTaking})
    EXPECT_TRUE(Holds(Restarting(Stop(Wishes(2)), exit, Wishes(1))));
}

TEST(WrongOrder, AcrossAnExitIsCaught) {
  EXPECT_TRUE(Catches(kBackwards, Restarting(Wishes(2), Exit::kAfter, Wishes(1), Order::kIdentityFirst)));
  EXPECT_TRUE(Catches(kNotDurable, Restarting(Stop(Wishes(2)), Exit::kAfter, Wishes(2), Order::kIdentityFirst)));
}

// ---- The explorer itself ----

TEST(Explorer, ExploresEverySchedule) {
  static Word word;
  const Actor thrice = [] {
    for (int i = 0; i < 3; ++i) Memory::Store(word, 0, "store");
  };
  const Findings found = Explore({.set_up = [] {}, .actors = {{"one", thrice}, {"two", thrice}, {"three", thrice}}});
  EXPECT_EQ(found.schedules, 1680);  // 9! / 3!^3
  EXPECT_EQ(found.states, 63u);      // 4^3, less the one in which all are done
}

TEST(Explorer, FindsALostUpdate) {
  static Word word;
  static int done;
  const Actor add = [] {
    Memory::Store(word, Memory::Load(word, "load") + 1, "store");
    if (++done == 2 && word.load() != 2) Explorer::current->Fail("an update is lost");
  };
  const auto set_up = [] {
    word.store(0);
    done = 0;
  };
  EXPECT_TRUE(Catches("an update is lost", {.set_up = set_up, .actors = {{"one", add}, {"two", add}}}));
}

TEST(Explorer, FindsADeadlock) {
  static Word locks[2];
  const auto lock_both = [](int first) {
    return [first] {
      Explorer::current->Acquire(locks[first]);
      Explorer::current->Acquire(locks[1 - first]);
      Explorer::current->Release(locks[0]);
      Explorer::current->Release(locks[1]);
    };
  };
  EXPECT_TRUE(Catches("everybody waits for a lock",
                      {.set_up = [] {}, .actors = {{"one", lock_both(0)}, {"two", lock_both(1)}}}));
}

}  // namespace
}  // namespace idgen
