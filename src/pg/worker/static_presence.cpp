// The settings, the connection, and what is said over it.
#include "pg/worker/static_presence.h"

#include "io/clock.h"
#include "io/token.h"
#include "lease/lease_source.h"
#include "pg/base/settings.h"

#include <cstring>

namespace idgen::pg {

StaticPresence::StaticPresence(Shared& shared) noexcept
    : shared_(shared), presence_(store_, shared.presence_token, io::MakeToken) {}

void StaticPresence::ReadSettings() {
  LeaseConfig config;
  const bool has_store = ReadPresenceConfig(&config);
  if (has_store == has_store_ && memcmp(&config, &config_, sizeof config) == 0) return;
  presence_.Stop();
  store_.Close();
  memcpy(static_cast<void*>(&config_), &config, sizeof config);
  has_store_ = has_store;
  if (!has_store_) return;
  store_.Configure(config_.StoreSettings());
  presence_.SetRules(
      {.ttl_ms = config_.ttl_ms, .every_us = lease::LeaseSource::RenewEveryUs(config_.ttl_ms, config_.ttl_ms)});
}

void StaticPresence::Turn(bool is_static) noexcept {
  const core::Identity identity(shared_.server.identity.load());
  if (!is_static || !has_store_ || !identity) {
    presence_.Stop();
    store_.Close();
    return;
  }
  // What this server can issue until what it says now runs out, if it is not heard of again.
  const int64 ceiling_ms = identity.ceiling_ms() + config_.ttl_ms + CurrentIdSettings().window_ms;
  presence_.Turn(io::ReadInstant(), identity.worker(), ceiling_ms);
}

}  // namespace idgen::pg
