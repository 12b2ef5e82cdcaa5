#include "web/metrics.h"

#include <gmock/gmock.h>

#include <limits>

namespace lifeboat::web {
namespace {

using ::testing::ElementsAre;

TEST(Metrics, ArePrintedByFamilyWithHelpAndType) {
  MetricsText text;
  text.gauge("age_seconds", "How old.", 1.25).counter("gaps_total", "How many.", 3);
  EXPECT_EQ(text.text(),
            "# HELP age_seconds How old.\n# TYPE age_seconds gauge\nage_seconds 1.25\n"
            "# HELP gaps_total How many.\n# TYPE gaps_total counter\ngaps_total 3\n");
}

TEST(Metrics, KeepALargeRevisionExact) {
  MetricsText text;
  text.gauge("revision", "r", 482119070123.0);
  EXPECT_THAT(text.text(), ::testing::EndsWith("\nrevision 482119070123\n"));
}

TEST(Metrics, NameWhatIsNoNumber) {
  MetricsText text;
  text.family("x", MetricsText::Kind::kGauge, "h")
      .sample(std::numeric_limits<double>::quiet_NaN())
      .sample(std::numeric_limits<double>::infinity())
      .sample(-std::numeric_limits<double>::infinity());
  EXPECT_THAT(text.text(), ::testing::EndsWith("x NaN\nx +Inf\nx -Inf\n"));
}

TEST(Metrics, EscapeLabelsAndHelpTexts) {
  MetricsText text;
  text.family("x", MetricsText::Kind::kGauge, "a \"b\"\nc\\d").sample(1, {{"cluster", "a\"b\\c\nd"}, {"level", "0"}});
  EXPECT_EQ(text.text(),
            "# HELP x a \"b\"\\nc\\\\d\n# TYPE x gauge\n"
            "x{cluster=\"a\\\"b\\\\c\\nd\",level=\"0\"} 1\n");
}

TEST(Histogram, CountsAValueAtABoundBelowIt) {
  Histogram values({0.5, 1, 2});
  for (const double value : {0.1, 0.5, 0.6, 1.0, 2.5}) values.observe(value);
  EXPECT_THAT(values.counts(), ElementsAre(2, 2, 0, 1));
  EXPECT_EQ(values.count(), 5u);
  EXPECT_DOUBLE_EQ(values.sum(), 4.7);
}

TEST(Histogram, IsPrintedCumulatively) {
  Histogram values({0.5, 1});
  for (const double value : {0.25, 0.75, 4.0}) values.observe(value);
  MetricsText text;
  text.histogram("flush_seconds", "f", values);
  EXPECT_EQ(text.text(),
            "# HELP flush_seconds f\n# TYPE flush_seconds histogram\n"
            "flush_seconds_bucket{le=\"0.5\"} 1\nflush_seconds_bucket{le=\"1\"} 2\n"
            "flush_seconds_bucket{le=\"+Inf\"} 3\nflush_seconds_sum 5\nflush_seconds_count 3\n");
}

}  // namespace
}  // namespace lifeboat::web
