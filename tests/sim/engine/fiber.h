// Functions that can be suspended and resumed later, or never: how a simulated process is paused or killed at one of
// its steps.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include <setjmp.h>
#include <ucontext.h>

namespace idgen::sim {

class Fiber {
 public:
  // Runs `function` until it ends or leaves. True when it ended.
  bool Start(std::function<void()> function);
  bool Resume();

  // Called inside: returns to the caller of Start or Resume.
  static void Leave();
  static Fiber* Current() noexcept { return current_; }

 private:
  static void Run();

  static inline Fiber* current_ = nullptr;

  std::function<void()> function_;
  std::unique_ptr<char[]> stack_;
  ucontext_t fresh_;
  jmp_buf inside_;
  jmp_buf outside_;
  bool made_ = false;
  bool running_ = false;
};

// Fibers for reuse. A suspended fiber can be given back without being resumed: what runs in a fiber has no destructors
// to run.
class FiberPool {
 public:
  Fiber* Take() {
    if (free_.empty()) {
      all_.push_back(std::make_unique<Fiber>());
      return all_.back().get();
    }
    Fiber* fiber = free_.back();
    free_.pop_back();
    return fiber;
  }
  void Give(Fiber* fiber) { free_.push_back(fiber); }

 private:
  std::vector<std::unique_ptr<Fiber>> all_;
  std::vector<Fiber*> free_;
};

}  // namespace idgen::sim
