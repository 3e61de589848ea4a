/*
 * Sends SIGTERM to a process at a moment that a test could not hit from outside: when it next reads the boot-time clock.
 * This happens to the process whose title contains IDGEN_SIGNAL_TITLE, once the file IDGEN_SIGNAL_FILE exists, which is
 * removed when the signal is sent.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int IsMeant(void) {
  const char* title = getenv("IDGEN_SIGNAL_TITLE");
  char own[256] = {0};
  const int file = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);

  if (file < 0 || title == NULL) return 0;
  if (read(file, own, sizeof own - 1) < 0) own[0] = '\0';
  close(file);
  return strstr(own, title) != NULL;
}

int clock_gettime(clockid_t clock, struct timespec* out) {
  static int (*real)(clockid_t, struct timespec*);
  const char* path = getenv("IDGEN_SIGNAL_FILE");

  if (real == NULL) *(void**)&real = dlsym(RTLD_NEXT, "clock_gettime");
  if (clock == CLOCK_BOOTTIME && path != NULL && access(path, F_OK) == 0 && IsMeant() && unlink(path) == 0)
    raise(SIGTERM);
  return real(clock, out);
}
