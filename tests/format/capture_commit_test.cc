#include "format/manifest/capture.h"

#include <gtest/gtest.h>

#include <functional>

#include "format/golden.h"

namespace lifeboat::manifest {
namespace {

CaptureCommit some_commit() {
  CaptureCommit c;
  c.lineage.id.bytes.fill(std::byte{0xab});
  c.lineage.reason = "first backup";
  c.source.kind = "watch";
  c.source.cluster = "prod";
  c.source.cluster_id = "cdf818194e3a8c32";
  c.source.term = 3;
  c.lo = 100;
  c.hi = 120;
  c.flushes = {{105, {}, {1'790'000'000'000'000'000}, false},
               {112, {1'790'000'000'000'000'000}, {1'790'000'001'000'000'001}, true},
               {120, {1'789'999'000'000'000'000}, {1'789'999'001'000'000'000}, true}};
  c.changes = {{100, 105, "lease", to_bytes(as_bytes("\x01")), to_bytes(as_bytes("granted"))},
               {105, 105, "authUsers", {}, Bytes{}},
               {112, 120, "lease", to_bytes(as_bytes("\x01")), std::nullopt}};
  c.writer_version = "0.1.0";
  return c;
}

std::string text_of(const CaptureCommit& c) { return to_string(encode_capture_commit(c)); }

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

ErrorCode code_of(std::string_view text) {
  const auto decoded = decode_capture_commit(as_bytes(text));
  return decoded ? ErrorCode::kUsage : decoded.error().code();
}

TEST(CaptureCommit, RoundTripsAndIsCanonical) {
  const auto decoded = decode_capture_commit(encode_capture_commit(some_commit()));
  ASSERT_TRUE(decoded) << decoded.error().to_string();
  EXPECT_EQ(*decoded, some_commit());
  EXPECT_EQ(text_of(*decoded), text_of(some_commit()));
  EXPECT_EQ(decode_capture_commit(encode_capture_commit(CaptureCommit{})).value(), CaptureCommit{});
}

TEST(CaptureCommit, TimesOfAnyDistanceAreExact) {
  CaptureCommit c = some_commit();
  c.flushes[0].earliest = {INT64_MIN};
  c.flushes[0].latest = {INT64_MAX};
  c.flushes[1].earliest = {INT64_MIN};
  c.flushes[1].latest = {INT64_MIN};
  EXPECT_EQ(decode_capture_commit(encode_capture_commit(c)).value(), c);
}

TEST(CaptureCommit, AnIdleStoreChangesBesideItsKeys) {
  CaptureCommit c = some_commit();
  c.lo = c.hi = 105;
  c.flushes.clear();
  c.changes = {{105, 105, "lease", to_bytes(as_bytes("\x01")), std::nullopt}};
  EXPECT_EQ(decode_capture_commit(encode_capture_commit(c)).value(), c);
}

TEST(CaptureCommit, UnknownFieldsAreIgnored) {
  const std::string text = replaced(text_of(some_commit()), "{", "{\"a_later_field\":[1,{}],");
  EXPECT_EQ(decode_capture_commit(as_bytes(text)).value(), some_commit());
}

TEST(CaptureCommit, EveryFieldIsNeeded) {
  for (const char* name : {"magic", "version", "lineage", "source", "lo", "hi", "flushes", "changes", "writer_version",
                           "revision", "earliest_ns", "latest_ns", "live", "fork_revision", "cluster_id"})
    EXPECT_EQ(code_of(replaced(text_of(some_commit()), "\"" + std::string(name) + "\":", "\"x\":")),
              ErrorCode::kObjectDamaged)
        << name;
}

TEST(CaptureCommit, AnyTruncationIsFoundAndNoByteChangedCrashes) {
  const std::string text = text_of(some_commit());
  for (std::size_t at = 0; at < text.size(); ++at) {
    EXPECT_EQ(code_of(std::string_view(text).substr(0, at)), ErrorCode::kObjectDamaged) << at;
    for (const int flip : {0x01, 0x10, 0x80}) {
      std::string edited = text;
      edited[at] = static_cast<char>(edited[at] ^ flip);
      const auto decoded = decode_capture_commit(as_bytes(edited));
      EXPECT_FALSE(decoded && *decoded == some_commit()) << at << " ^ " << flip;
    }
  }
}

TEST(CaptureCommit, RefusesWhatDoesNotFitTogether) {
  const std::vector<std::pair<const char*, std::function<void(CaptureCommit&)>>> edits{
      {"hi below lo", [](auto& c) { c.hi = 99; }},
      {"the last flush below hi", [](auto& c) { c.hi = 121; }},
      {"a flush above hi", [](auto& c) { c.flushes[2].revision = 121; }},
      {"a flush at lo", [](auto& c) { c.flushes[0].revision = 100; }},
      {"a flush twice", [](auto& c) { c.flushes[1].revision = 105; }},
      {"flushes that go back", [](auto& c) { std::swap(c.flushes[0], c.flushes[1]); }},
      {"no flush", [](auto& c) { c.flushes.clear(); }},
      {"a negative lo", [](auto& c) { c.lo = -1; }},
      {"a change below lo", [](auto& c) { c.changes[0].after = 99; }},
      {"a change above hi", [](auto& c) { c.changes[2].by = 121; }},
      {"a change that ends before it begins", [](auto& c) { c.changes[2].by = 111; }},
      {"a change of no bucket", [](auto& c) { c.changes[0].bucket.clear(); }},
      {"a bucket's name without end", [](auto& c) { c.changes[0].bucket.assign(257, 'b'); }},
  };
  for (const auto& [name, edit] : edits) {
    CaptureCommit c = some_commit();
    edit(c);
    EXPECT_EQ(code_of(text_of(c)), ErrorCode::kObjectDamaged) << name;
  }
}

TEST(CaptureCommit, RefusesOtherTypesAndNumbersOutOfBounds) {
  const std::string text = text_of(some_commit());
  for (const auto& [from, to] : {std::pair{"\"live\":[0,1,1]", "\"live\":[0,1]"},
                                 {"\"live\":[0,1,1]", "\"live\":[0,1,2]"},
                                 {"\"live\":[0,1,1]", "\"live\":[0,1,-1]"},
                                 {"\"live\":[0,1,1]", "\"live\":[0,1,true]"},
                                 {"\"revision\":[5,7,8]", "\"revision\":[5,7,8.0]"},
                                 {"\"revision\":[5,7,8]", "\"revision\":[5,7,18446744073709551615]"},
                                 {"\"revision\":[5,7,8]", "\"revision\":5"},
                                 {"[100,105,\"lease\"", "[100,105,7"},
                                 {"[100,105,\"lease\"", "[100,\"lease\""},
                                 {"[100,105,\"lease\"", "[-100,105,\"lease\""},
                                 {"\"01\",null]", "\"0\",null]"},
                                 {"\"01\",null]", "\"0g\",null]"},
                                 {"\"01\",null]", "\"01\",0]"},
                                 {"\"01\",null]", "\"01\",\"FF\"]"},
                                 {"\"01\",null]", "\"01\",null,1]"},
                                 {"\"changes\":[", "\"changes\":[{},"}})
    EXPECT_EQ(code_of(replaced(text, from, to)), ErrorCode::kObjectDamaged) << to;
}

TEST(CaptureCommit, ANewerVersionIsSaidSo) {
  EXPECT_EQ(code_of(replaced(text_of(some_commit()), "\"version\":1", "\"version\":2")),
            ErrorCode::kRepoVersionUnknown);
}

TEST(CaptureCommit, MoreFlushesThanAnyDayHasAreRefused) {
  CaptureCommit c = some_commit();
  c.flushes.clear();
  c.changes.clear();
  for (std::int64_t i = 1; i <= 131072; ++i) c.flushes.push_back({c.lo + i, {}, {i}, true});
  c.hi = c.flushes.back().revision;
  EXPECT_EQ(decode_capture_commit(encode_capture_commit(c)).value(), c);
  c.flushes.push_back({++c.hi, {}, {1}, true});
  EXPECT_EQ(code_of(text_of(c)), ErrorCode::kObjectDamaged);
}

TEST(CaptureCommitGolden, Version1IsWrittenAndReadAsEver) {
  testing::expect_golden("capture-commit-v1.json", encode_capture_commit(some_commit()));
}

}  // namespace
}  // namespace lifeboat::manifest
