// Validating the URL of a store, and hiding its password.
#include "pg/lease/store_url.h"

#include "lease/stores.h"
#include "sequencer/stores.h"

#include <cstring>

namespace idgen::pg {

uint64 store_access_count = 1;

constinit UrlSetting lease_store_url("idgen.lease_store", lease::LeaseUrlKind);
constinit UrlSetting sequence_store_url("idgen.sequence_store", sequencer::SequenceUrlKind);

namespace {

constexpr char kHidden[] = "***";

}  // namespace

bool UrlSetting::Refuse(const char* problem) const {
  char examples[512];
  io::JoinUrlTexts(kinds_, &io::UrlKind::examples, ", ", examples, sizeof examples);
  // In PostgreSQL's own words the value would be in the message, and its password in the log.
  GUC_check_errcode(ERRCODE_INVALID_PARAMETER_VALUE);
  GUC_check_errmsg("invalid value for parameter \"%s\"", name_);
  GUC_check_errdetail("The URL of the store is invalid: %s.", problem);
  GUC_check_errhint("For example %s.", examples);
  return false;
}

bool UrlSetting::Check(char** value, void** extra) const {
  *extra = nullptr;
  // The leader of a parallel worker sends what it keeps, which is empty; the worker has inherited the URL.
  if (InitializingParallelWorker ? !is_set_ : **value == '\0') return true;
  io::PasswordPosition password;
  const size_t size = strlen(*value);
  if (!InitializingParallelWorker) {
    if (size + sizeof kHidden > StoreUrl::kBytes) return Refuse("it is too long");
    const io::UrlKind* kind = io::FindUrlKind(kinds_, *value);
    if (kind == nullptr) {
      char schemes[256], problem[300];
      io::JoinUrlTexts(kinds_, &io::UrlKind::schemes, ", or ", schemes, sizeof schemes);
      snprintf(problem, sizeof problem, "it must begin with %s", schemes);
      return Refuse(problem);
    }
    if (const char* problem = kind->validate(*value, &password)) return Refuse(problem);
  }
  auto* accepted = static_cast<StoreUrl*>(GucAllocate(sizeof(StoreUrl)));
  if (accepted == nullptr) return false;
  if (InitializingParallelWorker) {
    *accepted = url_;
  } else {
    memcpy(accepted->text, *value, size + 1);
    const bool hide = password.size > 0;
    snprintf(accepted->shown, sizeof accepted->shown, "%.*s%s%s", static_cast<int>(password.at), *value,
             hide ? kHidden : "", *value + password.at + password.size);
    // Not for others to find in memory that is freed.
    memset(*value, 0, size);
  }
  *extra = accepted;
  return true;
}

void UrlSetting::Assign(const void* extra) noexcept {
  is_set_ = extra != nullptr;
  url_ = is_set_ ? *static_cast<const StoreUrl*>(extra) : StoreUrl();
  ++store_access_count;
}

}  // namespace idgen::pg
