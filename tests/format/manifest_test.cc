#include "format/manifest/manifest.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "format/edit_segments.h"
#include "format/golden.h"

namespace lifeboat::manifest {
namespace {

LineageId lineage_of(int fill) {
  LineageId id;
  id.bytes.fill(static_cast<std::byte>(fill));
  return id;
}

const std::string kDigest = "00112233445566778899aabbccddeeff";

Manifest some_manifest() {
  Manifest m;
  m.lineage = {lineage_of(0xab), lineage_of(0xcd), 77, "cluster id changed"};
  m.source = {"snapshot",
              "prod \"eu\"",
              "cdf818194e3a8c32",
              "8e9e05c52164694d",
              "m1",
              "https://10.0.0.1:2379",
              "3.6.16",
              std::string(64, 'f'),
              UINT64_MAX,
              900,
              4096,
              12,
              3,
              {"member m2 lags", "größer\n"}};
  m.revision = INT64_MAX;
  m.compact_revision = -1;
  m.earliest = {1'790'000'000'123'456'789};
  m.latest = {1'790'000'001'123'456'789};
  m.live_keys = 400'000;
  m.records = (1ull << 53) + 1;
  m.leases = 5;
  m.sidecar_digest = std::string(64, '0');
  m.segments = {{"s/ab/0/0000-0100-ff", 0, 256, 200, 1000, 5000, 90000, kDigest, false},
                {"s/ab/0/0100-0100-ee", 256, 256, 256, 0, 300, 20, kDigest, true},
                {"s/ab/0/0100-7fff-dd", 256, INT64_MAX, 257, 1, 2, 3, kDigest, false}};
  m.tags = {{"env", "prod"}, {"", "empty key"}};
  m.writer_version = "0.1.0";
  m.writer = "w";
  m.sequence = UINT64_MAX;
  m.previous = "m/ab/x";
  return m;
}

Attestation some_attestation() {
  Attestation a;
  a.lineage = lineage_of(0xab);
  a.revision = 4711;
  a.made = {-5};
  a.kind = "hashkv";
  a.reason = "member m2 differs";
  a.level = 3;
  a.members = {{"8e9e05c52164694d", "https://10.0.0.1:2379", -1, 0xffffffff, 0}, {"1", "", 400, 1, 1}};
  a.restore_hash = 0xdeadbeef;
  a.duration_seconds = 1.25;
  a.writer_version = "0.1.0";
  return a;
}

std::string text_of(const Manifest& m) { return to_string(encode_manifest(m)); }

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

ErrorCode code_of(std::string_view text) {
  const auto decoded = decode_manifest(as_bytes(text));
  return decoded ? ErrorCode::kUsage : decoded.error().code();
}

TEST(Manifest, RoundTripsWithExactNumbers) {
  const auto decoded = decode_manifest(encode_manifest(some_manifest()));
  ASSERT_TRUE(decoded) << decoded.error().to_string();
  EXPECT_EQ(*decoded, some_manifest());
  EXPECT_EQ(decode_manifest(encode_manifest(Manifest{})).value(), Manifest{});
}

TEST(Manifest, WhatWasStoredOfTheParentIsOptional) {
  Manifest m = some_manifest();
  EXPECT_EQ(to_string(encode_manifest(m)).find("parent_"), std::string::npos);
  m.lineage.parent_revision = 90;
  m.lineage.parent_seen = {12345};
  const auto decoded = decode_manifest(encode_manifest(m));
  ASSERT_TRUE(decoded.has_value());
  EXPECT_TRUE(*decoded == m);
}

TEST(Manifest, IsCanonical) {
  const std::string text = text_of(some_manifest());
  EXPECT_EQ(text.find_first_of("\n\t"), std::string::npos);
  EXPECT_EQ(text.find("\": "), std::string::npos);
  EXPECT_LT(text.find("\"compact_revision\""), text.find("\"earliest_ns\""));
  EXPECT_EQ(text_of(decode_manifest(as_bytes(text)).value()), text);
}

TEST(Manifest, TextThatIsNotUtf8DoesNotStopABackup) {
  Manifest m = some_manifest();
  m.source.member_name = "bad \xff name";
  const auto decoded = decode_manifest(encode_manifest(m));
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->source.member_name, "bad \xef\xbf\xbd name");
}

TEST(Manifest, UnknownFieldsAreIgnored) {
  EXPECT_EQ(decode_manifest(as_bytes(replaced(text_of(some_manifest()), "{", "{\"a_later_field\":[1,{}],"))).value(),
            some_manifest());
}

TEST(Manifest, EveryFieldIsNeeded) {
  for (const char* name :
       {"magic",          "version",   "lineage",  "source",   "revision",       "compact_revision", "earliest_ns",
        "latest_ns",      "live_keys", "records",  "leases",   "sidecar_digest", "segments",         "tags",
        "writer_version", "writer",    "sequence", "previous", "fork_revision",  "cluster_id",       "removes"})
    EXPECT_EQ(code_of(replaced(text_of(some_manifest()), "\"" + std::string(name) + "\":", "\"x\":")),
              ErrorCode::kObjectDamaged)
        << name;
}

TEST(Manifest, AnyTruncationIsFoundAndNoByteChangedCrashes) {
  const std::string text = text_of(some_manifest());
  for (std::size_t at = 0; at < text.size(); ++at) {
    EXPECT_EQ(code_of(std::string_view(text).substr(0, at)), ErrorCode::kObjectDamaged) << at;
    for (const int flip : {0x01, 0x10, 0x80}) {
      std::string edited = text;
      edited[at] = static_cast<char>(edited[at] ^ flip);
      const auto decoded = decode_manifest(as_bytes(edited));
      EXPECT_FALSE(decoded && *decoded == some_manifest()) << at << " ^ " << flip;
    }
  }
}

TEST(Manifest, RefusesSegmentsThatDoNotFollowOneAnother) {
  using Segments = std::vector<SegmentRef>;
  const std::vector<std::pair<const char*, std::function<void(Segments&)>>> edits{
      {"swapped", [](Segments& s) { std::swap(s[0], s[2]); }},
      {"hi below lo", [](Segments& s) { s[0].lo = 257; }},
      {"a hole", [](Segments& s) { s[0].hi = 255; }},
      {"a step back", [](Segments& s) { s[1].lo = s[1].hi = 255; }},
      {"one missing", [](Segments& s) { s[1].hi = 300, s.pop_back(), s.push_back(s[0]); }},
      {"negative", [](Segments& s) { s[0].lo = -1; }},
  };
  for (const auto& [name, edit] : edits) {
    Manifest m = some_manifest();
    edit_segments(m.segments, edit);
    EXPECT_EQ(code_of(text_of(m)), ErrorCode::kObjectDamaged) << name;
  }
}

TEST(Manifest, TwoCapturesMayOverlap) {
  Manifest m = some_manifest();
  edit_segments(m.segments, [](auto& s) { s[1].lo = 250, s[1].hi = 300, s[2].lo = 260; });
  EXPECT_EQ(decode_manifest(encode_manifest(m)).value(), m);
  edit_segments(m.segments, [](auto& s) { s[1].lo = 257; });
  EXPECT_EQ(code_of(text_of(m)), ErrorCode::kObjectDamaged);
}

TEST(Manifest, RefusesNamesThatNoObjectHas) {
  for (const char* name :
       {"", "/s/a", "s/a/", "s//a", "s/../a", "..", ".", "s/./a", "S/a", "s a", "s\\a", "s/\xc3\xa4"}) {
    Manifest m = some_manifest();
    edit_segments(m.segments, [name](auto& s) { s[0].object = name; });
    EXPECT_EQ(code_of(text_of(m)), ErrorCode::kObjectDamaged) << name;
  }
  Manifest m = some_manifest();
  edit_segments(m.segments, [](auto& s) { s[0].object = "s/a..b/.c_d-0.e"; });
  EXPECT_EQ(decode_manifest(encode_manifest(m)).value(), m);
  edit_segments(m.segments, [](auto& s) { s[0].object = std::string(513, 'a'); });
  EXPECT_EQ(code_of(text_of(m)), ErrorCode::kObjectDamaged);
}

TEST(Manifest, RefusesOtherTypesAndNumbersOutOfBounds) {
  const std::string text = text_of(some_manifest());
  for (const auto& [from, to] : {std::pair{"\"leases\":5", "\"leases\":-5"},
                                 {"\"leases\":5", "\"leases\":5.0"},
                                 {"\"leases\":5", "\"leases\":\"5\""},
                                 {"\"leases\":5", "\"leases\":18446744073709551616"},
                                 {"\"revision\":9223372036854775807", "\"revision\":9223372036854775808"},
                                 {"\"page_bytes\":4096", "\"page_bytes\":4294967296"},
                                 {"\"removes\":true", "\"removes\":1"},
                                 {"\"tags\":{", "\"tags\":{\"n\":1,"},
                                 {"\"warnings\":[", "\"warnings\":[1,"},
                                 {"\"segments\":[", "\"segments\":[1,"},
                                 {"\"digest\":\"00", "\"digest\":\"0"},
                                 {"\"parent\":\"cd", "\"parent\":\"xx"}})
    EXPECT_EQ(code_of(replaced(text, from, to)), ErrorCode::kObjectDamaged) << to;
}

TEST(Manifest, ANewerVersionIsSaidSo) {
  EXPECT_EQ(code_of(replaced(text_of(some_manifest()), "\"version\":1", "\"version\":2")),
            ErrorCode::kRepoVersionUnknown);
}

TEST(Manifest, DeepNestingIsRefused) {
  EXPECT_EQ(code_of("{\"a\":" + std::string(1u << 20, '[')), ErrorCode::kObjectDamaged);
}

TEST(Attestation, RoundTrips) {
  const auto decoded = decode_attestation(encode_attestation(some_attestation()));
  ASSERT_TRUE(decoded) << decoded.error().to_string();
  EXPECT_EQ(*decoded, some_attestation());
  EXPECT_EQ(decode_attestation(encode_attestation(Attestation{})).value(), Attestation{});
}

TEST(Attestation, ADurationThatIsNoNumberIsWrittenAsZero) {
  Attestation a = some_attestation();
  a.duration_seconds = std::nan("");
  EXPECT_EQ(decode_attestation(encode_attestation(a)).value().duration_seconds, 0);
}

TEST(Attestation, AnyTruncationIsFoundAndNoByteChangedCrashes) {
  const Bytes bytes = encode_attestation(some_attestation());
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    EXPECT_FALSE(decode_attestation(ByteView(bytes).first(at))) << at;
    Bytes edited = bytes;
    edited[at] ^= std::byte{1};
    const auto decoded = decode_attestation(edited);
    EXPECT_FALSE(decoded && *decoded == some_attestation()) << at;
  }
}

TEST(ManifestGolden, Version1IsWrittenAndReadAsEver) {
  testing::expect_golden("manifest-v1.json", encode_manifest(some_manifest()));
  testing::expect_golden("attestation-v1.json", encode_attestation(some_attestation()));
}

}  // namespace
}  // namespace lifeboat::manifest
