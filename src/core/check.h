// Assertions: IDGEN_CHECK(condition) ends the process when the condition is false, in the unit tests, the simulator, the
// fuzz harnesses, sanitizer builds and builds for a PostgreSQL with assertions. In any other build it is nothing, because
// a backend that aborts restarts the whole server: the condition is compiled, but never evaluated.
//
// It states what this code guarantees. What comes from outside (a user, a file, a store's reply, a clock) is validated
// and reported as an error instead.
#pragma once

#ifdef IDGEN_ASSERTIONS

#include <cstdio>
#include <cstdlib>

namespace idgen::core {

[[noreturn, gnu::cold, gnu::noinline]] inline void CheckFailed(const char* condition, const char* file,
                                                               int line) noexcept {
  std::fprintf(stderr, "idgen: check failed: %s, file \"%s\", line %d\n", condition, file, line);
  std::fflush(nullptr);
  std::abort();
}

}  // namespace idgen::core

#define IDGEN_CHECK(condition) \
  ((condition) ? static_cast<void>(0) : ::idgen::core::CheckFailed(#condition, __FILE__, __LINE__))

#else

#define IDGEN_CHECK(condition) static_cast<void>(sizeof((condition) ? 1 : 0))

#endif
