// Random UUIDs as texts.
#include "io/token.h"

#include <uuid/uuid.h>

namespace idgen::io {

void MakeToken(char (&text)[37]) noexcept {
  uuid_t uuid;
  uuid_generate_random(uuid);
  uuid_unparse_lower(uuid, text);
}

}  // namespace idgen::io
