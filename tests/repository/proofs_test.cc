// Nothing is called proven that a hash cannot tell from something else.
#include "repository/catalogue/proofs.h"

#include <gmock/gmock.h>

#include "repository/mvcc_model.h"
#include "repository/support.h"

namespace lifeboat::repository {
namespace {

using testing::lineage_id;
using testing::proof_at;
using testing_model::MvccModel;
using testing_model::write_some;

TEST(Proofs, OneProvesTheStateAtItsRevisionAlone) {
  const Proofs proofs({proof_at(4, 10)}, lineage_id(1));
  for (std::int64_t at = 1; at <= 12; ++at) EXPECT_EQ(proofs.find(at).has_value(), at == 10) << at;
  EXPECT_EQ(proofs.last_up_to(9), 0);
  EXPECT_EQ(proofs.last_up_to(12), 10);
}

TEST(Proofs, TwoProveWhatLiesBetweenWhereTheUpperTakesInAllSinceTheLower) {
  const Proofs proofs({proof_at(2, 10), proof_at(11, 20), proof_at(20, 30)}, lineage_id(1));
  for (std::int64_t at = 1; at <= 32; ++at)
    EXPECT_EQ(proofs.find(at).has_value(), at == 10 || (at >= 20 && at <= 30)) << at;
  EXPECT_EQ(proofs.find(25)->since, 20);
  EXPECT_EQ(proofs.find(25)->by, 30);
}

TEST(Proofs, OneOfAnEtcdThatWasNeverCompactedProvesEverythingBelow) {
  for (const std::int64_t never : {-1, 0, 1}) {
    const Proofs proofs({proof_at(never, 10)}, lineage_id(1));
    for (std::int64_t at = 1; at <= 12; ++at) EXPECT_EQ(proofs.find(at).has_value(), at <= 10) << at;
    EXPECT_TRUE(proofs.find(5)->takes_in_all());
  }
}

TEST(Proofs, AreThoseOfTheLineageThatAgree) {
  manifest::Attestation elsewhere = proof_at(1, 10);
  elsewhere.lineage = lineage_id(2);
  manifest::Attestation check = proof_at(1, 10);
  check.kind = "verify";
  manifest::Attestation nobody = proof_at(1, 10);
  nobody.members.clear();
  const Proofs proofs({elsewhere, check, nobody, proof_at(1, 10, 7, 8)}, lineage_id(1));
  EXPECT_FALSE(proofs.find(10));
  EXPECT_EQ(proofs.last_up_to(10), 0);
}

TEST(Proofs, OfSeveralMembersTheOneThatWasCompactedFurthestDecides) {
  manifest::Attestation both = proof_at(4, 10);
  both.members.push_back({"2", "http://b", 7, 9, 9});
  EXPECT_TRUE(Proofs({proof_at(1, 7), both}, lineage_id(1)).find(8));
  EXPECT_FALSE(Proofs({proof_at(1, 6), both}, lineage_id(1)).find(8));
}

// As a capture that was told one false value would have stored it.
MvccModel with_one_lie(const MvccModel& truth, std::mt19937& random) {
  MvccModel told = truth;
  for (;;) {
    auto at = told.history.begin();
    std::advance(at, static_cast<std::ptrdiff_t>(random() % told.history.size()));
    if (at->second.key.tombstone) continue;
    at->second.value.back() ^= std::byte{1};
    return told;
  }
}

bool is_same(const MvccModel& a, const MvccModel& b, std::int64_t at) {
  return std::ranges::equal(a.latest_live(at), b.latest_live(at), [](const auto& x, const auto& y) {
    return x.first == y.first && x.second.value == y.second.value;
  });
}

TEST(Proofs, NeverSayThatAStateIsProvenWhichAMemberDoesNotHave) {
  std::mt19937 random(11);
  int proven = 0, hidden = 0;
  for (int round = 0; round < 300; ++round) {
    MvccModel truth;
    write_some(truth, random, 25, 4);
    const MvccModel told = with_one_lie(truth, random);
    std::vector<manifest::Attestation> audits;
    for (std::int64_t at = 2; at <= truth.revision; ++at) {
      if (random() % 4 != 0) continue;
      const auto compaction = static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(at));
      audits.push_back(proof_at(compaction, at, truth.hash_kv(compaction, at), told.hash_kv(compaction, at)));
    }
    const Proofs proofs(audits, lineage_id(1));
    for (std::int64_t at = 1; at <= truth.revision; ++at) {
      const bool same = is_same(truth, told, at);
      proven += proofs.find(at).has_value();
      hidden += !same;
      ASSERT_TRUE(same || !proofs.find(at)) << "round " << round << ", revision " << at;
    }
  }
  EXPECT_GT(proven, 1000);
  EXPECT_GT(hidden, 300);
}

}  // namespace
}  // namespace lifeboat::repository
