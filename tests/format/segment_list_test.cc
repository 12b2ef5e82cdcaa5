#include "format/manifest/segment_list.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "format/edit_segments.h"

namespace lifeboat::manifest {
namespace {

SegmentRef segment(std::int64_t lo, std::int64_t hi) {
  SegmentRef ref;
  ref.object = "s/" + std::to_string(lo);
  ref.lo = lo;
  ref.hi = hi;
  return ref;
}

SegmentList sample() { return {segment(0, 5), segment(5, 9), segment(9, 12)}; }

TEST(SegmentList, IsEqualToAListOfEqualSegments) {
  const SegmentList list = sample();
  EXPECT_EQ(list, sample());
  SegmentList other = sample();
  edit_segments(other, [](auto& segments) { segments[1].hi = 10; });
  EXPECT_NE(list, other);
  other = sample();
  other.push_back(segment(12, 13));
  EXPECT_NE(list, other);
  EXPECT_EQ(list.size(), 3u);
}

TEST(SegmentList, GrowsApartFromItsCopy) {
  const SegmentList list = sample();
  SegmentList copy = list;
  EXPECT_EQ(&copy.front(), &list.front());
  copy.push_back(segment(12, 20));
  EXPECT_EQ(list, sample());
  EXPECT_EQ(copy.back().hi, 20);
  SegmentList joined = list.from(1);
  EXPECT_EQ(joined, (SegmentList{segment(5, 9), segment(9, 12)}));
  joined.append(copy.from(3));
  EXPECT_EQ(joined.size(), 3u);
  EXPECT_EQ(joined[2].hi, 20);
  EXPECT_TRUE(list.from(3).empty());
}

TEST(SegmentList, IsARangeInOrder) {
  const SegmentList list = sample();
  static_assert(std::ranges::random_access_range<const SegmentList>);
  EXPECT_TRUE(std::ranges::is_sorted(list, {}, &SegmentRef::hi));
  const auto at = std::ranges::upper_bound(list, 6, {}, &SegmentRef::hi);
  ASSERT_NE(at, list.end());
  EXPECT_EQ(at - list.begin(), 1);
  EXPECT_EQ(std::prev(list.end())->hi, 12);
  EXPECT_EQ(list.begin()[2].lo, 9);
}

TEST(SegmentPool, SharesWhatIsEqualAndNothingElse) {
  SegmentPool pool;
  SegmentList first = sample(), second = sample();
  edit_segments(second, [](auto& segments) { segments[2].digest = "another of that name"; });
  ASSERT_NE(&first[0], &second[0]);
  EXPECT_EQ(pool.share(first), 3u);
  EXPECT_EQ(pool.share(second), 1u);
  EXPECT_EQ(&first[0], &second[0]);
  EXPECT_EQ(&first[1], &second[1]);
  EXPECT_NE(&first[2], &second[2]);
  EXPECT_EQ(first, sample());
  EXPECT_EQ(second[2].digest, "another of that name");
}

TEST(SegmentPool, ForgetsWhatNoListHolds) {
  SegmentPool pool;
  SegmentList kept = sample();
  {
    SegmentList gone = sample();
    gone.push_back(segment(12, 13));
    pool.share(gone);
    pool.share(kept);
  }
  EXPECT_EQ(pool.size(), 4u);
  pool.drop_unused();
  EXPECT_EQ(pool.size(), 3u);
  EXPECT_EQ(kept, sample());
}

}  // namespace
}  // namespace lifeboat::manifest
