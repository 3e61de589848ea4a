// Defines the settings, except those of leases and sequences; docs/settings.md explains them.
#include "pg/base/pg.h"

#include "pg/base/settings.h"

#include "core/layout.h"
#include "core/server_state.h"
#include "pg/lease/settings.h"
#include "pg/lease/store_access.h"
#include "pg/sequence_host/mark_file.h"
#include "pg/sequence_host/slot_memory.h"
#include "pg/sequences/key_prefix.h"
#include "pg/sequences/sequence_store.h"

namespace idgen::pg {
namespace {

constexpr int kNoWorkerId = -1;

int worker_id = kNoWorkerId;
int worker_source = static_cast<int>(lease::NumberSource::kStatic);
char* worker_env = nullptr;
char* worker_interface = nullptr;
int max_ahead_ms = 1000;
int max_wait_ms = 5000;
int ceiling_window_ms = 10000;
int max_clock_step_ms = 60000;
int block_size = 256;
int max_generators = 64;
int max_generators_per_database = 16;

const struct config_enum_entry kWorkerSources[] = {
    {"static", static_cast<int>(lease::NumberSource::kStatic), false},
    {"hostname", static_cast<int>(lease::NumberSource::kHostname), false},
    {"env", static_cast<int>(lease::NumberSource::kEnv), false},
    {"ip", static_cast<int>(lease::NumberSource::kIp), false},
    {"lease", static_cast<int>(lease::NumberSource::kLease), false},
    {nullptr, 0, false},
};

}  // namespace

void DefineSettings() {
  DefineCustomEnumVariable(
      "idgen.worker_source", "Selects where this server's worker id comes from.",
      "static: idgen.worker_id; hostname: its trailing number, as in db-3; env: the environment variable that "
      "idgen.worker_env names; ip: the low 10 bits of the private IPv4 address, which two hosts of a network larger "
      "than /22 can have in common; lease: the store in idgen.lease_store.",
      &worker_source, static_cast<int>(lease::NumberSource::kStatic), kWorkerSources, PGC_SIGHUP, 0, nullptr, nullptr,
      nullptr);
  DefineCustomStringVariable("idgen.worker_env", "Names the environment variable that holds the worker id.",
                             "Read from the postmaster's environment if idgen.worker_source is env.", &worker_env,
                             "SHARD_ID", PGC_SIGHUP, 0, nullptr, nullptr, nullptr);
  DefineCustomStringVariable("idgen.worker_interface",
                             "Names the network interface whose address determines the worker id.",
                             "Used if idgen.worker_source is ip. Empty means any interface that is up.",
                             &worker_interface, "", PGC_SIGHUP, 0, nullptr, nullptr, nullptr);
  DefineCustomIntVariable(
      "idgen.worker_id", "Sets the worker id of this server, which distinguishes its ids from other servers' ids.",
      "No two running servers may have the same one. -1 means not chosen: 0 is used.", &worker_id, kNoWorkerId,
      kNoWorkerId, static_cast<int>(core::kDefaultLayout.worker.MaxValue()), PGC_SIGHUP, 0, nullptr, nullptr, nullptr);
  DefineCustomIntVariable("idgen.max_ahead", "Sets how far ids may run ahead of the id clock before a caller waits.",
                          "A burst can use this much time at once.", &max_ahead_ms, 1000, 1, 60 * 1000, PGC_SIGHUP,
                          GUC_UNIT_MS, nullptr, nullptr, nullptr);
  DefineCustomIntVariable("idgen.max_wait", "Sets how long a caller waits for an id before it gets an error.", nullptr,
                          &max_wait_ms, 5000, 0, 3600 * 1000, PGC_USERSET, GUC_UNIT_MS, nullptr, nullptr, nullptr);
  DefineCustomIntVariable("idgen.ceiling_window",
                          "Sets how far ahead of use a server with a static worker id makes its ceiling durable.",
                          "A disk stall shorter than half of this goes unnoticed.", &ceiling_window_ms, 10000, 1000,
                          3600 * 1000, PGC_SIGHUP, GUC_UNIT_MS, nullptr, nullptr, nullptr);
  DefineCustomIntVariable("idgen.max_clock_step",
                          "Sets the largest forward step of the wall clock that the id clock follows at once.",
                          "A larger step is accepted after it has persisted for 30 seconds.", &max_clock_step_ms, 60000,
                          1, 24 * 3600 * 1000, PGC_SIGHUP, GUC_UNIT_MS, nullptr, nullptr, nullptr);
  DefineCustomIntVariable("idgen.block_size", "Sets the maximum number of ids that a backend reserves at a time.",
                          "With 1, ids are strictly increasing across all sessions of the server.", &block_size, 256, 1,
                          4096, PGC_SIGHUP, 0, nullptr, nullptr, nullptr);
  // A PGC_POSTMASTER setting cannot be defined later. A session that loads the library itself has no shared memory
  // anyway.
  if (process_shared_preload_libraries_in_progress)
    DefineCustomIntVariable("idgen.max_generators", "Sets the maximum number of id layouts in use on the server.",
                            "Generators with the same layout, epoch, unit, region and app share one, across databases. "
                            "A restart frees those of dropped generators.",
                            &max_generators, 64, 1, static_cast<int>(core::kMaxLines), PGC_POSTMASTER, 0, nullptr,
                            nullptr, nullptr);
  DefineCustomIntVariable("idgen.max_generators_per_database",
                          "Sets the maximum number of id layouts that a database can be the first to use.",
                          "Keeps one database from using up idgen.max_generators. Superusers can set it for a database "
                          "with ALTER DATABASE.",
                          &max_generators_per_database, 16, 0, static_cast<int>(core::kMaxLines), PGC_SUSET, 0, nullptr,
                          nullptr, nullptr);
  DefineStoreAccessSettings();
  DefineLeaseSettings();
  DefineSequenceSettings();
  DefinePrefixSetting();
  DefineSlotSetting();
  DefineMarksSetting();
  MarkGUCPrefixReserved("idgen");
}

int MaxWaitMs() noexcept { return max_wait_ms; }

int MaxGenerators() noexcept { return max_generators; }
int MaxGeneratorsPerDatabase() noexcept { return max_generators_per_database; }

lease::NumberSource WorkerNumberSource() noexcept { return static_cast<lease::NumberSource>(worker_source); }
const char* WorkerEnv() noexcept { return worker_env; }
const char* WorkerInterface() noexcept { return worker_interface; }

uint32_t StaticWorkerId() noexcept { return worker_id == kNoWorkerId ? 0 : static_cast<uint32_t>(worker_id); }

bool WorkerIdIsChosen() noexcept { return worker_id != kNoWorkerId; }

lease::IdSettings CurrentIdSettings() noexcept {
  return {.max_ahead_ms = max_ahead_ms,
          .window_ms = ceiling_window_ms,
          .max_clock_step_ms = max_clock_step_ms,
          .block_size = static_cast<uint64_t>(block_size)};
}

}  // namespace idgen::pg
