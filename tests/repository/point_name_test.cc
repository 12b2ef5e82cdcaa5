#include "repository/catalogue/point_name.h"

#include <gtest/gtest.h>

namespace lifeboat::repository {
namespace {

TEST(PointName, ReadsLatest) {
  const auto name = parse_point_name("latest");
  ASSERT_TRUE(name);
  EXPECT_EQ(name->kind, PointName::Kind::kLatest);
}

TEST(PointName, ReadsAnIdInEitherCase) {
  const auto name = parse_point_name("AB12ef");
  ASSERT_TRUE(name);
  EXPECT_EQ(name->kind, PointName::Kind::kId);
  EXPECT_EQ(name->id_prefix, "ab12ef");
}

TEST(PointName, ReadsATime) {
  for (const char* text : {"@2026-11-21T09:00:00Z", "@2026-11-21 09:00", "@2026-11-21T10:00:00+01:00"}) {
    const auto name = parse_point_name(text);
    ASSERT_TRUE(name) << text;
    EXPECT_EQ(name->kind, PointName::Kind::kTime);
    EXPECT_EQ(rfc3339(name->time), "2026-11-21T09:00:00Z");
  }
}

TEST(PointName, ReadsATimeBeforeNow) {
  const auto name = parse_point_name("@-1h30m");
  ASSERT_TRUE(name);
  EXPECT_EQ(name->kind, PointName::Kind::kAgo);
  EXPECT_EQ(name->ago_ns, 5'400'000'000'000);
}

TEST(PointName, ReadsARevision) {
  const auto name = parse_point_name("rev:42");
  ASSERT_TRUE(name);
  EXPECT_EQ(name->kind, PointName::Kind::kRevision);
  EXPECT_EQ(name->revision, 42);
}

TEST(PointName, ReadsARevisionOfOneLineage) {
  const auto name = parse_point_name("rev:42@5D0e11c2");
  ASSERT_TRUE(name);
  EXPECT_EQ(name->kind, PointName::Kind::kRevision);
  EXPECT_EQ(name->revision, 42);
  EXPECT_EQ(name->lineage_prefix, "5d0e11c2");
}

TEST(PointName, RefusesEverythingElseAndShowsTheForms) {
  for (const char* text : {"",           "abc",       "abcg",
                           "Latest",     "@",         "@noon",
                           "@-",         "@-15",      "@+15m",
                           "rev:",       "rev:0",     "rev:-1",
                           "rev:1x",     "rev: 1",    "rev:9223372036854775808",
                           "rev:1:2",    "rev:1@",    "rev:1@abc",
                           "rev:1@prod", "rev:@abcd", "before-delete:pod/a/b",
                           "\x1b[2J"}) {
    const auto name = parse_point_name(text);
    ASSERT_FALSE(name) << text;
    EXPECT_EQ(name.error().code(), ErrorCode::kUsage) << text;
    EXPECT_NE(name.error().fix().find("rev:N"), std::string::npos);
    EXPECT_EQ(name.error().what().find('\x1b'), std::string::npos);
  }
}

}  // namespace
}  // namespace lifeboat::repository
