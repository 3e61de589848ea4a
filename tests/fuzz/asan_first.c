/* Preloaded after libasan and linked with -z initfirst, so that AddressSanitizer is initialized before any other library's
 * constructor runs. Otherwise a server with a sanitized module hangs when it starts. */
extern void __asan_init(void);

__attribute__((constructor)) static void start(void) { __asan_init(); }
