// Hands out ids to this backend from the block in its slot, and refills the block when it is used up.
#pragma once

#include "pg/base/pg.h"

#include "core/block.h"
#include "io/clock.h"
#include "pg/base/shared_memory.h"
#include "pg/generators/generators.h"
#include "pg/ids/errors.h"

namespace idgen::pg {

// Refills the slot's block with at least `need` positions, from now on of `line`. Nothing of the old block is reused.
// Waits interruptibly for up to idgen.max_wait, and raises if no id can be issued.
void RefillOrRaise(core::BackendSlot& slot, uint32 line, uint64 need);

// The slow path of TakeId(): out of line, so that the fast path needs no registers of its own.
int64 RefillAndTakeId(core::BackendSlot& slot);
core::Position RefillAndTakePosition(core::BackendSlot& slot, uint32 line);

inline int64 TakeId(core::BackendSlot& slot) {
  core::Position position;
  if (unlikely(!core::TakeFromBlock(slot, kDefaultLine, io::CoarseNs, &position))) return RefillAndTakeId(slot);
  return core::Compose(core::kDefaultLayout, position, slot.worker);
}

// Like TakeId(), but does not check the block's age: for callers that check it themselves every few ids.
inline int64 TakeIdUnaged(core::BackendSlot& slot) {
  if (unlikely(!core::HasPosition(slot, kDefaultLine))) return RefillAndTakeId(slot);
  return core::Compose(core::kDefaultLayout, core::TakePosition(slot), slot.worker);
}

// The id at a position of the generator's line. Raises past the generator's end, which may be before the line's.
inline int64 IdAt(const Generator& generator, core::Position position, uint32 worker) {
  if (unlikely(position >= generator.end)) RaiseRunOut(generator.definition.layout);
  return core::Compose(generator.definition.layout, position, worker);
}

// The same for a generator whose line is known.
inline int64 TakeId(core::BackendSlot& slot, const Generator& generator) {
  core::Position position;
  if (unlikely(!core::TakeFromBlock(slot, generator.line, io::CoarseNs, &position)))
    position = RefillAndTakePosition(slot, generator.line);
  return IdAt(generator, position, slot.worker);
}
inline int64 TakeIdUnaged(core::BackendSlot& slot, const Generator& generator) {
  const bool has = core::HasPosition(slot, generator.line);
  const core::Position position = likely(has) ? core::TakePosition(slot) : RefillAndTakePosition(slot, generator.line);
  return IdAt(generator, position, slot.worker);
}

}  // namespace idgen::pg
