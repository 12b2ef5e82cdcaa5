#include "base/error.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <set>

#include "base/result.h"

namespace lifeboat {
namespace {

std::size_t sentences_of(std::string_view text) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool ends = text[i] == '.' && (i + 1 == text.size() || text[i + 1] == ' ');
    if (ends) ++count;
  }
  return count;
}

TEST(ErrorCatalogue, HasEachCodeOnceInOrderWithAFullRow) {
  std::set<ErrorCode> seen;
  for (const ErrorEntry& entry : error_catalogue()) {
    const std::string code = code_text(entry.code);
    EXPECT_TRUE(seen.insert(entry.code).second) << code;
    EXPECT_EQ(entry_of(entry.code).title, entry.title) << code;
    EXPECT_FALSE(entry.title.empty()) << code;
    EXPECT_FALSE(entry.title.ends_with('.')) << code;
    EXPECT_GE(sentences_of(entry.explanation), 2U) << code << ": " << entry.explanation;
    EXPECT_LE(sentences_of(entry.explanation), 4U) << code << ": " << entry.explanation;
    EXPECT_TRUE(entry.hint.ends_with('.')) << code;
    EXPECT_NE(entry.exit, ExitCode::kOk) << code;
  }
}

TEST(ErrorCatalogue, KnowsTheCodesOfEveryGroup) {
  for (const unsigned first : {1001U, 2001U, 3001U, 4001U, 5001U, 6001U, 9001U}) {
    EXPECT_TRUE(parse_code(std::to_string(first))) << first;
  }
  EXPECT_EQ(entry_of(ErrorCode::kWrongKey).exit, ExitCode::kWrongKey);
  EXPECT_EQ(entry_of(ErrorCode::kStorageFull).exit, ExitCode::kStorage);
  EXPECT_EQ(entry_of(ErrorCode::kInterrupted).exit, ExitCode::kInterrupted);
  EXPECT_EQ(entry_of(ErrorCode::kEtcdRunning).exit, ExitCode::kRefused);
  EXPECT_EQ(entry_of(ErrorCode::kEndpointUnreachable).exit, ExitCode::kUnreachable);
}

TEST(ErrorCode, IsReadBackFromItsTextInAnyCaseAndBare) {
  EXPECT_EQ(code_text(ErrorCode::kEndpointUnreachable), "LB-E2001");
  for (const std::string_view text : {"LB-E2001", "lb-e2001", "E2001", "2001"}) {
    EXPECT_EQ(parse_code(text), ErrorCode::kEndpointUnreachable) << text;
  }
  for (const std::string_view text : {"", "LB-E", "LB-E2", "20010", "2001x", "LB2001", "-2001"}) {
    EXPECT_FALSE(parse_code(text)) << text;
  }
}

TEST(Error, SaysWhatWhyAndCodeInOneLine) {
  const Error error(ErrorCode::kStorageFull, "cannot write /repo/x", "No space left on device");
  EXPECT_EQ(error.to_string(), "cannot write /repo/x: No space left on device (LB-E3002)");
  EXPECT_EQ(Error(ErrorCode::kUsage, "no command").to_string(), "no command (LB-E1001)");
}

TEST(Error, TakesTheHintOfTheCatalogueWhenItHasNoFixOfItsOwn) {
  const Error error(ErrorCode::kStorageFull, "cannot write");
  EXPECT_EQ(error.fix(), entry_of(ErrorCode::kStorageFull).hint);
  EXPECT_EQ(error.with_fix("delete something").fix(), "delete something");
}

TEST(Error, KeepsCodeWhyAndFixWhenContextIsAdded) {
  const Error inner(ErrorCode::kEtcdFailed, "snapshot failed", "no leader", "wait");
  const Error outer = inner.in("backup of member m1");
  EXPECT_EQ(outer.what(), "backup of member m1: snapshot failed");
  EXPECT_EQ(outer.why(), "no leader");
  EXPECT_EQ(outer.fix(), "wait");
  EXPECT_EQ(outer.code(), ErrorCode::kEtcdFailed);
}

TEST(SystemError, ChoosesTheCodeByErrno) {
  EXPECT_EQ(system_error(ENOSPC, "x").code(), ErrorCode::kStorageFull);
  EXPECT_EQ(system_error(EDQUOT, "x").code(), ErrorCode::kStorageFull);
  EXPECT_EQ(system_error(EROFS, "x").code(), ErrorCode::kStorageReadOnly);
  EXPECT_EQ(system_error(EACCES, "x").code(), ErrorCode::kStoragePermission);
  EXPECT_EQ(system_error(ENOENT, "x").code(), ErrorCode::kFileNotFound);
  EXPECT_EQ(system_error(ENOTDIR, "x").code(), ErrorCode::kFileNotFound);
  for (const int of_a_path : {ELOOP, ENAMETOOLONG, EISDIR, ESPIPE, ENXIO}) {
    EXPECT_EQ(system_error(of_a_path, "x").code(), ErrorCode::kUnreadableInput);
    EXPECT_EQ(system_error(of_a_path, "x").fix().find("dmesg"), std::string::npos);
  }
  EXPECT_NE(system_error(ENOTDIR, "x").fix().find("namei"), std::string::npos);
  EXPECT_EQ(system_error(EIO, "x").code(), ErrorCode::kStorageFailed);
  EXPECT_EQ(system_error(EIO, "x").why(), "Input/output error");
  EXPECT_EQ(system_error(99999, "x").why(), "error number 99999");
}

Result<int> half(int value) {
  if (value % 2 != 0) return fail(ErrorCode::kBadSetting, "an odd number");
  return value / 2;
}

Result<int> quarter(int value) {
  const int once = TRY(half(value));
  return TRY(half(once));
}

TEST(Try, GivesTheValueOrReturnsTheError) {
  EXPECT_EQ(quarter(8).value(), 2);
  const auto failed = quarter(6);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().what(), "an odd number");
}

}  // namespace
}  // namespace lifeboat
