// Settings that are the URL of a store. It may hold a password, and PostgreSQL writes a changed value to the log and
// shows it to whoever may read settings: so what it keeps is empty, the URL is the check hook's "extra", and what is
// shown has the password hidden.
#pragma once

#include "pg/base/pg.h"

#include "wire/redis_url.h"

namespace idgen::pg {

// What PostgreSQL carries along with a value that was accepted. A process keeps a copy of its own: PostgreSQL gives
// back what it carries along, in a parallel worker before the value that is to take its place is made.
struct StoreUrl {
  wire::RedisUrl url;
  char shown[4096];
};

// The work of a check hook. `inherited` is the process's own copy; nullptr where there is none.
bool CheckStoreUrl(const char* setting, const StoreUrl* inherited, char** value, void** extra);

}  // namespace idgen::pg
