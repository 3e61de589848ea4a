// Writing and syncing the records of marks, as little as possible: one process at a time, the marks keeper, does it
// for all marks that were noted until then. The others wait for it. No lock is held while the file is written.
#pragma once

#include "sequencer/protocol.h"

namespace idgen::sequencer {

// For the boundary and for a process that ends, too.
template <MarkHost Host>
void EndKeeping(Host& host) {
  if (!host.has_marks()) return;
  MarkProgress& progress = host.mark_progress();
  if (progress.keeper.load() != host.self()) return;
  progress.keeper.store(0);
  host.WakeKeepers();
}

// Writes every record that has changed. (leaves)
template <MarkHost Host>
void WriteRecords(Host& host) {
  uint64_t writes;
  while (true) {
    size_t slot;
    MarkRecord record;
    Marks marks = host.LockMarks();
    const bool is_there = marks.NextUnwritten(&slot);
    if (is_there) record = marks.Record(slot, false);
    writes = marks.writes();
    host.UnlockMarks();
    if (!is_there) break;
    if (host.WriteMark(slot, record)) continue;
    host.LockMarks().NoteUnwritten(slot);
    host.UnlockMarks();
    host.FailWrite();
  }
  host.mark_progress().written.store(writes);
}

// Returns when `write` is in the file, or on disk: written by this process, or by the marks keeper. (leaves)
template <MarkHost Host>
void KeepMarks(Host& host, uint64_t write, bool on_disk, int64_t until_us) {
  MarkProgress& progress = host.mark_progress();
  const Word& done = on_disk ? progress.synced : progress.written;
  while (write > done.load()) {
    host.CheckCancel();
    uint64_t nobody = 0;
    if (!progress.keeper.compare_exchange_strong(nobody, host.self())) {
      host.WaitForKeeper(done, write, until_us);
      continue;
    }
    host.OpenMarkFile();
    WriteRecords(host);
    if (on_disk) {
      const uint64_t writes = progress.written.load();
      host.SyncMarkFile();
      progress.synced.store(writes);
    }
    EndKeeping(host);
  }
}

// Returns when the write is in the file, and so survives a crash of the server. (leaves)
template <MarkHost Host>
void WriteMarks(Host& host, uint64_t write, int64_t until_us) {
  KeepMarks(host, write, false, until_us);
}

// Returns when the write is on disk. (leaves)
template <MarkHost Host>
void SyncMarks(Host& host, uint64_t write, int64_t until_us) {
  KeepMarks(host, write, true, until_us);
}

// Syncs all marks that have been noted. (leaves)
template <MarkHost Host>
void SyncAllMarks(Host& host, int64_t until_us) {
  if (!host.has_marks()) return;
  const uint64_t writes = host.LockMarks().writes();
  host.UnlockMarks();
  SyncMarks(host, writes, until_us);
}

// Before a transaction commits whose values count when `write` is on disk; `may_sync_later`: as synchronous_commit =
// off allows, it is enough that the write is in the file, and on disk soon after. (leaves)
template <MarkHost Host>
void SyncBeforeCommit(Host& host, uint64_t write, bool may_sync_later, int64_t until_us) {
  if (write <= host.mark_progress().synced.load()) return;
  if (may_sync_later) {
    WriteMarks(host, write, until_us);
    if (host.RequestSync()) return;
  }
  SyncMarks(host, write, until_us);
}

}  // namespace idgen::sequencer
