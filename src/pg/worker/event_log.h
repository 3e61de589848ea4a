// What the background worker says in the log of what happened to the server's identity.
#pragma once

#include "lease/presence.h"
#include "pg/base/shared_memory.h"
#include "pg/worker/watch.h"

namespace idgen::pg {

// For last_error of the status.
void RememberError(Shared& shared, const char* text);

class Teller {
 public:
  // `path`: of the local file.
  Teller(Shared& shared, Watch& watch, const char* path) noexcept : shared_(shared), watch_(watch), path_(path) {}

  // The status has been brought up to date.
  void Tell(const lease::Event& event) const;
  // Another server with this one's worker id, at every turn.
  void TellCompany(const lease::PresenceView& view) const;

 private:
  Shared& shared_;
  Watch& watch_;
  const char* path_;
};

}  // namespace idgen::pg
