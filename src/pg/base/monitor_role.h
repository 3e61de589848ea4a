// Who may know where the server and its stores are: hosts, ports, directories. Others are told what is the matter
// without it.
#pragma once

#include "pg/base/pg.h"

namespace idgen::pg {

// Members of pg_monitor, and processes of ours without a database, whose words go to the server log. Secrets are for
// nobody, and not in what this guards.
inline bool MaySeeServer() {
  if (!OidIsValid(MyDatabaseId)) return true;
  return IsTransactionState() && has_privs_of_role(GetUserId(), ROLE_PG_MONITOR);
}

}  // namespace idgen::pg
