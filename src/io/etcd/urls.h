// etcd's URLs as a kind of store's.
#pragma once

#include "io/store_access.h"

namespace idgen::io {

extern const UrlKind kEtcdUrls;

}  // namespace idgen::io
