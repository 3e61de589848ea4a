// Who may see where the server and its stores are: hosts, ports and directories. Others get the same message without
// them.
#pragma once

#include "pg/base/pg.h"

namespace idgen::pg {

// Members of pg_monitor, and background workers without a database, whose messages go to the server log. This does not
// cover secrets, which nobody may see.
inline bool MaySeeServer() {
  if (!OidIsValid(MyDatabaseId)) return true;
  return IsTransactionState() && has_privs_of_role(GetUserId(), ROLE_PG_MONITOR);
}

}  // namespace idgen::pg
