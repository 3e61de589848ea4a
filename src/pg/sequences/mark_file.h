// How far sequences have come: the table of marks in shared memory, and the file of their records. Calls change the
// table alone. One process at a time writes the records that have changed, and syncs the file, for all that were noted
// until then: before the transaction commits that got a value. The others wait for it, and a cancel ends that; no lock
// is held.
#pragma once

#include "pg/base/pg.h"

#include "core/memory.h"
#include "sequencer/operation.h"

namespace idgen::pg {

// For _PG_init: the setting, and in the postmaster the memory.
void DefineMarksSetting();
void RequestMarksMemory();

// False where the library is not preloaded, or no key has a mark.
bool HasMarkMemory() noexcept;

// Under the secret of this server. For what follows.
sequencer::KeyHash HashOfMark(const sequencer::StoreKey& key) noexcept;

// What is known of them, by their hashes.
void FindMarks(sequencer::Known* known, int count);

// Marks::NoteSimply() for the first of them for which it is true: how many. `write` is raised to those of theirs.
int NoteMarksSimply(const sequencer::Known* known, const sequencer::Answer* answers, int count, uint64 writer,
                    uint64* write);

// Marks::Note(), of values that the current user asked for. False where the mark is doubtful; `write`: the number of
// the write that covers it.
bool NoteMark(const sequencer::KeyHash& key, sequencer::Marks::Given given, const sequencer::Definition& definition,
              uint64* write);
// Marks::TakeBack(), written. Raises what WriteMarks() raises.
void TakeMarkBack(const sequencer::KeyHash& key, const sequencer::Mark& noted, int64 value, int64 until_us);

// Whether a loss may be told in the log, of which there are not many lines a second; `untold`: how many were not told
// since the last one.
bool MayTellLoss(int64* untold);

// So many writes are on disk.
extern core::Word* marks_synced;
inline uint64 MarksSynced() noexcept { return marks_synced->load(std::memory_order_relaxed); }

// The write is in the file when it returns, and so survives a crash of the server; or on disk. Waits for another
// process until then at the most. Raises what the system says, and 58030 where the time is up.
void WriteMarks(uint64 write, int64 until_us);
void SyncMarks(uint64 write, int64 until_us);
// Syncs all that has been noted.
void SyncAllMarks();

// The transaction does not commit before the write is on disk, however long that takes; with synchronous_commit = off
// not before it is in the file, and it is on disk soon after.
extern uint64 awaited_mark;
inline void AwaitMark(uint64 write) noexcept { awaited_mark = Max(awaited_mark, write); }

}  // namespace idgen::pg
