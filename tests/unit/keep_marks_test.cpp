// One process writes and syncs the records of marks for all, and lets others go on when it fails.
#include <gtest/gtest.h>

#include "sequence_host.h"

namespace idgen::sequencer {
namespace {

uint64_t NoteValue(TestHost& host, const char* name, int64_t value) {
  TestKey key(name, {});
  const Marks::Given given = {.mark = {.generation = 1, .value = value}, .first = value};
  const uint64_t write = host.BeginMarkChange().Note(host.HashOf(key.key), given, key.definition, 0).write;
  host.EndMarkChange();
  return write;
}

TEST(KeepMarks, WritesAndSyncsAllRecordsAtOnce) {
  TestHost host;
  NoteValue(host, "a", 5);
  const uint64_t write = NoteValue(host, "b", 7);
  SyncMarks(host, write, INT64_MAX);
  EXPECT_EQ(host.written.size(), 2u);
  EXPECT_EQ(host.syncs, 1);
  EXPECT_EQ(host.progress.written.load(), write);
  EXPECT_EQ(host.progress.synced.load(), write);
  EXPECT_EQ(host.progress.keeper.load(), 0u);
  SyncMarks(host, write, INT64_MAX);
  EXPECT_EQ(host.syncs, 1) << "it is on disk already";
}

TEST(KeepMarks, WaitsForAnotherKeeper) {
  TestHost host;
  const uint64_t write = NoteValue(host, "a", 5);
  host.progress.keeper.store(99);
  WriteMarks(host, write, INT64_MAX);
  EXPECT_EQ(host.keeper_waits, 1);
  EXPECT_EQ(host.written.size(), 1u);
  EXPECT_EQ(host.syncs, 0);
}

TEST(KeepMarks, ARecordThatCouldNotBeWrittenIsWrittenLater) {
  TestHost host;
  const uint64_t write = NoteValue(host, "a", 5);
  host.writes_that_fail = 1;
  EXPECT_THROW(SyncMarks(host, write, INT64_MAX), CallFailed);
  EXPECT_EQ(host.progress.keeper.load(), host.self());
  Abandon(host);
  EXPECT_EQ(host.progress.keeper.load(), 0u);
  EXPECT_EQ(host.keeper_wakes, 1);
  EXPECT_LT(host.progress.written.load(), write);
  SyncMarks(host, write, INT64_MAX);
  EXPECT_EQ(host.written.size(), 1u);
}

TEST(KeepMarks, AFileThatCannotBeOpenedSyncsNothing) {
  TestHost host;
  const uint64_t write = NoteValue(host, "a", 5);
  host.is_disk_broken = true;
  EXPECT_THROW(SyncMarks(host, write, INT64_MAX), CallFailed);
  Abandon(host);
  EXPECT_EQ(host.progress.synced.load(), 0u);
}

TEST(KeepMarks, ACancelEndsTheWait) {
  TestHost host;
  const uint64_t write = NoteValue(host, "a", 5);
  host.is_cancelled = true;
  EXPECT_THROW(SyncMarks(host, write, INT64_MAX), CallFailed);
  EXPECT_EQ(host.progress.keeper.load(), 0u);
}

TEST(KeepMarks, ACommitThatNeedNotWaitWritesAndRequestsTheSync) {
  TestHost host;
  const uint64_t write = NoteValue(host, "a", 5);
  host.has_prefetcher = true;
  SyncBeforeCommit(host, write, true, INT64_MAX);
  EXPECT_EQ(host.written.size(), 1u);
  EXPECT_EQ(host.syncs, 0);
  host.has_prefetcher = false;
  SyncBeforeCommit(host, write, true, INT64_MAX);
  EXPECT_EQ(host.syncs, 1) << "nobody else can";
}

}  // namespace
}  // namespace idgen::sequencer
