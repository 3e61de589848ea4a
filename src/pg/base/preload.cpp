// The error and the warning about a library that is not in shared_preload_libraries.
#include "pg/base/preload.h"

#include "pg/base/shared_memory.h"

namespace idgen::pg {
namespace {

// The libraries in the setting plus idgen, as ALTER SYSTEM expects them.
const char* LibrariesWithIdgen() {
  List* libraries = NIL;
  StringInfoData list;
  initStringInfo(&list);
  const char* now = GetConfigOption("shared_preload_libraries", true, false);
  if (now != nullptr && SplitDirectoriesString(pstrdup(now), ',', &libraries)) {
    const ListCell* cell;
    foreach (cell, libraries) appendStringInfo(&list, "%s, ", quote_literal_cstr(static_cast<char*>(lfirst(cell))));
  }
  appendStringInfoString(&list, "'idgen'");
  return list.data;
}

// What to run. The script of a trusted extension runs as a superuser; the user who runs CREATE EXTENSION may not be
// allowed to read the setting.
const char* PreloadHint() {
  const Oid caller = GetSessionUserId();
  if (!superuser_arg(caller) && !has_privs_of_role(caller, ROLE_PG_READ_ALL_SETTINGS))
    return "Ask a superuser to add idgen to \"shared_preload_libraries\" and restart the server.";
  return psprintf("Run ALTER SYSTEM SET shared_preload_libraries = %s; and restart the server.", LibrariesWithIdgen());
}

}  // namespace

void WarnUnlessPreloaded() {
  if (SharedState() != nullptr) return;
  ereport(WARNING,
          (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
           errmsg("no ids can be issued: idgen is not in \"shared_preload_libraries\""),
           errdetail("Ids need a background worker and shared memory, which are created when the server starts."),
           errhint("%s", PreloadHint())));
}

void RaiseNotPreloaded() {
  ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                  errmsg("idgen must be loaded via \"shared_preload_libraries\""), errhint("%s", PreloadHint())));
}

}  // namespace idgen::pg
