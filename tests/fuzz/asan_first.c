/* Preloaded after libasan and linked with -z initfirst: AddressSanitizer starts before any other library's constructor.
 * Without it a server with a sanitized module hangs when it starts. */
extern void __asan_init(void);

__attribute__((constructor)) static void start(void) { __asan_init(); }
