#include "io/file_system.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>

#include "io/fault_file_system.h"
#include "io/file_system_conformance.h"
#include "io/memory_file_system.h"
#include "support/temp_dir.h"

namespace lifeboat::io {
namespace {

class PosixSubject final : public FileSystemSubject {
 public:
  explicit PosixSubject(bool unnamed_files) : files_(posix_file_system(unnamed_files)) {}
  FileSystem& files() override { return *files_; }
  std::string root() override { return directory_.path().string(); }

 private:
  testing::TempDir directory_;
  std::unique_ptr<FileSystem> files_;
};

class MemorySubject final : public FileSystemSubject {
 public:
  FileSystem& files() override { return files_; }
  std::string root() override { return "/"; }

 private:
  MemoryFileSystem files_;
};

class FaultSubject final : public FileSystemSubject {
 public:
  FileSystem& files() override { return files_; }
  std::string root() override { return "/"; }

 private:
  MemoryFileSystem memory_;
  FaultFileSystem files_{memory_};
};

INSTANTIATE_TEST_SUITE_P(
    All, FileSystemConformance,
    ::testing::Values(FileSystemMaker{"Posix", [] { return std::make_unique<PosixSubject>(true); }},
                      FileSystemMaker{"PosixWithoutUnnamedFiles", [] { return std::make_unique<PosixSubject>(false); }},
                      FileSystemMaker{"Memory", [] { return std::make_unique<MemorySubject>(); }},
                      FileSystemMaker{"Fault", [] { return std::make_unique<FaultSubject>(); }}),
    [](const auto& maker) { return maker.param.name; });

TEST(PosixFileSystem, DoesNotWaitForThePartnerOfAPipe) {
  const testing::TempDir directory;
  ASSERT_EQ(::mkfifo((directory / "pipe").c_str(), 0600), 0);
  const auto fs = posix_file_system();
  const auto file = fs->open(directory / "pipe", {});
  ASSERT_TRUE(file) << file.error().to_string();
  EXPECT_EQ((*file)->info().value().kind, FileKind::kOther);
  std::byte byte{};
  const auto read = (*file)->read_at(0, {&byte, 1});
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code(), ErrorCode::kUnreadableInput);
}

TEST(PosixFileSystem, TellsAMistakenPathFromAFailingDisk) {
  const testing::TempDir directory;
  std::filesystem::create_symlink("loop", directory / "loop");
  testing::write_file(directory / "file", "x");
  const auto fs = posix_file_system();
  const auto code = [&](const std::string& path, OpenMode mode) { return fs->open(path, mode).error().code(); };
  EXPECT_EQ(code(directory / "loop", {}), ErrorCode::kUnreadableInput);
  EXPECT_EQ(code(directory / std::string(300, 'x'), {}), ErrorCode::kUnreadableInput);
  EXPECT_EQ(code(directory.path(), {.write = true}), ErrorCode::kUnreadableInput);
  EXPECT_EQ(code(directory / "file" + "/below", {}), ErrorCode::kFileNotFound);
}

TEST(PosixFileSystem, LeavesNoStandInBehindWhenUnnamedFilesAreMissing) {
  const testing::TempDir directory;
  const auto fs = posix_file_system(false);
  auto file = fs->create_unnamed(directory.path(), {.write = true}).value();
  const auto during = fs->list(directory.path()).value();
  ASSERT_EQ(during.size(), 1U);
  EXPECT_TRUE(is_temporary_name(during[0].name));
  EXPECT_EQ(sweep_stale(*fs, directory.path()).value(), 0U) << "its writer lives";
  file.reset();
  EXPECT_TRUE(fs->list(directory.path()).value().empty());
}

TEST(PosixFileSystem, OpensAPipeThatNobodyWritesToWithoutWaiting) {
  const testing::TempDir directory;
  const std::string pipe = directory / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  const auto file = posix_file_system()->open(pipe, {});
  ASSERT_TRUE(file) << file.error().to_string();
  EXPECT_EQ((*file)->info().value().kind, FileKind::kOther);
}

TEST(PosixFileSystem, DescribesASymlinkAndRemovesItWithoutFollowing) {
  const testing::TempDir directory;
  const auto fs = posix_file_system();
  ASSERT_TRUE(make_directories(*fs, directory / "kept", 0700));
  ASSERT_TRUE(publish_file(*fs, directory / "kept/x", as_bytes("x"), 0600));
  ASSERT_TRUE(make_directories(*fs, directory / "tree", 0700));
  std::filesystem::create_directory_symlink(directory / "kept", directory / "tree/link");
  EXPECT_EQ(fs->stat(directory / "tree/link").value().kind, FileKind::kSymlink);
  ASSERT_TRUE(remove_tree(*fs, directory / "tree"));
  EXPECT_EQ(to_string(read_whole(*fs, directory / "kept/x", 10).value()), "x");
}

TEST(Paths, AreJoinedAndTakenApart) {
  EXPECT_EQ(join("/a", "b"), "/a/b");
  EXPECT_EQ(join("/a/", "b"), "/a/b");
  EXPECT_EQ(join("", "b"), "b");
  EXPECT_EQ(join("/", "b"), "/b");
  EXPECT_EQ(join("/a", ""), "/a");
  EXPECT_EQ(parent_of("/a/b"), "/a");
  EXPECT_EQ(parent_of("/a/b/"), "/a");
  EXPECT_EQ(parent_of("/a"), "/");
  EXPECT_EQ(parent_of("/"), "/");
  EXPECT_EQ(parent_of("a"), ".");
  EXPECT_EQ(base_name("/a/b"), "b");
  EXPECT_EQ(base_name("/a/b//"), "b");
  EXPECT_EQ(base_name("a"), "a");
  EXPECT_EQ(base_name("/"), "/");
}

TEST(Paths, LieWithinAFolderOrBesideIt) {
  EXPECT_TRUE(is_within("/a/b", "/a"));
  EXPECT_TRUE(is_within("/a/b/c", "/a/"));
  EXPECT_TRUE(is_within("/a", "/a"));
  EXPECT_TRUE(is_within("/a", "/"));
  EXPECT_FALSE(is_within("/ab", "/a"));
  EXPECT_FALSE(is_within("/a", "/a/b"));
}

}  // namespace
}  // namespace lifeboat::io
