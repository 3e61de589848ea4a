// The local file: what it is taken for, and how a new server gets one.
#include "io/ceiling_file.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <initializer_list>
#include <string>
#include <vector>

#include "memory_disk.h"

namespace idgen::io {
namespace {

constexpr ClusterId kCluster{.system_identifier = 7000000000000000001, .timeline = 1};
constexpr ClusterId kPromotedCluster{.system_identifier = 7000000000000000001, .timeline = 2};
constexpr ClusterId kOtherCluster{.system_identifier = 7000000000000000002, .timeline = 1};
constexpr const char* kDirectory = "data";
constexpr const char* kPath = "data/idgen.ceiling";
constexpr int kPid = 4711;

// By an object that knows nothing yet, as after a restart.
FileView ReadAfresh(MemoryDisk& disk, const ClusterId& cluster = kCluster) {
  CeilingFile file(disk, kDirectory, 0600);
  const FileView view = file.Read(cluster);
  file.Close();
  return view;
}

void WriteAll(MemoryDisk& disk, std::initializer_list<int64_t> ceilings) {
  CeilingFile file(disk, kDirectory, 0600);
  for (const int64_t ceiling_ms : ceilings) ASSERT_EQ(file.Write(kCluster, ceiling_ms), 0);
  file.Close();
}

void FlipBit(MemoryDisk& disk, size_t offset) {
  std::string bytes = disk.Contents(kPath);
  bytes.at(offset) = static_cast<char>(bytes.at(offset) ^ 1);
  disk.SetContents(kPath, bytes);
}

TEST(CeilingFile, IsMissingIfThereIsNone) {
  MemoryDisk disk;
  const FileView view = ReadAfresh(disk);
  EXPECT_EQ(view.state, FileState::kMissing);
  EXPECT_EQ(view.ceiling_ms, 0);
}

TEST(CeilingFile, ReturnsWhatWasWrittenLast) {
  MemoryDisk disk;
  CeilingFile file(disk, kDirectory, 0600);
  for (int64_t ceiling_ms = 1000; ceiling_ms < 10000; ceiling_ms += 1000) {
    ASSERT_EQ(file.Write(kCluster, ceiling_ms), 0);
    const FileView view = ReadAfresh(disk);
    EXPECT_EQ(view.state, FileState::kOwn);
    EXPECT_EQ(view.ceiling_ms, ceiling_ms);
  }
  EXPECT_EQ(disk.Names(), std::vector<std::string>{kPath});
  file.Close();
}

TEST(CeilingFile, ContinuesFromWhatItRead) {
  MemoryDisk disk;
  for (int64_t ceiling_ms = 1000; ceiling_ms < 6000; ceiling_ms += 1000) {
    CeilingFile file(disk, kDirectory, 0600);
    file.Read(kCluster);
    ASSERT_EQ(file.Write(kCluster, ceiling_ms), 0);
    file.Close();
    const FileView view = ReadAfresh(disk);
    EXPECT_EQ(view.state, FileState::kOwn);
    EXPECT_EQ(view.ceiling_ms, ceiling_ms);
  }
}

// A clean stop releases less than the ceiling before.
TEST(CeilingFile, TheNewerRecordCountsEvenIfItIsLower) {
  MemoryDisk disk;
  WriteAll(disk, {3000, 4000, 1000});
  EXPECT_EQ(ReadAfresh(disk).ceiling_ms, 1000);
}

TEST(CeilingFile, IsNewUntilACeilingIsRecorded) {
  MemoryDisk disk;
  WriteAll(disk, {0});
  EXPECT_EQ(ReadAfresh(disk).state, FileState::kNew);
  WriteAll(disk, {1000});
  EXPECT_EQ(ReadAfresh(disk).state, FileState::kOwn);
}

TEST(CeilingFile, InAnotherInodeIsACopy) {
  MemoryDisk disk;
  WriteAll(disk, {3000, 4000, 1000});
  disk.ReplaceByCopy(kPath);
  const FileView view = ReadAfresh(disk);
  EXPECT_EQ(view.state, FileState::kCopy);
  EXPECT_EQ(view.ceiling_ms, 4000) << "the highest of any record: the original may have gone on from it";
}

// The number of an inode is given out again when its file is gone.
TEST(CeilingFile, WithTheSameInodeNumberButAnotherBirthTimeIsACopy) {
  MemoryDisk disk;
  disk.born_ns = 1700000000000000001;
  WriteAll(disk, {3000, 4000});
  disk.born_ns = 1700000000000000002;
  EXPECT_EQ(ReadAfresh(disk).state, FileState::kCopy);
}

TEST(CeilingFile, WithoutBirthTimesTheInodeDecides) {
  for (const bool told_when_written : {false, true}) {
    MemoryDisk disk;
    disk.born_ns = told_when_written ? 1700000000000000001 : 0;
    WriteAll(disk, {3000, 4000});
    disk.born_ns = told_when_written ? 0 : 1700000000000000001;
    EXPECT_EQ(ReadAfresh(disk).state, FileState::kOwn);
  }
}

TEST(CeilingFile, OfANewServerIsNotNewInACopy) {
  MemoryDisk disk;
  WriteAll(disk, {0});
  disk.ReplaceByCopy(kPath);
  EXPECT_EQ(ReadAfresh(disk).state, FileState::kCopy);
}

TEST(CeilingFile, OfAnotherSystemIsNotOurs) {
  MemoryDisk disk;
  WriteAll(disk, {3000, 4000, 1000});
  const FileView view = ReadAfresh(disk, kOtherCluster);
  EXPECT_EQ(view.state, FileState::kOtherSystem);
  EXPECT_EQ(view.ceiling_ms, 4000);
}

TEST(CeilingFile, FromAnotherTimelineShowsAPromotion) {
  MemoryDisk disk;
  WriteAll(disk, {3000, 4000, 1000});
  const FileView view = ReadAfresh(disk, kPromotedCluster);
  EXPECT_EQ(view.state, FileState::kPromoted);
  EXPECT_EQ(view.ceiling_ms, 4000);
}

// A backup copied over the file leaves inode and timeline as they were, but brings another label.
TEST(CeilingFile, FromBeforeAnotherBackupShowsARestore) {
  MemoryDisk disk;
  constexpr const char* kLabel = "data/backup_label.old";
  const auto cluster = [&disk] {
    ClusterId cluster = kCluster;
    cluster.backup = BackupOf(disk, kDirectory);
    return cluster;
  };
  EXPECT_EQ(cluster().backup, 0u);
  WriteAll(disk, {3000, 4000, 1000});
  disk.SetContents(kLabel, "START WAL LOCATION: 0/2000028");
  const FileView view = ReadAfresh(disk, cluster());
  EXPECT_EQ(view.state, FileState::kRestored);
  EXPECT_EQ(view.ceiling_ms, 4000);
  CeilingFile file(disk, kDirectory, 0600);
  ASSERT_EQ(file.Write(cluster(), 5000), 0);
  file.Close();
  EXPECT_EQ(ReadAfresh(disk, cluster()).state, FileState::kOwn) << "a restart is nothing special";
  disk.SetContents(kLabel, "START WAL LOCATION: 0/4000028");
  EXPECT_EQ(ReadAfresh(disk, cluster()).state, FileState::kRestored);
  EXPECT_EQ(ReadAfresh(disk, kCluster).state, FileState::kOwn) << "a label that was tidied away proves nothing";
}

TEST(CeilingFile, RecordsWhoseCeilingItIsAndWhatOthersHad) {
  MemoryDisk disk;
  CeilingFile file(disk, kDirectory, 0600);
  ASSERT_EQ(file.Write(kCluster, Ceiling{.ceiling_ms = 5000, .source = 77, .past_ms = 3000}), 0);
  EXPECT_TRUE(file.is_open());
  file.Close();
  FileView view = ReadAfresh(disk);
  EXPECT_EQ(view.state, FileState::kOwn);
  EXPECT_EQ(view.ceiling_ms, 5000);
  EXPECT_EQ(view.source, 77u);
  EXPECT_EQ(view.past_ms, 3000);
  ASSERT_EQ(file.Write(kCluster, Ceiling{.ceiling_ms = 5000, .source = 77, .past_ms = 9000}), 0);
  file.Close();
  EXPECT_EQ(ReadAfresh(disk).ceiling_ms, 9000) << "nothing that was issued lies above";
}

TEST(CeilingFile, IsOursAgainOnceWeHaveWrittenIt) {
  for (const ClusterId& cluster : {kOtherCluster, kPromotedCluster}) {
    MemoryDisk disk;
    WriteAll(disk, {3000, 4000});
    CeilingFile file(disk, kDirectory, 0600);
    file.Read(cluster);
    ASSERT_EQ(file.Write(cluster, 9000), 0);
    file.Close();
    const FileView view = ReadAfresh(disk, cluster);
    EXPECT_EQ(view.state, FileState::kOwn);
    EXPECT_EQ(view.ceiling_ms, 9000);
  }
}

TEST(CeilingFile, CutShortAnywhereIsDamaged) {
  for (const size_t size : {0, 1, 95, 96, 4095, 4096, 4097, 4191}) {
    MemoryDisk disk;
    WriteAll(disk, {1000, 2000, 3000, 4000});
    disk.SetContents(kPath, disk.Contents(kPath).substr(0, size));
    const FileView view = ReadAfresh(disk);
    EXPECT_EQ(view.state, FileState::kDamaged) << size;
    EXPECT_EQ(view.ceiling_ms, size < 96 ? 0 : 4000) << size;
  }
}

// The record that cannot be read may have been the newer, however young the file is.
TEST(CeilingFile, WithOneRecordOfTwoUnreadableIsDamaged) {
  for (int writes = 1; writes <= 5; ++writes) {
    for (const size_t slot : {0, 1}) {
      MemoryDisk disk;
      CeilingFile file(disk, kDirectory, 0600);
      for (int i = 1; i <= writes; ++i) ASSERT_EQ(file.Write(kCluster, i * 1000), 0);
      file.Close();
      FlipBit(disk, slot * CeilingFile::kRecordSpacing + 16);
      const FileView view = ReadAfresh(disk);
      EXPECT_EQ(view.state, FileState::kDamaged) << writes << " writes, record " << slot << " spoilt";
      EXPECT_GE(view.ceiling_ms, (writes - 1) * 1000);
    }
  }
}

TEST(CeilingFile, OfANewServerWithOneRecordUnreadableIsDamaged) {
  for (const size_t slot : {0, 1}) {
    MemoryDisk disk;
    CeilingFile file(disk, kDirectory, 0600);
    ASSERT_EQ(file.CreateForNewServer(kCluster, kPid), 0);
    FlipBit(disk, slot * CeilingFile::kRecordSpacing + 16);
    EXPECT_EQ(ReadAfresh(disk).state, FileState::kDamaged) << "record " << slot << " spoilt";
  }
}

TEST(CeilingFile, WithBothRecordsUnreadableIsDamaged) {
  MemoryDisk disk;
  WriteAll(disk, {1000, 2000});
  FlipBit(disk, 16);
  FlipBit(disk, CeilingFile::kRecordSpacing + 16);
  const FileView view = ReadAfresh(disk);
  EXPECT_EQ(view.state, FileState::kDamaged);
  EXPECT_EQ(view.ceiling_ms, 0);
}

TEST(CeilingFile, WithRecordsThatAreNotNeighboursIsDamaged) {
  MemoryDisk disk;
  WriteAll(disk, {1000, 2000});
  const std::string old_first = disk.Contents(kPath).substr(0, wire::kCeilingRecordBytes);
  disk = MemoryDisk();
  WriteAll(disk, {1000, 2000, 3000, 4000, 5000});
  disk.SetContents(kPath, old_first + disk.Contents(kPath).substr(wire::kCeilingRecordBytes));
  const FileView view = ReadAfresh(disk);
  EXPECT_EQ(view.state, FileState::kDamaged);
  EXPECT_EQ(view.ceiling_ms, 5000);
}

TEST(CeilingFile, ThatWasDamagedIsWrittenAgain) {
  MemoryDisk disk;
  WriteAll(disk, {1000, 2000, 3000});
  FlipBit(disk, 20);
  CeilingFile file(disk, kDirectory, 0600);
  EXPECT_EQ(file.Read(kCluster).state, FileState::kDamaged);
  ASSERT_EQ(file.Write(kCluster, 9000), 0);
  file.Close();
  const FileView view = ReadAfresh(disk);
  EXPECT_EQ(view.state, FileState::kOwn);
  EXPECT_EQ(view.ceiling_ms, 9000);
}

TEST(CeilingFile, IsCreatedForANewServer) {
  MemoryDisk disk;
  CeilingFile file(disk, kDirectory, 0600);
  EXPECT_EQ(file.CreateForNewServer(kCluster, kPid), 0);
  EXPECT_EQ(disk.Names(), std::vector<std::string>{kPath});
  disk.Crash(MemoryDisk::Unsynced::kLost, /*names_kept=*/false);
  EXPECT_EQ(ReadAfresh(disk).state, FileState::kNew);
}

TEST(CeilingFile, IsNeverReplacedByANewServersDeclaration) {
  MemoryDisk written;
  WriteAll(written, {1000, 2000});
  for (const std::string& bytes : {written.Contents(kPath), std::string(), std::string("damaged")}) {
    for (int nth = 0; nth <= 10; ++nth) {
      MemoryDisk disk;
      disk.SetContents(kPath, bytes);
      CeilingFile file(disk, kDirectory, 0600);
      if (nth > 0) disk.FailAt(nth, EIO);
      EXPECT_LT(file.CreateForNewServer(kCluster, kPid), 0) << nth;
      if (nth == 0) {
        EXPECT_EQ(disk.Names(), std::vector<std::string>{kPath});
      }
      EXPECT_EQ(disk.Contents(kPath), bytes) << nth;
    }
  }
}

TEST(CeilingFile, ADeclarationReportsAnExistingFile) {
  MemoryDisk disk;
  WriteAll(disk, {1000});
  CeilingFile file(disk, kDirectory, 0600);
  EXPECT_EQ(file.CreateForNewServer(kCluster, kPid), -EEXIST);
  EXPECT_EQ(ReadAfresh(disk).ceiling_ms, 1000);
}

TEST(CeilingFile, HasItsPathInTheDirectory) {
  MemoryDisk disk;
  EXPECT_STREQ(CeilingFile(disk, kDirectory, 0600).path(), kPath);
}

}  // namespace
}  // namespace idgen::io
