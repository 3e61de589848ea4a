// Switching stacks: ucontext makes a stack, setjmp switches between them without system calls.
#include "engine/fiber.h"

namespace idgen::sim {
namespace {
constexpr size_t kStackBytes = 128 * 1024;
}

bool Fiber::Start(std::function<void()> function) {
  function_ = std::move(function);
  if (!stack_) stack_ = std::make_unique_for_overwrite<char[]>(kStackBytes);
  // A fiber that has ended waits for its next function; one that was suspended for good starts again.
  const bool ended = made_ && !running_;
  running_ = true;
  if (ended) return Resume();
  made_ = true;
  getcontext(&fresh_);
  fresh_.uc_stack.ss_sp = stack_.get();
  fresh_.uc_stack.ss_size = kStackBytes;
  fresh_.uc_link = nullptr;
  makecontext(&fresh_, &Fiber::Run, 0);
  Fiber* outer = current_;
  current_ = this;
  if (_setjmp(outside_) == 0) setcontext(&fresh_);
  current_ = outer;
  return !running_;
}

bool Fiber::Resume() {
  Fiber* outer = current_;
  current_ = this;
  if (_setjmp(outside_) == 0) _longjmp(inside_, 1);
  current_ = outer;
  return !running_;
}

void Fiber::Leave() {
  Fiber* self = current_;
  if (_setjmp(self->inside_) == 0) _longjmp(self->outside_, 1);
}

void Fiber::Run() {
  for (;;) {
    Fiber* self = current_;
    self->function_();
    self->running_ = false;
    Leave();
  }
}

}  // namespace idgen::sim
