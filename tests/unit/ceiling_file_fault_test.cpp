// The local file on a failing disk: what was acknowledged is there, and no failure is mistaken for anything else.
#include "io/ceiling_file.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <string>
#include <vector>

#include "memory_disk.h"

namespace idgen::io {
namespace {

constexpr ClusterId kCluster{.system_identifier = 7000000000000000001, .timeline = 1};
constexpr const char* kDirectory = "data";
constexpr const char* kPath = "data/idgen.ceiling";
constexpr int kPid = 4711;
constexpr const char* kTemporary = "data/idgen.ceiling.4711";
constexpr MemoryDisk::Unsynced kUnsynced[] = {MemoryDisk::Unsynced::kLost, MemoryDisk::Unsynced::kTorn,
                                              MemoryDisk::Unsynced::kKept};

constexpr int kEnough = 30;  // operations: more than any test here performs

// By an object that knows nothing yet, as after a restart.
FileView ReadAfresh(MemoryDisk& disk) {
  CeilingFile file(disk, kDirectory, 0600);
  const FileView view = file.Read(kCluster);
  file.Close();
  return view;
}
TEST(CeilingFile, NothingIsConcludedFromAReadThatFails) {
  for (int nth = 1; nth <= 4; ++nth) {  // open, inode, two records
    MemoryDisk disk;
    CeilingFile file(disk, kDirectory, 0600);
    for (const int64_t ceiling_ms : {1000, 2000}) ASSERT_EQ(file.Write(kCluster, ceiling_ms), 0);
    file.Close();
    disk.FailAt(nth, EIO);
    const FileView view = ReadAfresh(disk);
    EXPECT_EQ(view.state, FileState::kUnreadable) << nth;
    EXPECT_EQ(view.error, EIO) << nth;
  }
}

TEST(CeilingFile, AnyFailingOperationOfAWriteIsReported) {
  for (const bool in_place : {false, true}) {
    // The first round, in which nothing fails, counts the operations.
    for (int nth = kEnough, round = 0, operations = 0; round <= operations; nth = ++round) {
      MemoryDisk disk;
      CeilingFile file(disk, kDirectory, 0600);
      if (in_place) {
        ASSERT_EQ(file.Write(kCluster, 1000), 0);
      }
      const int before = disk.operations();
      disk.FailAt(nth, ENOSPC);
      EXPECT_EQ(file.Write(kCluster, 2000), round == 0 ? 0 : -ENOSPC) << nth;
      if (round == 0) operations = disk.operations() - before;
      disk.FailNothing();
      EXPECT_EQ(file.Write(kCluster, 3000), 0) << nth;
      EXPECT_EQ(ReadAfresh(disk).ceiling_ms, 3000) << nth;
      file.Close();
    }
  }
}

TEST(CeilingFile, AfterAFailedSyncANewFileIsWritten) {
  MemoryDisk disk;
  CeilingFile file(disk, kDirectory, 0600);
  ASSERT_EQ(file.Write(kCluster, 1000), 0);
  disk.FailAt(2, EIO);
  ASSERT_EQ(file.Write(kCluster, 2000), -EIO);
  ASSERT_EQ(file.Write(kCluster, 3000), 0);
  file.Close();
  EXPECT_FALSE(disk.trusted_a_failed_sync());
  disk.Crash(MemoryDisk::Unsynced::kLost, /*names_kept=*/false);
  const FileView view = ReadAfresh(disk);
  EXPECT_EQ(view.state, FileState::kOwn);
  EXPECT_EQ(view.ceiling_ms, 3000);
}

TEST(CeilingFile, WhatWasAcknowledgedSurvivesAnyOneFailureAndACrash) {
  for (const bool power_lost : {false, true}) {  // at the failure, or after more writes
    for (int nth = 1; nth <= kEnough; ++nth) {
      for (const MemoryDisk::Unsynced unsynced : kUnsynced) {
        for (const bool names_kept : {false, true}) {
          MemoryDisk disk;
          CeilingFile file(disk, kDirectory, 0600);
          disk.FailAt(nth, EIO, power_lost);
          int64_t acknowledged_ms = 0;
          for (int64_t ceiling_ms = 1000; ceiling_ms <= 6000; ceiling_ms += 1000) {
            if (file.Write(kCluster, ceiling_ms) == 0) acknowledged_ms = ceiling_ms;
          }
          file.Close();
          disk.FailNothing();
          ASSERT_FALSE(disk.trusted_a_failed_sync());
          if (!power_lost) {
            ASSERT_GE(ReadAfresh(disk).ceiling_ms, acknowledged_ms) << nth;
          }
          disk.Crash(unsynced, names_kept);
          const FileView view = ReadAfresh(disk);
          ASSERT_GE(view.ceiling_ms, acknowledged_ms) << "operation " << nth;
          if (acknowledged_ms > 0) {
            ASSERT_NE(view.state, FileState::kMissing) << "operation " << nth;
          }
          ASSERT_NE(view.state, FileState::kNew) << "operation " << nth;
        }
      }
    }
  }
}

// The process whose sync failed ended, and its successor reads what the disk never got. It must not overwrite the
// record that the disk did get.
TEST(CeilingFile, WhatWasAcknowledgedSurvivesAFailedSyncThatTheSuccessorDoesNotKnowOf) {
  MemoryDisk disk;
  CeilingFile file(disk, kDirectory, 0600);
  for (const int64_t ceiling_ms : {1000, 2000, 3000}) ASSERT_EQ(file.Write(kCluster, ceiling_ms), 0);
  disk.FailAt(2, EIO);
  ASSERT_EQ(file.Write(kCluster, 4000), -EIO);
  file.Close();

  CeilingFile successor(disk, kDirectory, 0600);
  successor.Read(kCluster);
  disk.FailAt(1, EIO, /*and_all_after=*/true);
  ASSERT_NE(successor.Write(kCluster, 5000), 0);
  disk.Crash(MemoryDisk::Unsynced::kTorn, /*names_kept=*/true);
  EXPECT_GE(ReadAfresh(disk).ceiling_ms, 3000);
}

TEST(CeilingFile, ALeftoverThatCannotBeRemovedIsTheErrorThatIsReported) {
  MemoryDisk disk;
  disk.SetContents("data/idgen.ceiling.new", "left over");
  CeilingFile file(disk, kDirectory, 0600);
  disk.FailAt(1, EACCES);
  EXPECT_EQ(file.Write(kCluster, 1000), -EACCES);
  EXPECT_EQ(file.Write(kCluster, 1000), 0) << "it can be removed now";
  file.Close();
}

TEST(CeilingFile, AppearsWholeOrNotAtAll) {
  for (int nth = 1; nth <= kEnough; ++nth) {
    for (const bool and_all_after : {false, true}) {
      for (const MemoryDisk::Unsynced unsynced : kUnsynced) {
        for (const bool names_kept : {false, true}) {
          MemoryDisk disk;
          CeilingFile file(disk, kDirectory, 0600);
          disk.FailAt(nth, EIO, and_all_after);
          const int result = file.CreateForNewServer(kCluster, kPid);
          ASSERT_TRUE(result == 0 || result == -EIO) << nth;  // tidying up may fail
          disk.FailNothing();
          const FileState seen = ReadAfresh(disk).state;
          ASSERT_TRUE(seen == FileState::kNew || seen == FileState::kMissing) << nth;
          disk.Crash(unsynced, names_kept);
          const FileState left = ReadAfresh(disk).state;
          ASSERT_TRUE(left == FileState::kNew || left == FileState::kMissing) << nth;
          if (result == 0) {
            ASSERT_EQ(left, FileState::kNew) << nth;
          }
        }
      }
    }
  }
}

TEST(CeilingFile, ADeclarationCutShortCanBeRepeated) {
  for (int nth = 1; nth <= kEnough; ++nth) {
    MemoryDisk disk;
    CeilingFile file(disk, kDirectory, 0600);
    disk.FailAt(nth, EIO, /*and_all_after=*/true);
    file.CreateForNewServer(kCluster, kPid);
    disk.FailNothing();
    const bool there = disk.Exists(kPath);
    EXPECT_EQ(file.CreateForNewServer(kCluster, kPid), there ? -EEXIST : 0) << nth;
    EXPECT_EQ(disk.Names(), std::vector<std::string>{kPath}) << nth;
    EXPECT_EQ(ReadAfresh(disk).state, FileState::kNew) << nth;
  }
}

TEST(CeilingFile, ALeftoverThatCannotBeRemovedIsNotMistakenForTheFile) {
  MemoryDisk disk;
  disk.SetContents(kTemporary, "left over");
  CeilingFile file(disk, kDirectory, 0600);
  disk.FailAt(1, EACCES);
  EXPECT_EQ(file.CreateForNewServer(kCluster, kPid), -EACCES);
}

}  // namespace
}  // namespace idgen::io
