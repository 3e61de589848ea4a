// The right to choose a key prefix, and the setting by which a superuser grants it.
#include "pg/sequences/key_prefix.h"

#include "sequencer/key.h"

namespace idgen::pg {
namespace {

char* allowed_prefixes = nullptr;

bool CheckList(char** value, void**, GucSource) {
  if (sequencer::MayBePrefixList(*value)) return true;
  GUC_check_errdetail("A prefix must have 1 to %zu bytes and no braces.", sequencer::kMaxPrefixBytes);
  return false;
}

}  // namespace

void DefinePrefixSetting() {
  DefineCustomStringVariable(
      "idgen.allowed_key_prefixes", "Sets the key prefixes that non-superusers may choose for a sequencer.",
      "A comma-separated list; longer prefixes that begin with one of them are allowed as well. If empty, a database "
      "has only keys of its own. Can be set for a database with ALTER DATABASE ... SET.",
      &allowed_prefixes, "", PGC_SUSET, GUC_LIST_INPUT, CheckList, nullptr, nullptr);
}

void CheckMayUsePrefix(const text* prefix) {
  const std::string_view given(VARDATA_ANY(prefix), static_cast<size_t>(VARSIZE_ANY_EXHDR(prefix)));
  if (superuser() || sequencer::IsPrefixAllowed(given, allowed_prefixes)) return;
  const char* shown = text_to_cstring(prefix);
  ereport(
      ERROR,
      (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE), errmsg("permission denied to use key prefix \"%s\"", shown),
       errdetail("Another database may use the prefix, so only superusers may choose one that is not in "
                 "\"idgen.allowed_key_prefixes\"."),
       errhint(
           "Omit \"key_prefix\", or ask a superuser to run ALTER DATABASE %s SET idgen.allowed_key_prefixes = %s.",
           quote_identifier(get_database_name(MyDatabaseId)), quote_literal_cstr(shown))));
}

}  // namespace idgen::pg
