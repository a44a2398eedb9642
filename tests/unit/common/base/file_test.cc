// SPDX-License-Identifier: Apache-2.0
// Reading, writing and mapping files, and their errors.
#include "common/base/file.h"

#include <sys/stat.h>

#include <filesystem>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/shared.h"

namespace heterosis {
namespace {

using testing::HasSubstr;

std::string_view TextOf(const MappedFile& file) {
  return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

class FileTest : public testing::Test {
 protected:
  std::string Write(std::string_view name, std::string_view content) const {
    const absl::Status status = WriteFileAtomic(folder_ / name, content);
    EXPECT_TRUE(status.ok()) << status;
    return folder_ / name;
  }
  size_t FileCount() const {
    const auto all = std::filesystem::directory_iterator(folder_.path());
    return static_cast<size_t>(std::distance(begin(all), end(all)));
  }

  const TemporaryFolder folder_;
};

TEST_F(FileTest, WhatIsWrittenIsReadAndMapped) {
  std::string large(3'000'000, '\0');
  for (size_t i = 0; i < large.size(); ++i) large[i] = static_cast<char>(i * 7 + i / 256);
  for (const std::string& content : {std::string(), std::string("x"), std::string("a\0\n\xFF", 4), large}) {
    const std::string path = Write("file", content);
    EXPECT_EQ(*ReadFile(path), content);
    const absl::StatusOr<MappedFile> mapped = MappedFile::Open(path);
    ASSERT_TRUE(mapped.ok()) << mapped.status();
    EXPECT_EQ(TextOf(*mapped), content);
  }
}

TEST_F(FileTest, WritingReplacesAndLeavesNoTemporaryFile) {
  const std::string path = Write("file", "a long first content");
  const absl::StatusOr<MappedFile> before = MappedFile::Open(path);
  Write("file", "second");
  EXPECT_EQ(*ReadFile(path), "second");
  EXPECT_EQ(TextOf(*before), "a long first content");  // who had it open keeps the old content
  EXPECT_EQ(FileCount(), 1u);
}

TEST_F(FileTest, FailedWriteLeavesTheOldContentAndNoTemporaryFile) {
  const std::string folder = folder_ / "taken";
  ASSERT_TRUE(std::filesystem::create_directory(folder));
  const absl::Status status = WriteFileAtomic(folder, "x");
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(std::string(status.message()), HasSubstr(folder));
  EXPECT_TRUE(IsDirectory(folder));
  EXPECT_EQ(FileCount(), 1u);
  EXPECT_EQ(WriteFileAtomic(folder_ / "none/file", "x").code(), absl::StatusCode::kNotFound);
}

TEST_F(FileTest, AWrittenFileIsForItsOwnerOnlyWhateverTheUmaskOrTheFileBefore) {
  const mode_t before = umask(0);
  const std::string path = Write("file", "old");
  ASSERT_EQ(chmod(path.c_str(), 0644), 0);
  ASSERT_TRUE(WriteFileAtomic(path, "new").ok());
  umask(before);
  struct stat status {};
  ASSERT_EQ(stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
}

TEST_F(FileTest, ManyThreadsMayWriteOneFileAtOnce) {
  const std::string path = folder_ / "file";
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&path, i] {
      for (int round = 0; round < 50; ++round) {
        const absl::Status written = WriteFileAtomic(path, std::string(10'000, static_cast<char>('a' + i)));
        EXPECT_TRUE(written.ok()) << written;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const std::string content = *ReadFile(path);
  EXPECT_EQ(content, std::string(10'000, content[0]));  // one writer's, whole
  EXPECT_EQ(FileCount(), 1u);
}

TEST_F(FileTest, MissingFileIsNotFoundAndNamed) {
  const std::string path = folder_ / "none";
  for (const absl::Status& status : {ReadFile(path).status(), MappedFile::Open(path).status()}) {
    EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
    EXPECT_THAT(std::string(status.message()), HasSubstr(path + ": cannot open: No such file"));
  }
}

// A pipe too: opening one in the plain way waits for a writer for ever.
TEST_F(FileTest, FoldersAndPipesAreNoFiles) {
  const std::string pipe = folder_ / "pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  for (const std::string& path : {folder_.path(), pipe, std::string("/dev/null")}) {
    for (const absl::Status& status : {ReadFile(path).status(), MappedFile::Open(path).status()}) {
      EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
      EXPECT_THAT(std::string(status.message()), HasSubstr(path + ": not a regular file"));
    }
    EXPECT_FALSE(FileExists(path));
  }
}

TEST_F(FileTest, FileBeyondTheLimitIsRefusedUnread) {
  const std::string path = Write("file", "12345");
  EXPECT_EQ(*ReadFile(path, 5), "12345");
  const absl::Status status = ReadFile(path, 4).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kOutOfRange);
  EXPECT_THAT(std::string(status.message()), HasSubstr("has 5 bytes, more than the 4 allowed"));
}

TEST_F(FileTest, ExistenceTellsFilesFromFolders) {
  const std::string path = Write("file", "");
  EXPECT_TRUE(FileExists(path));
  EXPECT_FALSE(IsDirectory(path));
  EXPECT_TRUE(IsDirectory(folder_.path()));
  EXPECT_FALSE(FileExists(folder_.path()));
  EXPECT_FALSE(FileExists(folder_ / "none"));
  EXPECT_FALSE(IsDirectory(folder_ / "none"));
  EXPECT_FALSE(FileExists(""));
}

TEST_F(FileTest, AFolderIsListedWithWhateverIsInIt) {
  Write("b", "");
  std::filesystem::create_directory(folder_ / "c");
  ASSERT_EQ(symlink("a", (folder_ / "a").c_str()), 0);  // leads to itself
  EXPECT_THAT(*ListFolder(folder_.path()), testing::ElementsAre("a", "b", "c"));
  EXPECT_FALSE(IsDirectory(folder_ / "a"));
  EXPECT_FALSE(FileExists(folder_ / "a"));
}

TEST_F(FileTest, WrongPathsAreToldFromTroubleOfTheMachine) {
  Write("file", "");
  ASSERT_EQ(symlink("loop", (folder_ / "loop").c_str()), 0);
  EXPECT_EQ(ListFolder(folder_ / "none").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ListFolder(folder_ / "file").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ReadFile(folder_ / "file/name").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ReadFile(folder_ / "loop").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ReadFile(folder_ / std::string(300, 'x')).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(WriteFileAtomic("/proc/nothing", "").code(), absl::StatusCode::kNotFound);
}

TEST_F(FileTest, MapsMoveAndOutliveTheFile) {
  const std::string first_path = Write("first", "first");
  MappedFile first = *MappedFile::Open(first_path);
  MappedFile second = *MappedFile::Open(Write("second", "second"));
  std::filesystem::remove(first_path);
  EXPECT_EQ(TextOf(first), "first");
  second = std::move(first);
  EXPECT_EQ(TextOf(second), "first");
  const MappedFile third(std::move(second));
  EXPECT_EQ(TextOf(third), "first");
  EXPECT_TRUE(second.bytes().empty());  // NOLINT(bugprone-use-after-move): moved-from maps are empty
  EXPECT_TRUE(MappedFile().bytes().empty());
}

}  // namespace
}  // namespace heterosis
