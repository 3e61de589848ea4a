// Judging the URL of a store, and hiding its password.
#include "pg/lease/store_url.h"

#include "io/tls.h"

#include <cstring>

namespace idgen::pg {
namespace {

constexpr char kHidden[] = "***";

bool RefuseUrl(const char* setting, const char* problem) {
  // In PostgreSQL's own words the value would be in the message, and its password in the log.
  GUC_check_errcode(ERRCODE_INVALID_PARAMETER_VALUE);
  GUC_check_errmsg("invalid value for parameter \"%s\"", setting);
  GUC_check_errdetail("The URL of the store is invalid: %s.", problem);
  GUC_check_errhint(
      "For example redis://127.0.0.1:6379, rediss://user:password@host/0, "
      "redis+sentinel://host:26379/mymaster or unix:///run/redis/redis.sock.");
  return false;
}

}  // namespace

bool CheckStoreUrl(const char* setting, const StoreUrl* inherited, char** value, void** extra) {
  *extra = nullptr;
  StoreUrl* accepted = nullptr;
  if (InitializingParallelWorker) {
    // The leader has sent what it keeps, which is empty; this process has inherited the URL.
    if (inherited == nullptr) return true;
    accepted = static_cast<StoreUrl*>(GucAllocate(sizeof(StoreUrl)));
    if (accepted == nullptr) return false;
    *accepted = *inherited;
  } else if (**value != '\0') {
    wire::RedisUrl url;
    const size_t size = strlen(*value);
    if (size + sizeof kHidden > sizeof accepted->shown) return RefuseUrl(setting, "it is too long");
    if (const char* problem = wire::ParseRedisUrl(*value, &url)) return RefuseUrl(setting, problem);
    if (url.tls && !io::Tls::Built())
      return RefuseUrl(setting, "idgen was built without TLS, so that rediss:// cannot be used");
    accepted = static_cast<StoreUrl*>(GucAllocate(sizeof(StoreUrl)));
    if (accepted == nullptr) return false;
    accepted->url = url;
    const bool hide = url.password_size > 0;
    const char* rest = *value + url.password_at + url.password_size;
    snprintf(accepted->shown, sizeof accepted->shown, "%.*s%s%s", static_cast<int>(url.password_at), *value,
             hide ? kHidden : "", url.password_at == 0 ? *value : rest);
    // Not for others to find in memory that is given back.
    memset(*value, 0, size);
  }
  *extra = accepted;
  return true;
}

}  // namespace idgen::pg
