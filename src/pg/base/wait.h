// Sleeping on the latch and a connection, for the outermost loops.
#pragma once

#include "pg/base/pg.h"

#include "core/time.h"
#include "io/transport.h"
#include "pg/base/locks.h"

namespace idgen::pg {

// Sleeps until the latch is set, the connection is ready, `ms` have passed or the postmaster dies. Resets nothing.
inline void WaitOnLatchAnd(const io::Wants& wants, long ms, uint32 wait_event) {
  IDGEN_CHECK(!HoldsLock());
  int events = WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH;
  if (wants.fd >= 0 && wants.read) events |= WL_SOCKET_READABLE;
  if (wants.fd >= 0 && wants.write) events |= WL_SOCKET_WRITEABLE;
  const bool has_socket = (events & (WL_SOCKET_READABLE | WL_SOCKET_WRITEABLE)) != 0;
  WaitLatchOrSocket(MyLatch, events, has_socket ? wants.fd : PGINVALID_SOCKET, ms, wait_event);
}

// How long a connection with these wants may be left alone: at most a second.
inline long SleepMs(const io::Wants& wants, int64 now_us) {
  const int64 sleep_us = Max(wants.wake_boot_us - now_us, int64{0});
  return static_cast<long>(Min(sleep_us / core::kUsPerMs + 1, int64{1000}));
}

// For a backend: sleeps until the connection is due, and raises if the statement is cancelled.
inline void WaitForConnection(const io::Wants& wants, int64 now_us, uint32 wait_event) {
  WaitOnLatchAnd(wants, SleepMs(wants, now_us), wait_event);
  ResetLatch(MyLatch);
  CHECK_FOR_INTERRUPTS();
}

}  // namespace idgen::pg
