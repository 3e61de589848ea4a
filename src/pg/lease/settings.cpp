// Settings of the lease.
#include "pg/lease/settings.h"

#include "core/layout.h"
#include "io/host.h"
#include "pg/sequences/sequence_store.h"
#include "pg/base/settings.h"
#include "pg/lease/store_url.h"

#include <cstring>

namespace idgen::pg {

uint64 store_access_count = 1;

namespace {

constexpr int kMaxTtlMs = 3600 * 1000;
constexpr int kMinWindowMs = 100;  // a renewal takes time

// This process's own copy: PostgreSQL gives back what it carries along, in a parallel worker before the value that is
// to take its place is made.
StoreUrl store_value;
bool has_store = false;

char* store_text = nullptr;  // always empty
char* prefix = nullptr;
char* password_file = nullptr;
char* tls_ca_file = nullptr;
char* tls_cert_file = nullptr;
char* tls_key_file = nullptr;
int min_worker = 0;
int max_workers = 1024;
int ttl_ms = 30000;
int window_ms = -1;
int connect_timeout_ms = 1000;
int timeout_ms = 2000;
int replicas = 0;
bool durable = false;

bool CheckStore(char** value, void** extra, GucSource) {
  return CheckStoreUrl("idgen.lease_store", has_store ? &store_value : nullptr, value, extra);
}

void AssignStore(const char*, void* extra) {
  has_store = extra != nullptr;
  store_value = has_store ? *static_cast<const StoreUrl*>(extra) : StoreUrl();
  ++store_access_count;
}

void AssignFile(const char*, void*) { ++store_access_count; }
void AssignTimeout(int, void*) { ++store_access_count; }

bool CheckPrefix(char** value, void**, GucSource) {
  if (**value != '\0' && strlen(*value) < sizeof LeaseConfig::prefix) return true;
  GUC_check_errdetail("It must have between 1 and %zu bytes.", sizeof LeaseConfig::prefix - 1);
  return false;
}

void DefineFile(const char* name, const char* summary, const char* more, char** file) {
  DefineCustomStringVariable(name, summary, more, file, "", PGC_SIGHUP, GUC_SUPERUSER_ONLY, nullptr, AssignFile,
                             nullptr);
}

bool Refuse(char* problem, size_t size, const char* format, ...) pg_attribute_printf(3, 4);
bool Refuse(char* problem, size_t size, const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(problem, size, format, arguments);
  va_end(arguments);
  return false;
}

void Mix(uint64* hash, const void* bytes, size_t size) noexcept {  // FNV-1a
  for (size_t i = 0; i < size; ++i) *hash = (*hash ^ static_cast<const unsigned char*>(bytes)[i]) * 0x100000001b3;
}

}  // namespace

void DefineLeaseSettings() {
  DefineCustomStringVariable("idgen.lease_store", "Sets the URL of the store that worker ids are leased from.",
                             "redis://[user:password@]host[:port][,host[:port]...][/db], rediss:// for TLS, "
                             "redis+sentinel://host[:port],.../master[/db], unix:///path/to/redis.sock[?db=n]. A "
                             "password in it is never shown.",
                             &store_text, "", PGC_SIGHUP, GUC_SUPERUSER_ONLY, CheckStore, AssignStore, ShownStore);
  DefineCustomStringVariable("idgen.lease_prefix", "Sets the key in the store under which worker ids are leased.",
                             "Servers whose ids must differ need the same store, prefix and range of worker ids.",
                             &prefix, "idgen:worker", PGC_SIGHUP, 0, CheckPrefix, nullptr, nullptr);
  DefineCustomIntVariable("idgen.min_worker", "Sets the lowest worker id that is leased.",
                          "Lower worker ids are left to servers with static ones.", &min_worker, 0, 0,
                          static_cast<int>(core::kDefaultLayout.worker.MaxValue()), PGC_SIGHUP, 0, nullptr, nullptr,
                          nullptr);
  DefineCustomIntVariable("idgen.max_workers", "Sets the end of the range of worker ids that are leased, exclusive.",
                          "The range begins at idgen.min_worker.", &max_workers, 1024, 1,
                          static_cast<int>(core::kDefaultLayout.worker.MaxValue()) + 1, PGC_SIGHUP, 0, nullptr, nullptr,
                          nullptr);
  DefineCustomIntVariable(
      "idgen.lease_ttl", "Sets how long a worker id stays leased without renewal.",
      "Must be the same on all servers of a prefix. A crashed server's worker id is free after this time. When the "
      "store may have lost data, no worker id is leased to a new holder for this time.",
      &ttl_ms, 30000, 1000, kMaxTtlMs, PGC_SIGHUP, GUC_UNIT_MS, nullptr, nullptr, nullptr);
  DefineCustomIntVariable("idgen.lease_window",
                          "Sets how far ahead of use a leased worker id's ceiling is made durable.",
                          "The store can be unavailable for this time less a renewal interval. -1 means two thirds of "
                          "idgen.lease_ttl. Together with idgen.max_ahead it must not exceed idgen.lease_ttl.",
                          &window_ms, -1, -1, kMaxTtlMs, PGC_SIGHUP, GUC_UNIT_MS, nullptr, nullptr, nullptr);
  DefineCustomIntVariable("idgen.lease_connect_timeout",
                          "Sets the maximum time for one attempt to connect to the store.",
                          "Also the maximum time for resolving its host name.", &connect_timeout_ms, 1000, 10,
                          60 * 1000, PGC_SIGHUP, GUC_UNIT_MS, nullptr, AssignTimeout, nullptr);
  DefineCustomIntVariable("idgen.lease_timeout",
                          "Sets the maximum time for one request to the store, including the connection.",
                          "After that the request is retried over a new connection.", &timeout_ms, 2000, 10, 60 * 1000,
                          PGC_SIGHUP, GUC_UNIT_MS, nullptr, nullptr, nullptr);
  DefineFile("idgen.lease_password_file", "Names a file whose first line is the store's password.",
             "Takes precedence over a password in idgen.lease_store, and is read at every login.", &password_file);
  DefineFile("idgen.lease_tls_ca_file",
             "Names a file with the certificates of the authorities that the store's certificate is checked against.",
             "Empty means the system's authorities.", &tls_ca_file);
  DefineFile("idgen.lease_tls_cert_file", "Names a file with this server's client certificate for the store.",
             "Empty means none.", &tls_cert_file);
  DefineFile("idgen.lease_tls_key_file", "Names a file with the private key of idgen.lease_tls_cert_file.", nullptr,
             &tls_key_file);
  DefineCustomBoolVariable("idgen.lease_store_durable",
                           "Declares that the store never loses a write that it has acknowledged.",
                           "True only of a single Redis with appendfsync always and no replica to fail over to. A "
                           "server whose clock is ahead of the store's then does not have to wait.",
                           &durable, false, PGC_SIGHUP, 0, nullptr, nullptr, nullptr);
  DefineCustomIntVariable("idgen.redis_replicas",
                          "Sets the number of replicas that must have a lease before it counts.",
                          "Set it if the store fails over: see docs/lease.md.", &replicas, 0, 0, 16, PGC_SIGHUP, 0,
                          nullptr, nullptr, nullptr);
}

uint32 MaxWorkers() noexcept { return static_cast<uint32>(max_workers); }

bool HasLeaseStore() noexcept { return has_store; }
const wire::RedisUrl& LeaseStoreUrl() noexcept { return store_value.url; }

const char* ShownStore() noexcept { return has_store ? store_value.shown : ""; }

bool ReadStoreAccess(LeaseConfig* config) {
  memset(static_cast<void*>(config), 0, sizeof *config);
  config->url = store_value.url;
  strlcpy(config->password_file, password_file, sizeof config->password_file);
  strlcpy(config->tls_ca_file, tls_ca_file, sizeof config->tls_ca_file);
  strlcpy(config->tls_cert_file, tls_cert_file, sizeof config->tls_cert_file);
  strlcpy(config->tls_key_file, tls_key_file, sizeof config->tls_key_file);
  config->connect_timeout_us = connect_timeout_ms * core::kUsPerMs;
  return has_store;
}

namespace {

// The key, and who this server is there.
void NameServer(LeaseConfig* config) {
  char hostname[io::kMaxHostname];
  if (io::ReadHostname(hostname) != 0) strlcpy(hostname, "?", sizeof hostname);
  strlcpy(config->prefix, prefix, sizeof config->prefix);
  snprintf(config->holder, sizeof config->holder, "%s|%d|%s", hostname, PostPortNumber, DataDir);
  config->ttl_ms = ttl_ms;
  config->timeout_us = timeout_ms * core::kUsPerMs;
}

}  // namespace

bool ReadPresenceConfig(LeaseConfig* config) {
  if (!ReadStoreAccess(config) && !ReadSequenceStoreAccess(config)) return false;
  NameServer(config);
  return true;
}

bool ReadLeaseConfig(LeaseConfig* config, char* problem, size_t problem_size) {
  if (!has_store) return Refuse(problem, problem_size, "\"idgen.lease_store\" is not set.");
  const int64 window = window_ms < 0 ? int64{ttl_ms} * 2 / 3 : window_ms;
  const int64 max_ahead_ms = CurrentSettings().max_ahead_ms;
  if (window < kMinWindowMs)
    return Refuse(problem, problem_size, "\"idgen.lease_window\" (%lld ms) is less than %d ms.",
                  static_cast<long long>(window), kMinWindowMs);
  if (window + max_ahead_ms > ttl_ms)
    return Refuse(problem, problem_size,
                  "\"idgen.lease_window\" (%lld ms) and \"idgen.max_ahead\" (%lld ms) together exceed "
                  "\"idgen.lease_ttl\" (%d ms).",
                  static_cast<long long>(window), static_cast<long long>(max_ahead_ms), ttl_ms);
  if (min_worker >= max_workers)
    return Refuse(problem, problem_size, "\"idgen.min_worker\" (%d) is not less than \"idgen.max_workers\" (%d).",
                  min_worker, max_workers);
  ReadStoreAccess(config);
  NameServer(config);
  config->min_worker = static_cast<uint32>(min_worker);
  config->max_workers = static_cast<uint32>(max_workers);
  config->window_ms = window;
  config->replicas = replicas;
  config->durable = durable;
  return true;
}

lease::RedisStoreSettings LeaseConfig::StoreSettings() const noexcept {
  lease::RedisStoreSettings settings;
  settings.link = {.url = url,
                   .password_file = password_file,
                   .tls = {.ca_file = tls_ca_file, .cert_file = tls_cert_file, .key_file = tls_key_file},
                   .connect_timeout_us = connect_timeout_us,
                   .timeout_us = timeout_us};
  settings.prefix = prefix;
  settings.holder = holder;
  settings.min_worker = min_worker;
  settings.max_workers = max_workers;
  settings.ttl_ms = ttl_ms;
  settings.replicas = replicas;
  settings.durable = durable;
  return settings;
}

uint64 LeaseConfig::Key() const noexcept {
  uint64 hash = 0xcbf29ce484222325;
  Mix(&hash, &url.kind, sizeof url.kind);
  for (int i = 0; i < url.endpoint_count; ++i) {
    Mix(&hash, url.endpoints[i].host, strlen(url.endpoints[i].host) + 1);
    Mix(&hash, &url.endpoints[i].port, sizeof url.endpoints[i].port);
  }
  Mix(&hash, url.path, strlen(url.path) + 1);
  Mix(&hash, url.master, strlen(url.master) + 1);
  Mix(&hash, &url.db, sizeof url.db);
  Mix(&hash, prefix, strlen(prefix) + 1);
  Mix(&hash, &min_worker, sizeof min_worker);
  Mix(&hash, &max_workers, sizeof max_workers);
  return hash < kFirstKey ? kFirstKey : hash;
}

}  // namespace idgen::pg
