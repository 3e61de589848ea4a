// High-water marks in shared memory, and the file of their records. Sessions change the table alone; the file is
// written by one process at a time (sequencer/keep_marks.h).
#pragma once

#include "pg/base/pg.h"
#include "pg/base/shared_part.h"

#include "sequencer/protocol.h"

namespace idgen::pg {

// For _PG_init.
void DefineMarksSetting();
extern const SharedPart mark_part;

// False if the library is not preloaded, or idgen.max_sequence_marks is 0. What follows needs true.
bool HasMarkMemory() noexcept;

extern sequencer::MarkProgress* mark_progress;

// Under the secret of this server.
sequencer::KeyHash HashOfMark(const sequencer::StoreKey& key) noexcept;

// The table, locked until UnlockMarks(), or EndMarkChange(). A process that is killed during a change leaves it marked
// as such: then the records that were written ahead remain valid.
sequencer::Marks LockMarks();
void UnlockMarks();
sequencer::Marks BeginMarkChange();
void EndMarkChange();

// Whether a loss may be logged: at most ten per second are. `suppressed`: how many were not logged since the last one.
bool MayLogLoss(int64* suppressed);

// For the marks keeper, the one process that writes the file. Raise what the system says.
void OpenMarkFile();
bool WriteMarkRecord(size_t slot, const sequencer::MarkRecord& record);
[[noreturn]] void FailMarkWrite();  // after WriteMarkRecord() has returned false
void SyncMarkFile();

// Until the keeper has ended, or earlier; until `until_us` at the latest, when it raises 58030.
void WaitForMarkKeeper(const core::Word& done, uint64 write, int64 until_us);
void WakeMarkKeepers();

}  // namespace idgen::pg
