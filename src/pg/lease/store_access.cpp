// Definitions of the settings that say how to reach a store.
#include "pg/lease/store_access.h"

#include "core/time.h"
#include "lease/stores.h"

#include <cstring>

namespace idgen::pg {
namespace {

constexpr const char* kPasswordFile = "idgen.lease_password_file";
constexpr const char* kCaFile = "idgen.lease_tls_ca_file";
constexpr const char* kCertFile = "idgen.lease_tls_cert_file";
constexpr const char* kKeyFile = "idgen.lease_tls_key_file";

char* password_file = nullptr;
char* tls_ca_file = nullptr;
char* tls_cert_file = nullptr;
char* tls_key_file = nullptr;
int connect_timeout_ms = 1000;

void DefineFile(const char* name, const char* summary, const char* more, char** file) {
  DefineCustomStringVariable(
      name, summary, more, file, "", PGC_SIGHUP, GUC_SUPERUSER_ONLY, nullptr,
      [](const char*, void*) { ++store_access_count; }, nullptr);
}

void ReadAccess(const UrlSetting& url, AccessConfig* config) {
  memset(config, 0, sizeof *config);
  strlcpy(config->url, url.text(), sizeof config->url);
  config->url_setting = url.name();
  config->password_setting = "";
  strlcpy(config->tls_ca_file, tls_ca_file, sizeof config->tls_ca_file);
  strlcpy(config->tls_cert_file, tls_cert_file, sizeof config->tls_cert_file);
  strlcpy(config->tls_key_file, tls_key_file, sizeof config->tls_key_file);
  config->connect_timeout_us = connect_timeout_ms * core::kUsPerMs;
  if (&url != &lease_store_url) return;
  config->password_setting = kPasswordFile;
  strlcpy(config->password_file, password_file, sizeof config->password_file);
}

}  // namespace

void DefineStoreAccessSettings() {
  static char url_syntax[512];  // PostgreSQL keeps the pointer
  io::JoinUrlTexts(lease::LeaseUrlKind, &io::UrlKind::syntax, "; ", url_syntax, sizeof url_syntax);
  strlcat(url_syntax, ". A password in it is never shown.", sizeof url_syntax);
  DefineUrlSetting<lease_store_url>("Sets the URL of the store that worker ids are leased from.", url_syntax);
  DefineUrlSetting<sequence_store_url>(
      "Sets the URL of the sequence store.",
      "Same format as idgen.lease_store. Empty means idgen.lease_store, with its password file.");
  DefineCustomIntVariable(
      "idgen.lease_connect_timeout", "Sets the maximum time for one attempt to connect to the store.",
      "Also the maximum time for resolving its host name.", &connect_timeout_ms, 1000, 10, 60 * 1000, PGC_SIGHUP,
      GUC_UNIT_MS, nullptr, [](int, void*) { ++store_access_count; }, nullptr);
  DefineFile(kPasswordFile, "Names a file whose first line is the store's password.",
             "Takes precedence over a password in idgen.lease_store, and is read at every login.", &password_file);
  DefineFile(kCaFile,
             "Names a file with the certificates of the authorities that the store's certificate is checked against.",
             "Empty means the system's authorities.", &tls_ca_file);
  DefineFile(kCertFile, "Names a file with this server's client certificate for the store.", "Empty means none.",
             &tls_cert_file);
  DefineFile(kKeyFile, "Names a file with the private key of idgen.lease_tls_cert_file.", nullptr, &tls_key_file);
}

io::StoreAccess AccessConfig::Access(int64 timeout_us) const noexcept {
  return {.url = url,
          .url_setting = url_setting,
          .password_file = {.path = password_file, .setting = password_setting},
          .tls = {.ca = {.path = tls_ca_file, .setting = kCaFile},
                  .certificate = {.path = tls_cert_file, .setting = kCertFile},
                  .key = {.path = tls_key_file, .setting = kKeyFile}},
          .connect_timeout_us = connect_timeout_us,
          .timeout_us = timeout_us};
}

void ReadLeaseStoreAccess(AccessConfig* config) { ReadAccess(lease_store_url, config); }

const UrlSetting& UrlOfSequences() noexcept {
  return sequence_store_url.is_set() ? sequence_store_url : lease_store_url;
}

void ReadSequenceStoreAccess(AccessConfig* config) { ReadAccess(UrlOfSequences(), config); }

bool HasSequenceStore() noexcept { return UrlOfSequences().is_set(); }

bool SequencesShareLeaseStore() noexcept {
  if (!lease_store_url.is_set()) return false;
  const UrlSetting& url = UrlOfSequences();
  return &url == &lease_store_url ||
         (&url.kind() == &lease_store_url.kind() && url.kind().may_be_same(url.text(), lease_store_url.text()));
}

}  // namespace idgen::pg
