#include "repository/store/layout.h"

#include <gtest/gtest.h>

namespace lifeboat::repository {
namespace {

const LineageId kLineage = *LineageId::parse("00112233445566778899aabbccddeeff");
const Sha256 kSha = *Sha256::parse(std::string(62, 'a') + "01");
const std::string kShaText = std::string(62, 'a') + "01";

TEST(Layout, NamesSegmentsByLineageLevelRevisionsAndHash) {
  EXPECT_EQ(segment_name(kLineage, 2, 16, 255, kSha),
            "s/00112233445566778899aabbccddeeff/2/0000000000000010-00000000000000ff-" + kShaText);
}

TEST(Layout, NamesKeySetsByEpochGenerationLabelAndHash) {
  EXPECT_EQ(key_set_name(1, 2, "passphrase-1", kSha), "keys/1-2-passphrase-1-" + kShaText);
}

TEST(Layout, TakesManifestNamesApart) {
  const std::string name = manifest_name(kLineage, 300, kSha);
  EXPECT_EQ(name, "m/00112233445566778899aabbccddeeff/000000000000012c-" + kShaText);
  const auto parsed = parse_manifest_name(name);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->lineage, kLineage);
  EXPECT_EQ(parsed->revision, 300);
  EXPECT_EQ(parsed->sha, kSha);
}

TEST(Layout, TakesSegmentNamesApart) {
  const std::string name = segment_name(kLineage, 2, 16, 255, kSha);
  const auto parsed = parse_segment_name(name);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->lineage, kLineage);
  EXPECT_EQ(parsed->level, 2);
  EXPECT_EQ(parsed->lo, 16);
  EXPECT_EQ(parsed->hi, 255);
  EXPECT_EQ(parsed->sha, kSha);
}

TEST(Layout, RefusesEverySegmentNameThatItWouldNotGive) {
  const std::string good = segment_name(kLineage, 2, 16, 255, kSha);
  EXPECT_FALSE(parse_segment_name(""));
  EXPECT_FALSE(parse_segment_name(manifest_name(kLineage, 300, kSha)));
  EXPECT_FALSE(parse_segment_name(good + "0"));
  EXPECT_FALSE(parse_segment_name(good.substr(0, good.size() - 1)));
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::string edited = good;
    edited[i] = 'G';
    EXPECT_FALSE(parse_segment_name(edited)) << edited;
  }
}

TEST(Layout, TakesAttestationNamesApart) {
  const auto parsed = parse_attestation_name(attestation_name(kLineage, INT64_MAX, kSha));
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->revision, INT64_MAX);
  EXPECT_EQ(parsed->sha, kSha);
}

TEST(Layout, RefusesEveryNameThatItWouldNotGive) {
  const std::string good = manifest_name(kLineage, 300, kSha);
  EXPECT_FALSE(parse_manifest_name(attestation_name(kLineage, 300, kSha)));
  EXPECT_FALSE(parse_manifest_name(""));
  EXPECT_FALSE(parse_manifest_name("m/" + std::string(115, 'x')));
  EXPECT_FALSE(parse_manifest_name(good + "0"));
  EXPECT_FALSE(parse_manifest_name(good.substr(0, good.size() - 1)));
  std::string negative = good;
  negative[35] = 'f';  // a revision above the largest
  EXPECT_FALSE(parse_manifest_name(negative));
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::string edited = good;
    edited[i] = 'G';
    EXPECT_FALSE(parse_manifest_name(edited)) << edited;
  }
}

TEST(Layout, FindsTheHashInNamesThatEndWithOne) {
  EXPECT_EQ(sha256_in_name(segment_name(kLineage, 0, 0, 1, kSha)), kSha);
  EXPECT_EQ(sha256_in_name("keys/1-1-keyfile-1-" + kShaText), kSha);
  EXPECT_EQ(sha256_in_name("d/aa/" + kShaText), kSha);
}

TEST(Layout, FindsNoHashInOtherNames) {
  EXPECT_FALSE(sha256_in_name("format.1"));
  EXPECT_FALSE(sha256_in_name(""));
  EXPECT_FALSE(sha256_in_name("x" + kShaText));
  EXPECT_FALSE(sha256_in_name("d/aa/" + std::string(64, 'A')));
}

TEST(Layout, ALineageIsFoundInEveryNameThatHasOne) {
  EXPECT_EQ(lineage_in_name(segment_name(kLineage, 0, 1, 2, kSha)), kLineage);
  EXPECT_EQ(lineage_in_name(manifest_name(kLineage, 300, kSha)), kLineage);
  EXPECT_EQ(lineage_in_name(attestation_name(kLineage, 300, kSha)), kLineage);
  EXPECT_EQ(lineage_in_name(lineage_prefix(kManifestPrefix, kLineage)), kLineage);
  EXPECT_FALSE(lineage_in_name("m/" + kLineage.text()));
  EXPECT_FALSE(lineage_in_name("keys/" + kLineage.text() + "/"));
  EXPECT_FALSE(lineage_in_name(format_name(1)));
  EXPECT_FALSE(lineage_in_name(""));
}

}  // namespace
}  // namespace lifeboat::repository
