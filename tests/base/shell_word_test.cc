#include "base/shell_word.h"

#include <gtest/gtest.h>

namespace lifeboat {
namespace {

TEST(ShellWord, LeavesPlainWordsAndQuotesTheOthers) {
  EXPECT_EQ(shell_word("file:///var/lib/etcd-1.2_3"), "file:///var/lib/etcd-1.2_3");
  EXPECT_EQ(shell_word("/a b"), "'/a b'");
  EXPECT_EQ(shell_word("$(x)"), "'$(x)'");
  EXPECT_EQ(shell_word("it's"), "'it'\\''s'");
  EXPECT_EQ(shell_word("~/x"), "'~/x'");
  EXPECT_EQ(shell_word(""), "''");
}

}  // namespace
}  // namespace lifeboat
