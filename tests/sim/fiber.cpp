// Switching stacks, by ucontext.
#include "fiber.h"

namespace idgen::sim {
namespace {
constexpr size_t kStackBytes = 128 * 1024;
}

bool Fiber::Start(std::function<void()> function) {
  function_ = std::move(function);
  if (!stack_) stack_ = std::make_unique<char[]>(kStackBytes);
  getcontext(&inside_);
  inside_.uc_stack.ss_sp = stack_.get();
  inside_.uc_stack.ss_size = kStackBytes;
  inside_.uc_link = nullptr;
  makecontext(&inside_, &Fiber::Run, 0);
  running_ = true;
  return Switch();
}

bool Fiber::Resume() { return Switch(); }

bool Fiber::Switch() {
  Fiber* outer = current_;
  current_ = this;
  swapcontext(&outside_, &inside_);
  current_ = outer;
  return !running_;
}

void Fiber::Leave() {
  Fiber* self = current_;
  swapcontext(&self->inside_, &self->outside_);
}

void Fiber::Run() {
  Fiber* self = current_;
  self->function_();
  self->running_ = false;
  Leave();
}

}  // namespace idgen::sim
