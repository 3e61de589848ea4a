// Settings of the lease.
#include "pg/lease/settings.h"

#include "core/check.h"
#include "core/fnv.h"
#include "core/layout.h"
#include "io/host.h"
#include "lease/stores.h"
#include "pg/base/settings.h"

#include <cstring>

namespace idgen::pg {

namespace {

constexpr int kMaxTtlMs = 3600 * 1000;
constexpr int kMinWindowMs = 100;  // a renewal takes time

char* prefix = nullptr;
int min_worker = 0;
int max_workers = 1024;
int ttl_ms = 30000;
int window_ms = -1;
int timeout_ms = 2000;
int replicas = 0;
bool durable = false;
bool lease_on_standby = false;

bool CheckPrefix(char** value, void**, GucSource) {
  if (**value != '\0' && strlen(*value) < sizeof LeaseConfig::prefix) return true;
  GUC_check_errdetail("The prefix must have 1 to %zu bytes.", sizeof LeaseConfig::prefix - 1);
  return false;
}

bool Refuse(char* problem, size_t size, const char* format, ...) pg_attribute_printf(3, 4);
bool Refuse(char* problem, size_t size, const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(problem, size, format, arguments);
  va_end(arguments);
  return false;
}

}  // namespace

void DefineLeaseSettings() {
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
  DefineCustomIntVariable(
      "idgen.lease_window", "Sets how far ahead of use a leased worker id's ceiling is made durable.",
      "The store can be unavailable for this time less idgen.max_ahead and a renewal interval. -1 means "
      "two thirds of idgen.lease_ttl. At least 100 ms; together with idgen.max_ahead it must not "
      "exceed idgen.lease_ttl.",
      &window_ms, -1, -1, kMaxTtlMs, PGC_SIGHUP, GUC_UNIT_MS, nullptr, nullptr, nullptr);
  DefineCustomIntVariable("idgen.lease_timeout",
                          "Sets the maximum time for one request to the store, including the connection.",
                          "After that the request is retried over a new connection.", &timeout_ms, 2000, 10, 60 * 1000,
                          PGC_SIGHUP, GUC_UNIT_MS, nullptr, nullptr, nullptr);
  DefineCustomBoolVariable("idgen.lease_store_durable",
                           "Declares that the store never loses a write that it has acknowledged.",
                           "True only of a single server that syncs every write and has no replica to fail over to. "
                           "A server whose clock is ahead of the store's then does not have to wait.",
                           &durable, false, PGC_SIGHUP, 0, nullptr, nullptr, nullptr);
  DefineCustomBoolVariable("idgen.lease_on_standby", "Leases a worker id on a hot standby, in advance of a promotion.",
                           "A promoted standby then issues ids at once, even if the store cannot be reached. Each "
                           "standby needs a worker id of its own.",
                           &lease_on_standby, false, PGC_SIGHUP, 0, nullptr, nullptr, nullptr);
  DefineCustomIntVariable("idgen.redis_replicas",
                          "Sets the number of replicas that must have a lease before it counts.",
                          "Set it if the store fails over: see docs/lease.md.", &replicas, 0, 0, 16, PGC_SIGHUP, 0,
                          nullptr, nullptr, nullptr);
}

bool LeasesOnStandby() noexcept { return lease_on_standby && WorkerNumberSource() == lease::NumberSource::kLease; }

uint32 MaxWorkers() noexcept { return static_cast<uint32>(max_workers); }

namespace {

// The prefix, and this server's name under it.
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
  memset(static_cast<void*>(config), 0, sizeof *config);
  if (!HasSequenceStore()) return false;
  lease_store_url.is_set() ? ReadLeaseStoreAccess(&config->access) : ReadSequenceStoreAccess(&config->access);
  NameServer(config);
  // A store may be one for sequences only.
  return io::FindUrlKind(lease::LeaseUrlKind, config->access.url) != nullptr;
}

bool ReadLeaseConfig(LeaseConfig* config, char* problem, size_t problem_size) {
  if (!lease_store_url.is_set()) return Refuse(problem, problem_size, "\"idgen.lease_store\" is not set.");
  const int64 window = window_ms < 0 ? int64{ttl_ms} * 2 / 3 : window_ms;
  const int64 max_ahead_ms = CurrentIdSettings().max_ahead_ms;
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
  memset(static_cast<void*>(config), 0, sizeof *config);
  ReadLeaseStoreAccess(&config->access);
  NameServer(config);
  config->min_worker = static_cast<uint32>(min_worker);
  config->max_workers = static_cast<uint32>(max_workers);
  config->window_ms = window;
  config->replicas = replicas;
  config->durable = durable;
  return true;
}

lease::LeaseStoreSettings LeaseConfig::StoreSettings() const noexcept {
  return {.access = access.Access(timeout_us),
          .prefix = prefix,
          .holder = holder,
          .min_worker = min_worker,
          .max_workers = max_workers,
          .ttl_ms = ttl_ms,
          .replicas = replicas,
          .durable = durable};
}

uint64 LeaseConfig::Key() const noexcept {
  const io::UrlKind* kind = io::FindUrlKind(lease::LeaseUrlKind, access.url);
  IDGEN_CHECK(kind != nullptr);  // the setting accepts no other URL
  uint64_t hash = kind->identify(access.url);
  const auto mix = [&hash](const void* bytes, size_t size) { hash = core::Fnv(hash, bytes, size); };
  mix(prefix, strlen(prefix) + 1);
  mix(&min_worker, sizeof min_worker);
  mix(&max_workers, sizeof max_workers);
  return hash < kFirstKey ? kFirstKey : hash;
}

}  // namespace idgen::pg
