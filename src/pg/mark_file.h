// How far sequences have come: the table of marks in shared memory, and the file of their records, which are written
// when a value comes near, and on disk before the transaction that got it has committed.
#pragma once

#include "pg/pg.h"

#include "core/memory.h"
#include "sequencer/request.h"

namespace idgen::pg {

// For _PG_init: the setting, and in the postmaster the memory.
void DefineMarksSetting();
void RequestMarksMemory();

// False where the library is not preloaded, or no key has a mark.
bool HasMarkMemory() noexcept;

// What is known of them, by their hashes.
void FindMarks(sequencer::Known* known, int count);

// Marks::NoteSimply() for the first of them for which it is true: how many. `write` is raised to those of theirs.
int NoteMarksSimply(const sequencer::Known* known, const sequencer::Answer* answers, int count, uint64 writer,
                    uint64* write);

// Marks::Note() and ::TakeBack(), written where they have to be. False where the mark is doubtful; `write`: the number
// of the write that covers it. Raise what a file can have.
bool NoteMark(const sequencer::KeyHash& key, const sequencer::Marks::Given& given,
              const sequencer::Definition& definition, uint64* write);
void TakeMarkBack(const sequencer::KeyHash& key, const sequencer::Mark& noted, int64 value);

// Whether a loss may be told in the log, of which there are not many lines a second; `untold`: how many were not told
// since the last one.
bool MayTellLoss(int64* untold);

// So many writes are on disk.
extern core::Word* marks_synced;
inline uint64 MarksSynced() noexcept { return marks_synced->load(std::memory_order_relaxed); }

// The write is on disk when it returns. Raises where that can't be.
void SyncMarks(uint64 write);
// So is whatever was written.
void SyncAllMarks();

// The transaction does not commit before the write is on disk; with synchronous_commit = off it is, soon after.
extern uint64 awaited_mark;
inline void AwaitMark(uint64 write) noexcept { awaited_mark = Max(awaited_mark, write); }

}  // namespace idgen::pg
