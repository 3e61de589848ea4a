// The two settings that are the URL of a store. A URL may hold a password, and PostgreSQL writes a changed value to the
// log and shows it to users who may read settings. So the value that PostgreSQL keeps is empty, the URL is the check
// hook's "extra", and what is shown has the password hidden.
#pragma once

#include "pg/base/pg.h"

#include "io/store_access.h"

namespace idgen::pg {

// What PostgreSQL carries along with a value that was accepted.
struct StoreUrl {
  static constexpr size_t kBytes = 4096;
  char text[kBytes];
  char shown[kBytes];
};

// Incremented whenever a setting that says how to reach a store may have changed.
extern uint64 store_access_count;

class UrlSetting {
 public:
  constexpr UrlSetting(const char* name, io::UrlKinds kinds) noexcept : name_(name), kinds_(kinds) {}

  const char* name() const noexcept { return name_; }
  bool is_set() const noexcept { return is_set_; }
  const char* text() const noexcept { return url_.text; }    // with its password; "" if not set
  const char* shown() const noexcept { return url_.shown; }  // with its password hidden
  // Of the store that it names. Only if it is set.
  const io::UrlKind& kind() const noexcept { return *io::FindUrlKind(kinds_, url_.text); }

  // The hooks.
  bool Check(char** value, void** extra) const;
  void Assign(const void* extra) noexcept;

  // What PostgreSQL keeps: always empty.
  char* kept = nullptr;

 private:
  bool Refuse(const char* problem) const;

  const char* name_;
  io::UrlKinds kinds_;
  // This process's own copy: PostgreSQL frees what it carries along, in a parallel worker before the new value is made.
  bool is_set_ = false;
  StoreUrl url_ = {};
};

extern UrlSetting lease_store_url, sequence_store_url;

template <UrlSetting& setting>
void DefineUrlSetting(const char* summary, const char* more) {
  DefineCustomStringVariable(
      setting.name(), summary, more, &setting.kept, "", PGC_SIGHUP, GUC_SUPERUSER_ONLY,
      [](char** value, void** extra, GucSource) { return setting.Check(value, extra); },
      [](const char*, void* extra) { setting.Assign(extra); }, [] { return setting.shown(); });
}

}  // namespace idgen::pg
