// The examination that every FileSystem must pass, so that doubles cannot lie. Include it in one
// test file and instantiate FileSystemConformance with makers of subjects.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "io/file_system.h"

namespace lifeboat::io {

// A file system under examination with an empty directory to work in. Owns whatever it needs.
class FileSystemSubject {
 public:
  virtual ~FileSystemSubject() = default;
  virtual FileSystem& files() = 0;
  virtual std::string root() = 0;
};

struct FileSystemMaker {
  std::string name;
  std::function<std::unique_ptr<FileSystemSubject>()> make;
};

class FileSystemConformance : public testing::TestWithParam<FileSystemMaker> {
 protected:
  std::string at(const std::string& name) { return join(subject_->root(), name); }

  std::unique_ptr<File> create(const std::string& name, std::string_view content = {}) {
    auto file = fs.open(at(name), {.write = true, .create = true, .exclusive = true});
    EXPECT_TRUE(file) << file.error().to_string();
    EXPECT_TRUE((*file)->write_at(0, as_bytes(content)));
    return std::move(*file);
  }
  std::string content(const std::string& name) {
    const auto bytes = read_whole(fs, at(name), 1 << 20);
    return bytes ? to_string(*bytes) : "error: " + bytes.error().to_string();
  }
  std::vector<std::string> names(const std::string& directory = "") {
    const auto entries = fs.list(at(directory)).value();
    std::vector<std::string> all;
    for (const DirEntry& entry : entries) all.push_back(entry.name);
    return all;
  }
  static ErrorCode code(const Error& error) { return error.code(); }

 private:
  std::unique_ptr<FileSystemSubject> subject_ = GetParam().make();

 protected:
  FileSystem& fs = subject_->files();
};

TEST_P(FileSystemConformance, ReadsBackWhatWasWrittenAtAnyOffset) {
  const auto file = create("a", "0123456789");
  ASSERT_TRUE(file->write_at(4, as_bytes("XY")));
  Bytes out(4);
  EXPECT_EQ(file->read_at(3, out).value(), 4U);
  EXPECT_EQ(as_text(out), "3XY6");
  EXPECT_EQ(file->read_at(8, out).value(), 2U);
  EXPECT_EQ(file->read_at(10, out).value(), 0U);
  EXPECT_EQ(file->read_at(1000, out).value(), 0U);
  EXPECT_EQ(file->size().value(), 10U);
}

TEST_P(FileSystemConformance, ReadsAHoleAsZeros) {
  const auto file = create("a", "x");
  ASSERT_TRUE(file->write_at(5, as_bytes("y")));
  EXPECT_EQ(content("a"), std::string("x\0\0\0\0y", 6));
  ASSERT_TRUE(file->truncate(8));
  EXPECT_EQ(content("a"), std::string("x\0\0\0\0y\0\0", 8));
}

TEST_P(FileSystemConformance, ForgetsWhatTruncateCutOff) {
  const auto file = create("a", "0123456789");
  ASSERT_TRUE(file->truncate(4));
  ASSERT_TRUE(file->truncate(6));
  EXPECT_EQ(content("a"), std::string("0123\0\0", 6));
}

TEST_P(FileSystemConformance, RefusesToWriteThroughAFileOpenedForReading) {
  create("a", "old");
  const auto file = fs.open(at("a"), {});
  ASSERT_TRUE(file);
  EXPECT_FALSE((*file)->write_at(0, as_bytes("new")));
  EXPECT_EQ(content("a"), "old");
}

TEST_P(FileSystemConformance, OpensWhatExistsAndCreatesOnlyWhenAsked) {
  EXPECT_EQ(code(fs.open(at("a"), {}).error()), ErrorCode::kFileNotFound);
  EXPECT_EQ(code(fs.open(at("a"), {.write = true}).error()), ErrorCode::kFileNotFound);
  create("a", "content");
  EXPECT_TRUE(fs.open(at("a"), {.write = true, .create = true}));
  EXPECT_EQ(content("a"), "content");
  const auto again = fs.open(at("a"), {.write = true, .create = true, .exclusive = true});
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().why(), "File exists");
  EXPECT_FALSE(fs.open(at("no/a"), {.write = true, .create = true}));
}

TEST_P(FileSystemConformance, TellsFilesFromDirectories) {
  create("file", "12345");
  ASSERT_TRUE(fs.make_directory(at("dir"), 0700));
  const FileInfo file = fs.stat(at("file")).value();
  EXPECT_EQ(file.kind, FileKind::kFile);
  EXPECT_EQ(file.size_bytes, 5U);
  EXPECT_EQ(file.mode, 0600U);
  const FileInfo directory = fs.stat(at("dir")).value();
  EXPECT_EQ(directory.kind, FileKind::kDirectory);
  EXPECT_EQ(directory.mode, 0700U);
  EXPECT_EQ(code(fs.stat(at("none")).error()), ErrorCode::kFileNotFound);
  EXPECT_FALSE(fs.stat(at("file/none")));
  EXPECT_FALSE(fs.open(at("dir"), {.write = true}));
}

TEST_P(FileSystemConformance, TellsOfAnOpenFileWhatItTellsOfItsName) {
  create("file", "12345");
  const auto file = fs.open(at("file"), {});
  ASSERT_TRUE(file);
  const FileInfo named = fs.stat(at("file")).value();
  const FileInfo open = (*file)->info().value();
  EXPECT_EQ(open.kind, FileKind::kFile);
  EXPECT_EQ(open.size_bytes, 5U);
  EXPECT_EQ(open.mode, named.mode);
  EXPECT_EQ(open.modified, named.modified);
}

TEST_P(FileSystemConformance, ListsEntriesByName) {
  for (const char* name : {"b", "a-b", "c", "a"}) create(name);
  ASSERT_TRUE(fs.make_directory(at("aa"), 0700));
  create("aa/inside");
  EXPECT_EQ(names(), (std::vector<std::string>{"a", "a-b", "aa", "b", "c"}));
  EXPECT_EQ(fs.list(at("")).value()[2].kind, FileKind::kDirectory);
  EXPECT_EQ(code(fs.list(at("none")).error()), ErrorCode::kFileNotFound);
  EXPECT_FALSE(fs.list(at("a")));
}

TEST_P(FileSystemConformance, PublishesAnUnnamedFileUnderItsName) {
  {
    auto file = fs.create_unnamed(at(""), {.write = true, .mode = 0600});
    ASSERT_TRUE(file) << file.error().to_string();
    ASSERT_TRUE((*file)->write_at(0, as_bytes("whole")));
    ASSERT_TRUE((*file)->sync());
    EXPECT_FALSE(exists(fs, at("a")).value());
    ASSERT_TRUE((*file)->publish(at("a")));
    EXPECT_EQ(names(), std::vector<std::string>{"a"});
  }
  EXPECT_EQ(content("a"), "whole");
  EXPECT_EQ(fs.stat(at("a")).value().mode, 0600U);
}

TEST_P(FileSystemConformance, PublishesIntoAnotherDirectory) {
  ASSERT_TRUE(fs.make_directory(at("dir"), 0700));
  auto file = fs.create_unnamed(at(""), {.write = true}).value();
  ASSERT_TRUE(file->write_at(0, as_bytes("whole")));
  ASSERT_TRUE(file->publish(at("dir/a")));
  EXPECT_EQ(content("dir/a"), "whole");
}

TEST_P(FileSystemConformance, DropsAnUnnamedFileThatWasNotPublished) {
  {
    auto file = fs.create_unnamed(at(""), {.write = true});
    ASSERT_TRUE(file);
    ASSERT_TRUE((*file)->write_at(0, as_bytes("nothing")));
  }
  EXPECT_EQ(names(), std::vector<std::string>{});
}

TEST_P(FileSystemConformance, NeverPublishesOverAnExistingName) {
  create("a", "old");
  {
    auto file = fs.create_unnamed(at(""), {.write = true}).value();
    ASSERT_TRUE(file->write_at(0, as_bytes("new")));
    const Status published = file->publish(at("a"));
    ASSERT_FALSE(published);
    EXPECT_EQ(code(published.error()), ErrorCode::kStorageFailed);
    EXPECT_EQ(published.error().why(), "File exists");
    Bytes out(3);
    EXPECT_EQ(file->read_at(0, out).value(), 3U);
  }
  EXPECT_EQ(content("a"), "old");
  EXPECT_EQ(names(), std::vector<std::string>{"a"});
}

TEST_P(FileSystemConformance, NeedsADirectoryForAnUnnamedFileAndForItsName) {
  EXPECT_EQ(code(fs.create_unnamed(at("none"), {.write = true}).error()), ErrorCode::kFileNotFound);
  auto file = fs.create_unnamed(at(""), {.write = true}).value();
  EXPECT_EQ(code(file->publish(at("none/a")).error()), ErrorCode::kFileNotFound);
}

TEST_P(FileSystemConformance, LetsOneHolderLockAFileUntilItCloses) {
  create("a");
  auto first = fs.open(at("a"), {.write = true}).value();
  auto second = fs.open(at("a"), {.write = true}).value();
  EXPECT_TRUE(first->try_lock().value());
  EXPECT_TRUE(first->try_lock().value());
  EXPECT_FALSE(second->try_lock().value());
  first.reset();
  EXPECT_TRUE(second->try_lock().value());
}

TEST_P(FileSystemConformance, RenamesWithoutReplacing) {
  create("a", "A");
  create("b", "B");
  EXPECT_FALSE(fs.rename_new(at("a"), at("b")));
  EXPECT_EQ(content("b"), "B");
  ASSERT_TRUE(fs.rename_new(at("a"), at("c")));
  EXPECT_EQ(names(), (std::vector<std::string>{"b", "c"}));
  EXPECT_EQ(content("c"), "A");
  EXPECT_EQ(code(fs.rename_new(at("a"), at("d")).error()), ErrorCode::kFileNotFound);
}

TEST_P(FileSystemConformance, RenamesADirectoryWithWhatIsInIt) {
  ASSERT_TRUE(fs.make_directory(at("a"), 0700));
  create("a/x", "X");
  ASSERT_TRUE(fs.rename_new(at("a"), at("b")));
  EXPECT_EQ(content("b/x"), "X");
  EXPECT_FALSE(exists(fs, at("a")).value());
  EXPECT_FALSE(fs.rename_new(at("b"), at("b/inside")));
}

TEST_P(FileSystemConformance, ExchangesTwoNames) {
  ASSERT_TRUE(fs.make_directory(at("a"), 0700));
  ASSERT_TRUE(fs.make_directory(at("b"), 0700));
  create("a/x", "old");
  create("b/x", "new");
  ASSERT_TRUE(fs.exchange(at("a"), at("b")));
  EXPECT_EQ(content("a/x"), "new");
  EXPECT_EQ(content("b/x"), "old");
  EXPECT_EQ(code(fs.exchange(at("a"), at("none")).error()), ErrorCode::kFileNotFound);
}

TEST_P(FileSystemConformance, RemovesFilesAndEmptyDirectoriesOnly) {
  ASSERT_TRUE(fs.make_directory(at("dir"), 0700));
  create("dir/x", "x");
  EXPECT_FALSE(fs.remove_directory(at("dir")));
  EXPECT_FALSE(fs.remove_file(at("dir")));
  EXPECT_FALSE(fs.remove_directory(at("dir/x")));
  ASSERT_TRUE(fs.remove_file(at("dir/x")));
  ASSERT_TRUE(fs.remove_directory(at("dir")));
  EXPECT_EQ(names(), std::vector<std::string>{});
  EXPECT_EQ(code(fs.remove_file(at("dir")).error()), ErrorCode::kFileNotFound);
  EXPECT_EQ(code(fs.remove_directory(at("dir")).error()), ErrorCode::kFileNotFound);
}

TEST_P(FileSystemConformance, KeepsARemovedFileReadableWhileItIsOpen) {
  const auto file = create("a", "still here");
  ASSERT_TRUE(fs.remove_file(at("a")));
  Bytes out(10);
  EXPECT_EQ(file->read_at(0, out).value(), 10U);
  EXPECT_EQ(as_text(out), "still here");
}

TEST_P(FileSystemConformance, SyncsFilesAndDirectories) {
  const auto file = create("a", "x");
  EXPECT_TRUE(file->sync());
  file->write_behind(0, 1);
  EXPECT_TRUE(fs.sync_directory(at("")));
  EXPECT_FALSE(fs.sync_directory(at("none")));
  EXPECT_EQ(content("a"), "x");
}

TEST_P(FileSystemConformance, RefusesADirectoryThatExistsOrHasNoParent) {
  ASSERT_TRUE(fs.make_directory(at("a"), 0700));
  EXPECT_EQ(fs.make_directory(at("a"), 0700).error().why(), "File exists");
  EXPECT_EQ(code(fs.make_directory(at("x/y"), 0700).error()), ErrorCode::kFileNotFound);
}

TEST_P(FileSystemConformance, ChangesOwnersToTheOneThatAlreadyOwns) {
  create("a");
  const FileInfo before = fs.stat(at("a")).value();
  EXPECT_TRUE(fs.set_owner(at("a"), before.uid, before.gid));
  EXPECT_EQ(fs.stat(at("a")).value().uid, before.uid);
  EXPECT_FALSE(fs.set_owner(at("none"), before.uid, before.gid));
}

TEST_P(FileSystemConformance, SaysHowMuchIsFreeAlsoForWhatIsYetToBeMade) {
  EXPECT_GT(fs.free_bytes(at("")).value(), 0U);
  EXPECT_GT(fs.free_bytes(at("not/yet/there")).value(), 0U);
}

TEST_P(FileSystemConformance, ReadsAndWritesOneFileFromManyThreads) {
  constexpr std::size_t kPart = 50'000;
  const auto file = create("a");
  std::vector<std::thread> threads;
  for (char letter = 'a'; letter < 'e'; ++letter) {
    threads.emplace_back([&, letter] {
      const std::string part(kPart, letter);
      EXPECT_TRUE(file->write_at(static_cast<std::uint64_t>(letter - 'a') * kPart, as_bytes(part)));
    });
  }
  for (std::thread& thread : threads) thread.join();
  const std::string all = content("a");
  ASSERT_EQ(all.size(), 4 * kPart);
  for (std::size_t i = 0; i < all.size(); i += 1000) {
    EXPECT_EQ(all[i], static_cast<char>('a' + static_cast<int>(i / kPart)));
  }
}

TEST_P(FileSystemConformance, MakesMissingParents) {
  ASSERT_TRUE(make_directories(fs, at("a/b/c"), 0700));
  ASSERT_TRUE(make_directories(fs, at("a/b/c"), 0700));
  EXPECT_EQ(fs.stat(at("a/b/c")).value().kind, FileKind::kDirectory);
  create("file");
  EXPECT_FALSE(make_directories(fs, at("file"), 0700));
  EXPECT_FALSE(make_directories(fs, at("file/below"), 0700));
}

TEST_P(FileSystemConformance, PublishesAWholeFileInOneCall) {
  ASSERT_TRUE(publish_file(fs, at("a"), as_bytes("content"), 0600));
  EXPECT_EQ(content("a"), "content");
  EXPECT_FALSE(publish_file(fs, at("a"), as_bytes("other"), 0600));
  EXPECT_EQ(content("a"), "content");
  EXPECT_EQ(names(), std::vector<std::string>{"a"});
}

TEST_P(FileSystemConformance, RefusesToReadMoreThanTheLimit) {
  create("a", std::string(1000, 'x'));
  EXPECT_EQ(read_whole(fs, at("a"), 1000).value().size(), 1000U);
  EXPECT_EQ(code(read_whole(fs, at("a"), 999).error()), ErrorCode::kUnreadableInput);
  create("empty");
  EXPECT_TRUE(read_whole(fs, at("empty"), 0).value().empty());
}

TEST_P(FileSystemConformance, RemovesATree) {
  ASSERT_TRUE(make_directories(fs, at("tree/a/b"), 0700));
  create("tree/a/b/x");
  create("tree/y");
  create("other");
  ASSERT_TRUE(remove_tree(fs, at("tree")));
  ASSERT_TRUE(remove_tree(fs, at("tree")));
  EXPECT_EQ(names(), std::vector<std::string>{"other"});
}

TEST_P(FileSystemConformance, SweepsOnlyTemporariesThatNobodyHolds) {
  const std::string dead = std::string(kTemporaryPrefix) + "dead";
  const std::string alive = std::string(kTemporaryPrefix) + "alive";
  create(dead, "half");
  create("object", "whole");
  const auto holder = create(alive, "growing");
  ASSERT_TRUE(holder->try_lock().value());
  const auto unnamed = fs.create_unnamed(at(""), {.write = true}).value();
  EXPECT_EQ(sweep_stale(fs, at("")).value(), 1U);
  EXPECT_FALSE(exists(fs, at(dead)).value());
  EXPECT_EQ(content(alive), "growing");
  EXPECT_EQ(content("object"), "whole");
  EXPECT_TRUE(unnamed->publish(at("late")));
}

}  // namespace lifeboat::io
