// The sidecar: rows kept verbatim, typed readers, the stored form.
#include "format/etcd/sidecar.h"

#include <gtest/gtest.h>

#include "base/endian.h"

namespace lifeboat::etcd {
namespace {

Bytes from_hex(std::string_view text) {
  Bytes out(text.size() / 2);
  EXPECT_TRUE(parse_hex(text, out)) << text;
  return out;
}

Bytes be64(std::uint64_t value) {
  Bytes out;
  append_be(out, value);
  return out;
}

Sidecar sample() {
  Sidecar sidecar;
  sidecar.set("meta", "consistent_index", be64(77));
  sidecar.set("meta", "term", be64(4));
  sidecar.set("meta", "storageVersion", as_bytes("3.6.0"));
  sidecar.set("meta", "scheduledCompactRev", from_hex("00000000000000095f0000000000000000"));
  sidecar.set("meta", "finishedCompactRev", from_hex("00000000000000085f0000000000000000"));
  sidecar.set("cluster", "clusterVersion", as_bytes("3.6.0"));
  sidecar.set("lease", as_text(lease_key(1000)), encode_lease({.id = 1000, .ttl_seconds = 60}));
  sidecar.set("auth", "authEnabled", from_hex("01"));
  sidecar.set("auth", "authRevision", be64(5));
  sidecar.set("authUsers", "root", from_hex("0a04726f6f74"));
  sidecar.set("authRoles", "root", from_hex("0a04726f6f74"));
  sidecar.set("members", "38940ad5cc050ae",
              as_bytes(R"({"id":254805967252770990,"peerURLs":["http://h:2380"],"name":"m1"})"));
  sidecar.set("alarm", as_text(from_hex("08ae0a1001")), {});
  sidecar.get_or_add("members_removed");
  return sidecar;
}

TEST(EtcdSidecar, KeepsBucketsAndRowsInBytewiseOrder) {
  Sidecar sidecar;
  sidecar.set("meta", "b", as_bytes("2"));
  sidecar.set("alarm", "x", {});
  sidecar.set("meta", "a", as_bytes("1"));
  sidecar.set("meta", "b", as_bytes("3"));
  ASSERT_EQ(sidecar.buckets.size(), 2U);
  EXPECT_EQ(sidecar.buckets[0].name, "alarm");
  ASSERT_EQ(sidecar.buckets[1].rows.size(), 2U);
  EXPECT_EQ(as_text(sidecar.buckets[1].rows[0].key), "a");
  EXPECT_EQ(as_text(sidecar.value("meta", "b").value()), "3");
  sidecar.erase("meta", "b");
  sidecar.erase("meta", "never there");
  sidecar.erase("no bucket", "b");
  EXPECT_FALSE(sidecar.value("meta", "b"));
  EXPECT_EQ(sidecar.find("no bucket"), nullptr);
}

TEST(EtcdSidecar, ReadsEveryTypedRow) {
  const Sidecar sidecar = sample();
  EXPECT_EQ(sidecar.consistent_index(), 77U);
  EXPECT_EQ(sidecar.term(), 4U);
  EXPECT_EQ(sidecar.storage_version(), "3.6.0");
  EXPECT_EQ(sidecar.cluster_version(), "3.6.0");
  EXPECT_EQ(sidecar.scheduled_compact_revision(), 9);
  EXPECT_EQ(sidecar.finished_compact_revision(), 8);
  EXPECT_TRUE(sidecar.auth_enabled());
  EXPECT_EQ(sidecar.auth_revision(), 5U);
  EXPECT_EQ(sidecar.user_names(), std::vector<std::string>{"root"});
  EXPECT_EQ(sidecar.role_names(), std::vector<std::string>{"root"});
  const auto leases = sidecar.leases();
  ASSERT_TRUE(leases) << leases.error().to_string();
  EXPECT_EQ(*leases, (std::vector<Lease>{{.id = 1000, .ttl_seconds = 60}}));
  const auto members = sidecar.members();
  ASSERT_TRUE(members) << members.error().to_string();
  ASSERT_EQ(members->size(), 1U);
  EXPECT_EQ(members->front().id, 0x38940ad5cc050aeU);
  EXPECT_EQ(members->front().name, "m1");
  const auto alarms = sidecar.alarms();
  ASSERT_TRUE(alarms) << alarms.error().to_string();
  ASSERT_EQ(alarms->size(), 1U);
  EXPECT_EQ(alarms->front().member_id, 1326U);
  EXPECT_EQ(alarms->front().type, 1);
}

TEST(EtcdSidecar, AnswersAbsentRowsWithTheirEmptyValue) {
  const Sidecar empty;
  EXPECT_EQ(empty.consistent_index(), 0U);
  EXPECT_EQ(empty.finished_compact_revision(), 0);
  EXPECT_EQ(empty.storage_version(), "");
  EXPECT_FALSE(empty.auth_enabled());
  EXPECT_TRUE(empty.leases()->empty());
  EXPECT_TRUE(empty.members()->empty());
  EXPECT_TRUE(empty.alarms()->empty());
  EXPECT_TRUE(empty.user_names().empty());
}

TEST(EtcdSidecar, NamesARowThatDoesNotParse) {
  Sidecar sidecar = sample();
  sidecar.set("lease", as_text(lease_key(2000)), encode_lease({.id = 2001, .ttl_seconds = 1}));
  ASSERT_FALSE(sidecar.leases());
  EXPECT_EQ(sidecar.leases().error().code(), ErrorCode::kDatabaseDamaged);
  EXPECT_NE(sidecar.leases().error().to_string().find("lease"), std::string::npos);

  sidecar.set("lease", as_text(lease_key(2000)), from_hex("08"));
  EXPECT_FALSE(sidecar.leases());

  sidecar.set("members", "1", as_bytes(R"({"id":2})"));
  ASSERT_FALSE(sidecar.members());
  EXPECT_NE(sidecar.members().error().why().find("another member"), std::string::npos);

  sidecar.set("alarm", as_text(from_hex("0a0161")), {});
  EXPECT_FALSE(sidecar.alarms());
}

TEST(EtcdSidecar, DecodesWhatItEncodedAndEncodesTheSameBytesAgain) {
  const Sidecar sidecar = sample();
  const Bytes stored = sidecar.encode();
  const Result<Sidecar> again = Sidecar::decode(stored);
  ASSERT_TRUE(again) << again.error().to_string();
  EXPECT_EQ(*again, sidecar);
  EXPECT_EQ(again->encode(), stored);
  EXPECT_EQ(*Sidecar::decode(Sidecar{}.encode()), Sidecar{});
}

TEST(EtcdSidecar, HasAStoredFormThatNeverChanges) {
  Sidecar sidecar;
  sidecar.set("meta", "term", be64(1));
  sidecar.get_or_add("alarm");
  EXPECT_EQ(hex(sidecar.encode()),
            "4c425343"
            "01"
            "02"
            "05616c61726d"
            "00"
            "046d657461"
            "01"
            "047465726d"
            "080000000000000001");
}

TEST(EtcdSidecar, RefusesEveryCutOfItsStoredForm) {
  const Bytes stored = sample().encode();
  for (std::size_t size = 0; size < stored.size(); ++size) {
    ASSERT_FALSE(Sidecar::decode(ByteView(stored).first(size))) << size;
  }
  Bytes longer = stored;
  longer.push_back(std::byte{0});
  EXPECT_FALSE(Sidecar::decode(longer));
}

TEST(EtcdSidecar, RefusesCountsLengthsAndOrdersThatCannotBe) {
  const std::string start = "4c42534301";
  EXPECT_FALSE(Sidecar::decode(from_hex(start + "ffffffff0f"))) << "more buckets than bytes";
  EXPECT_FALSE(Sidecar::decode(from_hex(start + "01016dffffffff0f"))) << "more rows than bytes";
  EXPECT_FALSE(Sidecar::decode(from_hex(start + "0101"
                                                "6d01"
                                                "ffffffffffffffffff01")))
      << "a key of 2^64-1";
  EXPECT_FALSE(Sidecar::decode(from_hex(start + "02016d00016100"))) << "buckets descend";
  EXPECT_FALSE(Sidecar::decode(from_hex(start + "01016d02"
                                                "016200"
                                                "016100")))
      << "rows descend";
  EXPECT_FALSE(Sidecar::decode(from_hex(start + "01016d01"
                                                "000161")))
      << "a row without a key";
  EXPECT_EQ(Sidecar::decode(from_hex("4c4253430200")).error().code(), ErrorCode::kRepoVersionUnknown);
}

TEST(EtcdLease, IsEncodedAsEtcdDoesWithZerosLeftOut) {
  EXPECT_EQ(hex(encode_lease({.id = 0x3e8, .ttl_seconds = 60})), "08e807103c");
  EXPECT_EQ(hex(encode_lease({.id = 1, .ttl_seconds = 60, .remaining_ttl_seconds = 5})), "0801103c1805");
  EXPECT_EQ(hex(lease_key(1000)), "00000000000003e8");
}

TEST(EtcdMember, IsPrintedAsGoPrintsIt) {
  const Member member{.id = 5564534052234061883,
                      .name = "m1",
                      .peer_urls = {"http://h:2380"},
                      .client_urls = {"http://h:2379"},
                      .is_learner = true};
  EXPECT_EQ(member_json(member),
            R"({"id":5564534052234061883,"peerURLs":["http://h:2380"],"isLearner":true,"name":"m1",)"
            R"("clientURLs":["http://h:2379"]})");
  EXPECT_EQ(member_json({.id = 18446744073709551615U, .name = {}, .peer_urls = {}, .client_urls = {}}),
            R"({"id":18446744073709551615,"peerURLs":[]})");
  EXPECT_EQ(id_text(0x38940ad5cc050ae), "38940ad5cc050ae");
}

TEST(EtcdMember, SurvivesARoundTripWithAnyName) {
  const Member member{.id = ~std::uint64_t{0},
                      .name = "a\"b\\c\n<&>\x01\u2028 \u00e9\U0001F600",
                      .peer_urls = {"http://a:1", "http://b:2"},
                      .client_urls = {}};
  const std::string json = member_json(member);
  EXPECT_NE(json.find(R"(a\"b\\c\n\u003c\u0026\u003e\u0001\u2028 )"), std::string::npos) << json;
  const Result<Member> again = parse_member_json(json);
  ASSERT_TRUE(again) << again.error().to_string();
  EXPECT_EQ(*again, member);
}

TEST(EtcdMember, PrintsBadUtf8AsGoDoes) {
  EXPECT_EQ(member_json({.id = 1,
                         .name = "a\xff"
                                 "b\xc3",
                         .peer_urls = {},
                         .client_urls = {}}),
            R"({"id":1,"peerURLs":[],"name":"a\ufffdb\ufffd"})");
}

TEST(EtcdMember, RefusesWhatIsNoMember) {
  for (const std::string_view json :
       {"", "null", "[]", "{}", R"({"id":-1})", R"({"id":1.5})", R"({"id":"1"})", R"({"id":1,"peerURLs":"x"})",
        R"({"id":1,"peerURLs":[1]})", R"({"id":1,"name":7})", R"({"id":1,"isLearner":1})", R"({"id":1)"}) {
    const Result<Member> member = parse_member_json(json);
    ASSERT_FALSE(member) << json;
    EXPECT_EQ(member.error().code(), ErrorCode::kDatabaseDamaged);
  }
  EXPECT_TRUE(parse_member_json(R"({"id":1,"peerURLs":null,"clientURLs":null,"extra":{}})"));
}

}  // namespace
}  // namespace lifeboat::etcd
