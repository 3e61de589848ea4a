// Reserving descriptors, all or none.
#include "pg/lease/descriptors.h"

namespace idgen::pg {

int ReserveDescriptors(const io::UrlKind& kind, const char* store) {
  // One more must be left over: PostgreSQL reserves it to sleep until the connection is ready.
  for (int count = 0; count <= kind.max_descriptors; ++count) {
    if (AcquireExternalFD()) continue;
    ReleaseDescriptors(count);
    ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_RESOURCES), errmsg("could not connect to the %s", store),
                    errdetail("There are too many open files on the local server."),
                    errhint("Raise \"max_files_per_process\" or the operating system's limit on open files.")));
  }
  ReleaseDescriptors(1);
  return kind.max_descriptors;
}

void ReleaseDescriptors(int count) {
  for (; count > 0; --count) ReleaseExternalFD();
}

}  // namespace idgen::pg
