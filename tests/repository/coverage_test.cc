#include "repository/catalogue/coverage.h"

#include <gmock/gmock.h>

#include <map>
#include <optional>
#include <random>
#include <set>

#include "repository/support.h"

namespace lifeboat::repository {

void PrintTo(const Coverage& part, std::ostream* out) { *out << "[" << part.from << ", " << part.to << "]"; }

namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::lineage_id;
using testing::segment_ref;

manifest::SegmentRef segment(std::int64_t lo, std::int64_t hi, std::int64_t complete_from) {
  return segment_ref(lineage_id(1), lo, hi, complete_from);
}

TEST(Coverage, OfABaseBeginsWhereItIsComplete) {
  EXPECT_THAT(coverage_of({segment(0, 100, 40)}), ElementsAre(Coverage{40, 100}));
}

TEST(Coverage, OfAnEtcdThatWasNeverCompactedBeginsAtOne) {
  EXPECT_THAT(coverage_of({segment(0, 100, 0)}), ElementsAre(Coverage{1, 100}));
  EXPECT_THAT(coverage_of({segment(0, 100, 1)}), ElementsAre(Coverage{1, 100}));
}

TEST(Coverage, GrowsWithASegmentThatContinues) {
  EXPECT_THAT(coverage_of({segment(0, 100, 40), segment(100, 150, 60)}), ElementsAre(Coverage{40, 150}));
  EXPECT_THAT(coverage_of({segment(0, 100, 40), segment(100, 150, 101)}), ElementsAre(Coverage{40, 150}));
}

TEST(Coverage, HasAGapWhereCompactionOvertookTheNextBackup) {
  EXPECT_THAT(coverage_of({segment(0, 100, 40), segment(100, 150, 120)}),
              ElementsAre(Coverage{40, 100}, Coverage{120, 150}));
  EXPECT_THAT(coverage_of({segment(0, 100, 40), segment(100, 150, 102)}),
              ElementsAre(Coverage{40, 100}, Coverage{102, 150}));
}

TEST(Coverage, OfABaseInSeveralSegmentsBeginsInTheOneThatReachesItsCompaction) {
  EXPECT_THAT(coverage_of({segment(0, 30, 50), segment(30, 60, 50), segment(60, 90, 50)}),
              ElementsAre(Coverage{50, 90}));
  EXPECT_THAT(coverage_of({segment(0, 30, 31), segment(30, 60, 31)}), ElementsAre(Coverage{31, 60}));
}

TEST(Coverage, IsEmptyWithoutTheStateThatASegmentContinues) {
  EXPECT_THAT(coverage_of({}), IsEmpty());
  EXPECT_THAT(coverage_of({segment(50, 90, 20)}), IsEmpty());
}

TEST(Coverage, PassesOverASegmentThatAddsNoRevision) {
  EXPECT_THAT(coverage_of({segment(0, 100, 40), segment(100, 100, 90), segment(100, 110, 95)}),
              ElementsAre(Coverage{40, 110}));
}

TEST(Coverage, UnionJoinsWhatOverlapsOrTouches) {
  EXPECT_THAT(merge_coverage({{50, 60}, {1, 10}, {11, 20}, {55, 80}, {90, 95}}),
              ElementsAre(Coverage{1, 20}, Coverage{50, 80}, Coverage{90, 95}));
}

// ---- against a model that looks at each revision by itself

struct Chain {
  manifest::SegmentList segments;
};

// The definition, revision by revision: it is given by its segment alone when that is complete
// there, or through the state at the segment's lo.
bool restorable(const Chain& chain, std::int64_t revision) {
  if (revision < 1) return false;
  for (const auto& s : chain.segments) {
    if (revision <= s.lo || revision > s.hi) continue;
    if (s.complete_from > s.lo + 1) return revision >= s.complete_from;
    if (s.lo < 1) return true;
    if (restorable(chain, s.lo)) return true;
    return s.complete_from == s.lo + 1;
  }
  return false;
}

Chain random_chain(std::mt19937& random) {
  const auto pick = [&](std::int64_t from, std::int64_t to) {
    return std::uniform_int_distribution<std::int64_t>(from, to)(random);
  };
  Chain chain;
  std::int64_t lo = pick(0, 3) == 0 ? pick(0, 10) : 0;
  const std::int64_t count = pick(0, 6);
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t hi = lo + pick(0, 8);
    const std::int64_t complete_from = std::max<std::int64_t>(0, pick(lo - 3, hi + 4));
    chain.segments.push_back(segment(lo, hi, complete_from));
    lo = hi;
  }
  return chain;
}

void expect_well_formed(const std::vector<Coverage>& merged) {
  for (std::size_t i = 0; i < merged.size(); ++i) {
    EXPECT_LE(merged[i].from, merged[i].to);
    if (i > 0) {
      EXPECT_GT(merged[i].from, merged[i - 1].to + 1);
    }
  }
}

TEST(CoverageProperty, AgreesWithTheModelOfOneChain) {
  std::mt19937 random(7);
  std::size_t covered_revisions = 0;
  for (int round = 0; round < 5000; ++round) {
    const Chain chain = random_chain(random);
    const std::vector<Coverage> covered = coverage_of(chain.segments);
    expect_well_formed(covered);
    for (std::int64_t revision = -1; revision < 70; ++revision) {
      ASSERT_EQ(covers(covered, revision), restorable(chain, revision))
          << "round " << round << ", revision " << revision;
      covered_revisions += covers(covered, revision) ? 1 : 0;
    }
  }
  EXPECT_GT(covered_revisions, 10000u);
}

TEST(CoverageProperty, UnionAgreesWithTheModelOfSeveralChains) {
  std::mt19937 random(8);
  for (int round = 0; round < 2000; ++round) {
    std::vector<Chain> chains;
    std::vector<Coverage> all;
    for (int i = 0; i < 3; ++i) {
      chains.push_back(random_chain(random));
      const auto own = coverage_of(chains.back().segments);
      all.insert(all.end(), own.begin(), own.end());
    }
    const std::vector<Coverage> merged = merge_coverage(all);
    expect_well_formed(merged);
    for (std::int64_t revision = -1; revision < 70; ++revision) {
      const bool expected =
          std::ranges::any_of(chains, [&](const Chain& chain) { return restorable(chain, revision); });
      ASSERT_EQ(covers(merged, revision), expected) << "round " << round;
    }
    for (const Chain& chain : chains) EXPECT_TRUE(covers_all(merged, coverage_of(chain.segments)));
  }
}

TEST(CoverageProperty, WhatIsLeftAgreesWithTheModel) {
  std::mt19937 random(10);
  for (int round = 0; round < 5000; ++round) {
    const auto all = coverage_of(random_chain(random).segments);
    auto taken = coverage_of(random_chain(random).segments);
    if (round % 3 == 0) taken = merge_coverage({{static_cast<std::int64_t>(random() % 60), INT64_MAX}});
    const auto left = without(all, taken);
    expect_well_formed(merge_coverage(left));
    for (std::int64_t revision = 0; revision < 80; ++revision)
      ASSERT_EQ(covers(left, revision), covers(all, revision) && !covers(taken, revision)) << "round " << round;
  }
}

TEST(CoverageProperty, InclusionAgreesWithTheModel) {
  std::mt19937 random(9);
  int included = 0;
  for (int round = 0; round < 5000; ++round) {
    const auto outer = coverage_of(random_chain(random).segments);
    const auto inner = coverage_of(random_chain(random).segments);
    bool expected = true;
    for (std::int64_t revision = 0; revision < 80; ++revision) {
      if (covers(inner, revision) && !covers(outer, revision)) expected = false;
    }
    ASSERT_EQ(covers_all(outer, inner), expected) << "round " << round;
    included += expected ? 1 : 0;
  }
  EXPECT_GT(included, 100);
}

// ---- against a small etcd: what coverage promises is really in the segments

struct Write {
  std::int64_t revision = 0;
  int key = 0;
  bool tombstone = false;
};
using State = std::map<int, std::int64_t>;  // key to mod revision

// One write a revision; compaction drops what is superseded at it.
class SmallEtcd {
 public:
  explicit SmallEtcd(std::mt19937& random) : random_(random) { history_[1] = {}; }

  void write() {
    ++revision_;
    const int key = static_cast<int>(random_() % 4);
    const bool remove = state_.contains(key) && random_() % 3 == 0;
    if (remove) {
      state_.erase(key);
    } else {
      state_[key] = revision_;
    }
    records_.push_back({revision_, key, remove});
    history_[revision_] = state_;
  }
  void compact(std::int64_t at) {
    compacted_ = at;
    std::map<int, std::int64_t> latest;
    for (const Write& w : records_) {
      if (w.revision <= at) latest[w.key] = w.revision;
    }
    std::erase_if(records_,
                  [&](const Write& w) { return w.revision <= at && (w.tombstone || latest[w.key] != w.revision); });
  }

  std::int64_t revision() const { return revision_; }
  std::int64_t compacted() const { return compacted_; }
  const std::vector<Write>& records() const { return records_; }
  const State& at(std::int64_t revision) const { return history_.at(revision); }

 private:
  std::mt19937& random_;
  std::int64_t revision_ = 1;
  std::int64_t compacted_ = 0;
  State state_;
  std::vector<Write> records_;
  std::map<std::int64_t, State> history_;
};

struct Backup {
  manifest::SegmentRef ref;
  std::vector<Write> records;
  std::set<std::int64_t> removed;  // revisions of earlier records that are gone from complete_from on
};

// What a backup stores: records above the last backup, and which older ones etcd no longer has. A
// compaction at lo + 1 may have taken the tombstone there (older etcd does), so the list is needed
// from then on.
Backup take_backup(const SmallEtcd& etcd, const std::vector<Backup>& before) {
  Backup backup;
  const std::int64_t lo = before.empty() ? 0 : before.back().ref.hi;
  backup.ref = segment(lo, etcd.revision(), etcd.compacted());
  std::set<std::int64_t> present;
  for (const Write& w : etcd.records()) {
    present.insert(w.revision);
    if (w.revision > lo) backup.records.push_back(w);
  }
  if (etcd.compacted() <= lo) return backup;
  for (const Backup& old : before) {
    for (const Write& w : old.records) {
      if (!present.contains(w.revision)) backup.removed.insert(w.revision);
    }
  }
  return backup;
}

State restore(const std::vector<Backup>& chain, std::int64_t revision) {
  std::set<std::int64_t> removed;
  for (const Backup& backup : chain) {
    if (revision >= backup.ref.complete_from && revision > backup.ref.lo) {
      removed.insert(backup.removed.begin(), backup.removed.end());
    }
  }
  State state;
  for (const Backup& backup : chain) {
    for (const Write& w : backup.records) {
      if (w.revision > revision || removed.contains(w.revision)) continue;
      if (w.tombstone) {
        state.erase(w.key);
      } else {
        state[w.key] = w.revision;
      }
    }
  }
  return state;
}

TEST(CoverageProperty, EveryCoveredRevisionOfASmallEtcdRestoresToItsState) {
  std::mt19937 random(10);
  std::size_t restored = 0;
  std::size_t gaps = 0;
  for (int round = 0; round < 500; ++round) {
    SmallEtcd etcd(random);
    std::vector<Backup> chain;
    for (int step = 0; step < 60; ++step) {
      etcd.write();
      if (random() % 10 == 0) {
        const auto span = static_cast<std::uint64_t>(etcd.revision() - etcd.compacted());
        if (span > 1) etcd.compact(etcd.compacted() + 1 + static_cast<std::int64_t>(random() % span));
      }
      if (random() % 12 == 0) chain.push_back(take_backup(etcd, chain));
    }
    manifest::SegmentList segments;
    for (const Backup& backup : chain) segments.push_back(backup.ref);
    const std::vector<Coverage> covered = coverage_of(segments);
    gaps += covered.size() > 1 ? 1 : 0;
    for (std::int64_t revision = 1; revision <= etcd.revision(); ++revision) {
      if (!covers(covered, revision)) continue;
      ASSERT_EQ(restore(chain, revision), etcd.at(revision)) << "round " << round << ", revision " << revision;
      ++restored;
    }
  }
  EXPECT_GT(restored, 5000u);
  EXPECT_GT(gaps, 50u);
}

}  // namespace
}  // namespace lifeboat::repository
