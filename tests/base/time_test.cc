#include "base/time.h"

#include <gtest/gtest.h>

#include <limits>

namespace lifeboat {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

TEST(Rfc3339, WritesWholeSecondsWithoutAndOthersWithThreeDigits) {
  EXPECT_EQ(rfc3339({0}), "1970-01-01T00:00:00Z");
  EXPECT_EQ(rfc3339({1'795'251'600 * kSecond}), "2026-11-21T09:00:00Z");
  EXPECT_EQ(rfc3339({1'795'251'600 * kSecond + 125'999'999}), "2026-11-21T09:00:00.125Z");
  EXPECT_EQ(rfc3339({-kSecond}), "1969-12-31T23:59:59Z");
  EXPECT_EQ(compact_utc({1'795'251'600 * kSecond}), "20261121T090000Z");
}

TEST(ParseTime, ReadsEveryFormThatItsHelpNames) {
  const Timestamp nine{1'795'251'600 * kSecond};
  for (const std::string_view text :
       {"2026-11-21T09:00:00Z", "2026-11-21t09:00:00z", "2026-11-21 09:00", "2026-11-21 09:00:00",
        "2026-11-21T10:30:00+01:30", "2026-11-21T04:00:00-05:00", "2026-11-21T09:00:00.000Z",
        "2026-11-21 04:00:00 -0500", "2026-11-21 09:00 +0000", "2026-11-21 10:30:00 +01:30"}) {
    EXPECT_EQ(parse_time(text), nine) << text;
  }
  EXPECT_EQ(parse_time("2026-11-21")->ns, nine.ns - 9 * 3600 * kSecond);
  EXPECT_EQ(parse_time("2026-11-21T09:00:00.25Z")->ns, nine.ns + kSecond / 4);
}

TEST(ParseTime, KnowsWhetherAZoneWasNamed) {
  for (const std::string_view text : {"2026-11-21T09:00:00Z", "2026-11-21t09:00z", "2026-11-21 04:00:00 -0500"})
    EXPECT_TRUE(names_zone(text)) << text;
  for (const std::string_view text : {"2026-11-21", "2026-11-21 09:00", "2026-11-21T09:00:30.5"})
    EXPECT_FALSE(names_zone(text)) << text;
}

TEST(ParseTime, ReadsBackWhatRfc3339Writes) {
  for (const std::int64_t ns : {std::int64_t{0}, 951'782'400 * kSecond, 4'102'444'799 * kSecond}) {
    EXPECT_EQ(parse_time(rfc3339({ns})), Timestamp{ns});
  }
}

TEST(ParseTime, RefusesWhatIsNoTime) {
  for (const std::string_view text :
       {"", "now", "2026", "2026-13-01", "2026-02-29", "2026-11-21T", "2026-11-21T9:00", "2026-11-21T24:00",
        "2026-11-21T09:60", "2026-11-21T09:00:61Z", "2026-11-21T09:00:00.Z", "2026-11-21T09:00:00+0100",
        "2026-11-21T09:00:00Z ", "2026-11-21 09:00 ", "2026-11-21 09:00 Z", "2026-11-21 09:00 -05", "2026-11-21x09:00",
        "9999-01-01"}) {
    EXPECT_FALSE(parse_time(text)) << text;
  }
}

TEST(ParseDuration, ReadsUnitsAloneAndTogether) {
  EXPECT_EQ(parse_duration_ns("90s"), 90 * kSecond);
  EXPECT_EQ(parse_duration_ns("15m"), 900 * kSecond);
  EXPECT_EQ(parse_duration_ns("6h"), 6 * 3600 * kSecond);
  EXPECT_EQ(parse_duration_ns("7d"), 7 * 86400 * kSecond);
  EXPECT_EQ(parse_duration_ns("1h30m"), 5400 * kSecond);
  EXPECT_EQ(parse_duration_ns("1.5s"), 1'500'000'000);
  EXPECT_EQ(parse_duration_ns("250ms"), 250'000'000);
  EXPECT_EQ(parse_duration_ns("0s"), 0);
}

TEST(ParseDuration, RefusesBareNumbersDisorderAndOverflow) {
  for (const std::string_view text :
       {"", "5", "s", "1.s", "-5s", "5 s", "1m1h", "1s1s", "3y", "1h30", "99999999999d", "99999999999999999999s"}) {
    EXPECT_FALSE(parse_duration_ns(text)) << text;
  }
}

TEST(DurationText, ChoosesTwoUnitsAtMost) {
  EXPECT_EQ(duration_text(0), "0 ms");
  EXPECT_EQ(duration_text(0.25), "250 ms");
  EXPECT_EQ(duration_text(0.9999), "1.0 s");
  EXPECT_EQ(duration_text(1.3), "1.3 s");
  EXPECT_EQ(duration_text(59.97), "1 min 0 s");
  EXPECT_EQ(duration_text(250), "4 min 10 s");
  EXPECT_EQ(duration_text(12000), "3 h 20 min");
  EXPECT_EQ(duration_text(2 * 86400 + 4 * 3600 + 59), "2 d 4 h");
  EXPECT_EQ(duration_text(-1), "0 s");
  EXPECT_EQ(duration_text(std::numeric_limits<double>::quiet_NaN()), "0 s");
}

}  // namespace
}  // namespace lifeboat
