// The settings that say how to reach a store, whatever it is asked for: its URL, password and TLS files, timeouts.
#pragma once

#include "pg/lease/store_url.h"

namespace idgen::pg {

// Defines them, the two URLs included.
void DefineStoreAccessSettings();

// A copy of the settings, so that it outlives a reload.
struct AccessConfig {
  char url[StoreUrl::kBytes];
  const char* url_setting;       // the setting that `url` came from
  const char* password_setting;  // "" if that store has no setting for a password file
  char password_file[MAXPGPATH];
  char tls_ca_file[MAXPGPATH];
  char tls_cert_file[MAXPGPATH];
  char tls_key_file[MAXPGPATH];
  int64 connect_timeout_us;

  // Points into this.
  io::StoreAccess Access(int64 timeout_us) const noexcept;
};

// Of idgen.lease_store.
void ReadLeaseStoreAccess(AccessConfig* config);

// The URL that sequences use: idgen.sequence_store if it is set, else idgen.lease_store.
const UrlSetting& UrlOfSequences() noexcept;
void ReadSequenceStoreAccess(AccessConfig* config);

// Whether there is a store for sequences, and whether it may be the store that worker ids are leased from.
bool HasSequenceStore() noexcept;
bool SequencesShareLeaseStore() noexcept;

}  // namespace idgen::pg
