// Text from elsewhere as a sentence of a detail.
#pragma once

#include "pg/base/pg.h"

#include <cstring>

namespace idgen::pg {

// The text with a full stop, unless it ends a sentence already; palloc'ed.
inline const char* Sentence(const char* text) {
  const size_t size = strlen(text);
  const bool ends = size > 0 && strchr(".?!", text[size - 1]) != nullptr;
  return psprintf("%s%s", text, ends ? "" : ".");
}

}  // namespace idgen::pg
