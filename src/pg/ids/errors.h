// Errors of the id functions: one place for their SQLSTATEs, messages, details and hints.
#pragma once

#include "pg/base/pg.h"

#include "core/reservation.h"

namespace idgen::pg {

// The layout's time field has run out.
[[noreturn]] void RaiseRunOut(const core::Layout& layout);

// An id of this layout could not be issued. `waited_ms` is how long the caller has waited for it.
[[noreturn]] void RaiseRefused(const core::Reservation& refused, const core::Layout& layout, int64 waited_ms);

}  // namespace idgen::pg
