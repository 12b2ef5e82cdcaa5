#include "base/object_name.h"

#include <gtest/gtest.h>

#include <string>

namespace lifeboat {
namespace {

TEST(ObjectName, IsSegmentsOfPlainCharactersBetweenSingleSlashes) {
  for (const char* name : {"a", "format.1", "s/00ff/4/1-2_x", "..a", "a/..."})
    EXPECT_TRUE(is_object_name(name, 64)) << name;
  for (const char* name : {"", "/", "/a", "a/", "a//b", ".", "..", "a/./b", "a/..", "A", "a b", "a\\b", "\xc3\xa4"})
    EXPECT_FALSE(is_object_name(name, 64)) << name;
}

TEST(ObjectName, IsNoLongerThanItsBound) {
  EXPECT_TRUE(is_object_name(std::string(64, 'a'), 64));
  EXPECT_FALSE(is_object_name(std::string(65, 'a'), 64));
}

}  // namespace
}  // namespace lifeboat
