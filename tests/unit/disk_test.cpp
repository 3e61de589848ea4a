// The real disk: errors are values, and the local file on it.
#include "io/disk.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "io/ceiling_file.h"

namespace idgen::io {
namespace {

class PosixDiskTest : public testing::Test {
 protected:
  PosixDiskTest() {
    std::string name = testing::TempDir() + "idgen_unit_XXXXXX";
    directory_ = mkdtemp(name.data());
  }
  ~PosixDiskTest() override { std::filesystem::remove_all(directory_); }

  std::string Path(const char* name) const { return directory_ + "/" + name; }

  std::string directory_;
  Disk& disk_ = PosixDisk();
};

TEST_F(PosixDiskTest, ReadsWhatItWroteAndStopsAtTheEnd) {
  const int fd = disk_.CreateNew(Path("file").c_str(), 0600);
  ASSERT_GE(fd, 0);
  EXPECT_EQ(disk_.WriteAt(fd, "idgen", 5, 4096), 0);
  EXPECT_EQ(disk_.Sync(fd), 0);
  char bytes[16] = {};
  EXPECT_EQ(disk_.ReadAt(fd, bytes, sizeof bytes, 4096), 5);
  EXPECT_STREQ(bytes, "idgen");
  EXPECT_EQ(disk_.ReadAt(fd, bytes, sizeof bytes, 5000), 0);
  EXPECT_EQ(disk_.ReadAt(fd, bytes, 1, 0), 1);
  EXPECT_EQ(bytes[0], 0);
  disk_.Close(fd);
}

TEST_F(PosixDiskTest, CreatesFilesWithTheModeAskedFor) {
  disk_.Close(disk_.CreateNew(Path("file").c_str(), 0600));
  EXPECT_EQ(std::filesystem::status(Path("file")).permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

TEST_F(PosixDiskTest, NeverReplacesByCreatingOrLinking) {
  disk_.Close(disk_.CreateNew(Path("one").c_str(), 0600));
  disk_.Close(disk_.CreateNew(Path("two").c_str(), 0600));
  EXPECT_EQ(disk_.CreateNew(Path("one").c_str(), 0600), -EEXIST);
  EXPECT_EQ(disk_.Link(Path("one").c_str(), Path("two").c_str()), -EEXIST);
}

TEST_F(PosixDiskTest, ALinkAndARenameKeepTheInode) {
  int fd = disk_.CreateNew(Path("one").c_str(), 0600);
  FileIdentity before;
  ASSERT_EQ(disk_.Identify(fd, &before), 0);
  EXPECT_GT(before.inode, 0u);
  disk_.Close(fd);
  EXPECT_EQ(disk_.Link(Path("one").c_str(), Path("two").c_str()), 0);
  EXPECT_EQ(disk_.Rename(Path("two").c_str(), Path("three").c_str()), 0);
  EXPECT_EQ(disk_.SyncDirectory(directory_.c_str()), 0);
  fd = disk_.OpenExisting(Path("three").c_str());
  FileIdentity after;
  ASSERT_EQ(disk_.Identify(fd, &after), 0);
  EXPECT_EQ(after, before);
  disk_.Close(fd);
}

TEST_F(PosixDiskTest, ReturnsTheErrno) {
  const std::string missing = Path("missing");
  const std::string below = Path("missing/file");
  EXPECT_EQ(disk_.OpenExisting(missing.c_str()), -ENOENT);
  EXPECT_EQ(disk_.OpenExisting(directory_.c_str()), -EISDIR);
  EXPECT_EQ(disk_.CreateNew(below.c_str(), 0600), -ENOENT);
  EXPECT_EQ(disk_.Rename(missing.c_str(), below.c_str()), -ENOENT);
  EXPECT_EQ(disk_.Link(missing.c_str(), below.c_str()), -ENOENT);
  EXPECT_EQ(disk_.Unlink(missing.c_str()), -ENOENT);
  EXPECT_EQ(disk_.SyncDirectory(missing.c_str()), -ENOENT);
  char byte = 0;
  EXPECT_EQ(disk_.ReadAt(-1, &byte, 1, 0), -EBADF);
  EXPECT_EQ(disk_.WriteAt(-1, &byte, 1, 0), -EBADF);
  EXPECT_EQ(disk_.Sync(-1), -EBADF);
  FileIdentity identity;
  EXPECT_EQ(disk_.Identify(-1, &identity), -EBADF);
}

TEST_F(PosixDiskTest, HoldsALocalFile) {
  const ClusterId cluster{.system_identifier = 1, .timeline = 1};
  CeilingFile file(disk_, directory_.c_str(), 0600);
  EXPECT_EQ(file.Read(cluster).state, FileState::kMissing);
  EXPECT_EQ(file.CreateForNewServer(cluster, 1), 0);
  EXPECT_EQ(file.CreateForNewServer(cluster, 2), -EEXIST);
  EXPECT_EQ(file.Read(cluster).state, FileState::kNew);
  for (const int64_t ceiling_ms : {1000, 2000, 3000}) {
    EXPECT_EQ(file.Write(cluster, ceiling_ms), 0);
    EXPECT_EQ(file.Read(cluster).ceiling_ms, ceiling_ms);
  }
  EXPECT_EQ(file.Read(cluster).state, FileState::kOwn);
  file.Close();

  std::filesystem::copy_file(file.path(), Path("copy"));
  std::filesystem::rename(Path("copy"), file.path());
  EXPECT_EQ(file.Read(cluster).state, FileState::kCopy);
  file.Close();
}

TEST_F(PosixDiskTest, ALocalFileInAMissingDirectoryIsAnError) {
  const std::string missing = Path("missing");
  CeilingFile file(disk_, missing.c_str(), 0600);
  EXPECT_EQ(file.Write({}, 1000), -ENOENT);
  EXPECT_EQ(file.CreateForNewServer({}, 1), -ENOENT);
}

TEST_F(PosixDiskTest, ADirectoryInThePlaceOfTheLocalFileIsUnreadable) {
  std::filesystem::create_directory(Path(CeilingFile::kName));
  CeilingFile file(disk_, directory_.c_str(), 0600);
  const FileView view = file.Read({});
  EXPECT_EQ(view.state, FileState::kUnreadable);
  EXPECT_EQ(view.error, EISDIR);
}

}  // namespace
}  // namespace idgen::io
