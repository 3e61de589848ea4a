/*
 * Moves the wall clock of the processes that preload this library: CLOCK_REALTIME, CLOCK_REALTIME_COARSE, gettimeofday()
 * and time() are shifted by the nanoseconds (int64) in the file IDGEN_CLOCK_FILE. The file is mapped, so writing it in
 * place moves the clock of all these processes at once. Monotonic and boot-time clocks and sleeping are not affected.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const int64_t kNsPerSecond = 1000000000;

static int (*real_clock_gettime)(clockid_t, struct timespec*);
static const volatile int64_t* offset_ns;

__attribute__((constructor)) static void MapFile(void) {
  const char* path = getenv("IDGEN_CLOCK_FILE");

  *(void**)&real_clock_gettime = dlsym(RTLD_NEXT, "clock_gettime");
  if (path != NULL) {
    const int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd >= 0) {
      void* page = mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, fd, 0);

      if (page != MAP_FAILED) offset_ns = page;
      close(fd);
    }
  }
}

int clock_gettime(clockid_t clock, struct timespec* out) {
  int result;

  /* Another library's constructor may run first. */
  if (real_clock_gettime == NULL) MapFile();
  result = real_clock_gettime(clock, out);
  if (result == 0 && offset_ns != NULL && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
    const int64_t offset = *offset_ns;
    int64_t ns = out->tv_nsec + offset % kNsPerSecond;

    out->tv_sec += offset / kNsPerSecond;
    if (ns < 0 || ns >= kNsPerSecond) {
      out->tv_sec += ns < 0 ? -1 : 1;
      ns += ns < 0 ? kNsPerSecond : -kNsPerSecond;
    }
    out->tv_nsec = ns;
  }
  return result;
}

int gettimeofday(struct timeval* restrict out, void* restrict zone) {
  struct timespec now;

  (void)zone;
  if (clock_gettime(CLOCK_REALTIME, &now) != 0) return -1;
  out->tv_sec = now.tv_sec;
  out->tv_usec = now.tv_nsec / 1000;
  return 0;
}

time_t time(time_t* out) {
  struct timespec now;

  if (clock_gettime(CLOCK_REALTIME_COARSE, &now) != 0) return -1;
  if (out != NULL) *out = now.tv_sec;
  return now.tv_sec;
}
