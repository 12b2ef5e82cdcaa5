#include "agent/audit.h"

#include <gtest/gtest.h>

namespace lifeboat::agent {
namespace {

using repository::Proof;

LineageId lineage_of(unsigned char number) {
  LineageId id;
  id.bytes[0] = std::byte(number);
  return id;
}

ProofOutcome outcome_of(Proof proof) {
  return {.proof = proof, .revision = 7, .lineage = lineage_of(1), .time = {}, .reason = "nobody answered"};
}

TEST(PointAudit, ComparesAPointThatWasNotLookedAtBefore) {
  const PointAudit audit = audit_of(std::nullopt, lineage_of(1), 7);
  EXPECT_FALSE(audit.is_compared);
  EXPECT_EQ(audit.unproven_before, "");
}

TEST(PointAudit, LeavesWhatWasComparedHoweverThatEnded) {
  for (const Proof proof : {Proof::kProven, Proof::kDisagrees})
    EXPECT_TRUE(audit_of(outcome_of(proof), lineage_of(1), 7).is_compared);
}

TEST(PointAudit, KnowsWhyAPointIsNotProvenUntilTheRevisionChanges) {
  const auto last = outcome_of(Proof::kUnproven);
  EXPECT_FALSE(audit_of(last, lineage_of(1), 7).is_compared);
  EXPECT_EQ(audit_of(last, lineage_of(1), 7).unproven_before, "nobody answered");
  EXPECT_EQ(audit_of(last, lineage_of(1), 8).unproven_before, "");
  EXPECT_EQ(audit_of(last, lineage_of(2), 7).unproven_before, "");
}

}  // namespace
}  // namespace lifeboat::agent
