#include "format/segment/revision_list.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

#include "base/varint.h"

namespace lifeboat::segment {
namespace {

using Revisions = std::vector<etcd::Revision>;

Revisions random_revisions(std::uint64_t seed, std::size_t count) {
  std::mt19937_64 random(seed);
  std::set<etcd::Revision> found;
  for (std::size_t i = 0; i < count; ++i)
    found.insert({static_cast<std::int64_t>(random() % (3 * count)), static_cast<std::int64_t>(random() % 300)});
  return {found.begin(), found.end()};
}

RevisionList list_of(const Revisions& revisions) {
  RevisionList list;
  for (const etcd::Revision& revision : revisions) list.add(revision);
  return list;
}

Revisions all_of(const RevisionList& list) {
  Revisions all;
  RevisionList::Cursor cursor(list);
  for (etcd::Revision at; cursor.next(at);) all.push_back(at);
  EXPECT_EQ(all.size(), list.size());
  return all;
}

TEST(RevisionList, RoundTrips) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const Revisions revisions = random_revisions(seed, seed * 50);
    const RevisionList list = list_of(revisions);
    EXPECT_EQ(all_of(list), revisions) << seed;
    EXPECT_EQ(all_of(RevisionList::decode(list.encode()).value()), revisions) << seed;
  }
}

TEST(RevisionList, RefusesWhatIsCutOrDoesNotAscend) {
  const Bytes bytes = RevisionList({{3, 1}, {3, 2}, {900, 0}}).encode();
  for (std::size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(RevisionList::decode(ByteView(bytes).first(size)));
  Bytes longer = bytes;
  longer.push_back(std::byte{0});
  EXPECT_FALSE(RevisionList::decode(longer));
  EXPECT_FALSE(RevisionList::decode(RevisionList({{3, 1}, {3, 1}}).encode()));
  EXPECT_FALSE(RevisionList::decode(RevisionList({{3, 1}, {3, 0}}).encode()));
  EXPECT_FALSE(RevisionList::decode(RevisionList({{3, 1}, {2, 0}}).encode())) << "beyond what fits";
  Bytes huge;
  append_varint(huge, UINT64_MAX);
  huge.resize(huge.size() + 20);
  EXPECT_FALSE(RevisionList::decode(huge));
}

TEST(RevisionList, AnswersQuestionsThatAscend) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const Revisions revisions = random_revisions(seed, 100);
    const std::set<etcd::Revision> held(revisions.begin(), revisions.end());
    RevisionList::Lookup lookup(list_of(revisions));
    for (std::int64_t main = 0; main < 310; ++main)
      for (std::int64_t sub = 0; sub < 300; sub += 1 + main % 3)
        ASSERT_EQ(lookup.holds({main, sub}), held.contains({main, sub})) << main << "." << sub;
  }
  EXPECT_FALSE(RevisionList::Lookup(RevisionList()).holds({1, 0}));
}

TEST(RevisionList, MergesWhatListsHoldOnce) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    std::vector<RevisionList> lists;
    std::set<etcd::Revision> expected;
    for (std::uint64_t k = 0; k < seed % 5; ++k) {
      const Revisions revisions = random_revisions(100 * seed + k, 40 * k);
      lists.push_back(list_of(revisions));
      expected.insert(revisions.begin(), revisions.end());
    }
    EXPECT_EQ(all_of(RevisionList::merge(lists)), Revisions(expected.begin(), expected.end())) << seed;
  }
}

TEST(RevisionList, ThatIsCopiedGoesItsOwnWay) {
  RevisionList one({{1, 0}});
  RevisionList::Cursor cursor(one);
  RevisionList other = one;
  one.add({2, 0});
  other.add({3, 0});
  EXPECT_EQ(all_of(one), (Revisions{{1, 0}, {2, 0}}));
  EXPECT_EQ(all_of(other), (Revisions{{1, 0}, {3, 0}}));
  etcd::Revision at;
  EXPECT_TRUE(cursor.next(at));
  EXPECT_FALSE(cursor.next(at));
}

TEST(RevisionList, TakesTwoBytesForARevision) {
  RevisionList list;
  for (std::int64_t main = 1; main <= 1000; ++main) list.add({main, 0});
  EXPECT_LE(list.encode().size(), 2010U);
}

}  // namespace
}  // namespace lifeboat::segment
