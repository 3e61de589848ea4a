// Looking up the kind of store that a URL names.
#include "io/store_access.h"

#include <cstdio>

namespace idgen::io {

const UrlKind* FindUrlKind(UrlKinds kinds, const char* url) noexcept {
  for (int i = 0; kinds(i) != nullptr; ++i)
    if (kinds(i)->has_scheme(url)) return kinds(i);
  return nullptr;
}

void JoinUrlTexts(UrlKinds kinds, const char* UrlKind::*text, const char* separator, char* out, size_t size) noexcept {
  size_t used = 0;
  for (int i = 0; kinds(i) != nullptr && used < size; ++i)
    used += static_cast<size_t>(snprintf(out + used, size - used, "%s%s", i > 0 ? separator : "", kinds(i)->*text));
}

}  // namespace idgen::io
