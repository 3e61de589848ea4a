// Runs a few actors in every order that their accesses to shared memory can happen in: depth first, by running the
// scenario again and again, each time with a little of the schedule changed at its end. Interleavings of sequentially
// consistent accesses, that is: what memory.h promises, not what a weaker order would allow.
//
// An actor is a fiber on this one thread. Before an access it hands the turn over (`Explorer::Turn`), and somebody is
// chosen (`Choose`): what the schedule says while it lasts, anybody who can run after its end. Two things keep the
// number of schedules small, and both lose none:
//  - A state seen before is not explored again. A state is every shared word and, for every actor, all that it has
//    read and written, which decides what it does next. It is kept and compared whole, not as a fingerprint.
//  - An access to a word that one actor alone uses, or that nobody writes, needs no turn. Which words these are is
//    found out: a word that turns out to be shared restarts the exploration.
#pragma once

#include <ucontext.h>

#include <bit>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/memory.h"

extern "C" {
// How the sanitizers learn about fibers; absent without them.
[[gnu::weak]] void __sanitizer_start_switch_fiber(void** fake_stack, const void* bottom, size_t bytes);
[[gnu::weak]] void __sanitizer_finish_switch_fiber(void* fake_stack, const void** bottom, size_t* bytes);
[[gnu::weak]] void* __tsan_get_current_fiber();
[[gnu::weak]] void* __tsan_create_fiber(unsigned flags);
[[gnu::weak]] void __tsan_destroy_fiber(void* fiber);
[[gnu::weak]] void __tsan_switch_to_fiber(void* fiber, unsigned flags);
}

namespace idgen::explorer {

using core::Step;
using core::Word;

// A thread of execution: the one that was there before, or one with a stack of its own, which runs `body`, once
// switched to. A body never returns; its fiber goes while it is switched away, with nothing on its stack that wants
// destroying.
class Fiber {
 public:
  Fiber() {
    if (__tsan_get_current_fiber) tsan_ = __tsan_get_current_fiber();
  }
  explicit Fiber(std::function<void()> body) : body_(std::move(body)), stack_(new char[kStackBytes]) {
    getcontext(&registers_);
    registers_.uc_stack.ss_sp = stack_.get();
    registers_.uc_stack.ss_size = kStackBytes;
    makecontext(&registers_, &Fiber::Main, 0);
    bottom_ = stack_.get();
    bytes_ = kStackBytes;
    if (__tsan_create_fiber) tsan_ = __tsan_create_fiber(0);
  }
  ~Fiber() {
    if (stack_ && __tsan_destroy_fiber) __tsan_destroy_fiber(tsan_);
  }
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  static void Switch(Fiber& from, Fiber& to) {
    from_ = &from;
    to_ = &to;
    void* fake_stack = nullptr;
    if (__sanitizer_start_switch_fiber) __sanitizer_start_switch_fiber(&fake_stack, to.bottom_, to.bytes_);
    if (__tsan_switch_to_fiber) __tsan_switch_to_fiber(to.tsan_, 0);
    swapcontext(&from.registers_, &to.registers_);
    if (__sanitizer_finish_switch_fiber) __sanitizer_finish_switch_fiber(fake_stack, nullptr, nullptr);
  }

 private:
  static constexpr size_t kStackBytes = 64 * 1024;

  static void Main() {
    if (__sanitizer_finish_switch_fiber) __sanitizer_finish_switch_fiber(nullptr, &from_->bottom_, &from_->bytes_);
    to_->body_();
  }

  static inline Fiber* from_ = nullptr;
  static inline Fiber* to_ = nullptr;

  std::function<void()> body_;
  std::unique_ptr<char[]> stack_;
  ucontext_t registers_;
  const void* bottom_ = nullptr;
  size_t bytes_ = 0;
  void* tsan_ = nullptr;
};

inline const char* NameOf(Step step) {
  switch (step) {
    case Step::kLoadNext: return "load next";
    case Step::kLoadIdentity: return "load identity";
    case Step::kReadClock: return "read clock";
    case Step::kSwapNext: return "swap next";
    case Step::kSeal: return "seal";
    case Step::kFold: return "fold";
    case Step::kSetFloor: return "set floor";
    case Step::kLoadFloor: return "load floor";
    case Step::kWithdraw: return "withdraw";
    case Step::kPublish: return "publish";
    case Step::kSetClock: return "set clock";
    case Step::kLoadCursor: return "load cursor";
    case Step::kLoadTenure: return "load tenure";
    case Step::kLoadSegment: return "load segment";
    case Step::kLoadReady: return "load ready";
    case Step::kSwapCursor: return "swap cursor";
    case Step::kSetSegment: return "set segment";
    case Step::kSetReady: return "set ready";
    case Step::kSetTenure: return "set tenure";
  }
  return "?";
}

struct Findings {
  std::string violation;  // empty if there is none
  std::string timeline;   // the schedule that leads to it
  double schedules = 0;   // how many there are: paths through the states
  size_t runs = 0;        // how many were run to cover them
  size_t states = 0;
};

class Explorer {
 public:
  // `setup` puts the world into its first state, at the same addresses every time, and adds the actors. `describe`
  // prints a word and its value in a timeline, or what was noted if there is no word.
  Explorer(std::function<void(Explorer&)> setup, std::function<std::string(const Word*, uint64_t)> describe)
      : setup_(std::move(setup)), describe_(std::move(describe)) {}

  // Until the first violation, or until there is no other schedule.
  Findings Explore() {
    Explorer* outer = std::exchange(current, this);
    do {
      RunOnce();
    } while (findings_.violation.empty() && (found_shared_ ? BeginAnew() : NextSchedule()));
    findings_.states = seen_.size();
    current = outer;
    return findings_;
  }

  // For `setup`.
  void Add(std::string name, std::function<void()> body) {
    const size_t index = actor_count_++;
    if (index == actors_.size()) {
      actors_.push_back(std::make_unique<Actor>());
      actors_[index]->fiber = std::make_unique<Fiber>([this, index] { Live(*actors_[index]); });
    }
    Actor& actor = *actors_[index];
    actor.name = std::move(name);
    actor.body = std::move(body);
    actor.done = false;
    actor.history.clear();
    actor.settled = 0;
    actor.blocked_by = nullptr;
  }

  // The rest is for actors. Outside of them, in `setup`, an access is only an access.

  // Comes back when it is the calling actor's turn to make the access.
  void Turn(const Word& word, bool writes) {
    if (IsShared(word, writes)) HandOver();
  }

  // Tells what the access did, and what the actor now knows.
  void Did(const char* what, const Word& word, uint64_t value, bool failed = false) {
    if (running_ == kNobody) return;
    actors_[running_]->history.insert(actors_[running_]->history.end(), {value, failed});
    events_.push_back({running_, what, &word, value, failed});
  }

  // Reads a word for a check, which must see changes of it at every step.
  uint64_t Peek(const Word& word) {
    IsShared(word, false);
    return word.load();
  }

  // The calling actor forgets what it has read since it last settled, except for `kept`. Only if that is all it
  // keeps, in variables as in words of its own: two states that differ in the rest then count as one.
  void Settle(std::initializer_list<uint64_t> kept) {
    if (running_ == kNobody) return;
    Actor& actor = *actors_[running_];
    actor.history.resize(actor.settled);
    actor.history.insert(actor.history.end(), kept);
    actor.settled = actor.history.size();
  }

  // A lock: 0 when free. Releasing takes no turn: nobody could tell a release that comes later.
  void Acquire(Word& lock) {
    if (IsShared(lock, true)) {
      Actor& actor = *actors_[running_];
      actor.blocked_by = &lock;
      HandOver();
      actor.blocked_by = nullptr;
    }
    lock.store(1);
    Did("lock", lock, 1);
  }
  void Release(Word& lock) {
    lock.store(0);
    Did("unlock", lock, 0);
  }

  int running() const { return running_; }

  // For the timeline only.
  void Note(const char* what, uint64_t value = 0) {
    if (running_ != kNobody) events_.push_back({running_, what, nullptr, value, false});
  }

  void Fail(const std::string& violation) {
    if (!findings_.violation.empty()) return;
    findings_.violation = violation;
    for (const Event& event : events_) findings_.timeline += Line(event);
  }

  static inline Explorer* current = nullptr;

 private:
  static constexpr int kNobody = -1;

  using State = std::vector<uint64_t>;
  struct HashOfState {
    size_t operator()(const State& state) const {
      uint64_t hash = 0;
      for (const uint64_t value : state) hash = std::rotl((hash ^ value) * 0x9E3779B97F4A7C15, 29);
      return hash;
    }
  };
  using States = std::unordered_map<State, double, HashOfState>;  // and how many schedules lead on from each

  struct Actor {
    std::string name;
    std::function<void()> body;
    std::unique_ptr<Fiber> fiber;
    bool done = true;
    const Word* blocked_by = nullptr;
    State history;       // what its accesses found or left
    size_t settled = 0;  // so much of it stays when it settles
  };
  struct Use {
    uint32_t actors = 0;
    bool written = false;
    bool shared = false;
  };
  struct Choice {
    States::value_type* state;
    int actor;
    uint32_t untried;
    double schedules;  // from here on, of the actors tried
  };
  struct Event {
    int actor;
    const char* what;
    const Word* word;
    uint64_t value;
    bool failed;
  };

  static uint32_t Bit(int actor) { return uint32_t{1} << actor; }
  static int Lowest(uint32_t actors) { return std::countr_zero(actors); }

  void RunOnce() {
    ++findings_.runs;
    events_.clear();
    depth_ = 0;
    looking_ = true;
    actor_count_ = 0;
    setup_(*this);
    starting_ = true;  // everybody runs up to the first turn he asks for
    for (size_t i = 0; i < actor_count_; ++i) PassOn(static_cast<int>(i));
    starting_ = false;
    PassOn(Choose());
    if (looking_) Count(1);
  }

  // What a fiber does all its life: one body after another.
  void Live(Actor& actor) {
    for (;;) {
      actor.body();
      actor.done = true;
      HandOver();
    }
  }

  void HandOver() { PassOn(starting_ ? kNobody : Choose()); }

  // Runs somebody; comes back when the caller is passed on to again.
  void PassOn(int to) {
    if (to == running_) return;
    const int from = std::exchange(running_, to);
    Fiber::Switch(FiberOf(from), FiberOf(to));
  }
  Fiber& FiberOf(int actor) { return actor == kNobody ? scheduler_ : *actors_[actor]->fiber; }

  int Choose() {
    uint32_t able = 0;
    bool all_done = true;
    for (size_t i = 0; i < actor_count_; ++i) {
      const Actor& actor = *actors_[i];
      if (actor.done) continue;
      all_done = false;
      if (actor.blocked_by == nullptr || actor.blocked_by->load() == 0) able |= Bit(static_cast<int>(i));
    }
    if (able == 0) {
      if (!all_done) Fail("everybody waits for a lock");
      return kNobody;
    }
    if (depth_ < path_.size()) return path_[depth_++].actor;
    const int choice = running_ != kNobody && (able & Bit(running_)) ? running_ : Lowest(able);
    if (!looking_) return choice;  // all that follows is known: to the end, so that every fiber is at its beginning
    const auto [seen, fresh] = seen_.try_emplace(StateNow(), 0);
    if (!fresh) {
      Count(seen->second);
      looking_ = false;
      return choice;
    }
    path_.push_back({&*seen, choice, able & ~Bit(choice), 0});
    ++depth_;
    return choice;
  }

  State StateNow() const {
    State state;
    for (size_t i = 0; i < actor_count_; ++i) {
      const State& history = actors_[i]->history;
      state.push_back(history.size());
      state.insert(state.end(), history.begin(), history.end());
    }
    for (const Word* word : shared_words_) state.push_back(word->load());
    return state;
  }

  // Changes the last choice that there is an alternative to, and forgets those after it.
  bool NextSchedule() {
    while (!path_.empty()) {
      Choice& last = path_.back();
      if (last.untried != 0) {
        last.actor = Lowest(last.untried);
        last.untried &= last.untried - 1;
        return true;
      }
      const double schedules = last.state->second = last.schedules;
      path_.pop_back();
      Count(schedules);
    }
    return false;
  }

  void Count(double schedules) { (path_.empty() ? findings_.schedules : path_.back().schedules) += schedules; }

  bool BeginAnew() {
    found_shared_ = false;
    path_.clear();
    seen_.clear();
    findings_ = {};
    return true;
  }

  bool IsShared(const Word& word, bool writes) {
    if (running_ == kNobody) return false;
    Use& use = uses_[&word];
    use.actors |= Bit(running_);
    use.written |= writes;
    if (!use.shared && use.written && std::popcount(use.actors) > 1) {
      use.shared = true;
      shared_words_.push_back(&word);
      found_shared_ = true;
      looking_ = false;
    }
    return use.shared;
  }

  std::string Line(const Event& event) const {
    char who_and_what[64];
    snprintf(who_and_what, sizeof who_and_what, "  %-10s %-14s ", actors_[event.actor]->name.c_str(), event.what);
    return who_and_what + (event.word || event.value ? describe_(event.word, event.value) : "") +
           (event.failed ? " (found; not swapped)\n" : "\n");
  }

  std::function<void(Explorer&)> setup_;
  std::function<std::string(const Word*, uint64_t)> describe_;
  Fiber scheduler_;
  std::vector<std::unique_ptr<Actor>> actors_;  // kept from run to run
  size_t actor_count_ = 0;
  int running_ = kNobody;
  bool starting_ = false;
  bool looking_ = false;  // at states not seen before
  bool found_shared_ = false;
  size_t depth_ = 0;
  std::vector<Choice> path_;
  States seen_;
  std::unordered_map<const Word*, Use> uses_;
  std::vector<const Word*> shared_words_;
  std::vector<Event> events_;
  Findings findings_;
};

// The policy: core's accesses, each with a turn before it.
struct ExploringMemory {
  static uint64_t Load(const Word& word, Step step) noexcept { return Load(word, NameOf(step)); }
  static void Store(Word& word, uint64_t value, Step step) noexcept { Store(word, value, NameOf(step)); }
  static bool Swap(Word& word, uint64_t& expected, uint64_t desired, Step step) noexcept {
    Explorer::current->Turn(word, true);
    const bool done = word.compare_exchange_strong(expected, desired);
    Explorer::current->Did(NameOf(step), word, done ? desired : expected, !done);
    return done;
  }

  // For words and steps of a scenario's own.
  static uint64_t Load(const Word& word, const char* what) noexcept {
    Explorer::current->Turn(word, false);
    const uint64_t value = word.load();
    Explorer::current->Did(what, word, value);
    return value;
  }
  static void Store(Word& word, uint64_t value, const char* what) noexcept {
    Explorer::current->Turn(word, true);
    word.store(value);
    Explorer::current->Did(what, word, value);
  }
};

}  // namespace idgen::explorer
