// Ids and --initial-cluster, against ids that real etcd servers and etcdutl gave.
#include "format/etcd/cluster.h"

#include <gtest/gtest.h>

namespace lifeboat::etcd {
namespace {

std::string url_of(std::string_view text) {
  const Result<std::string> url = normalise_url(text);
  return url ? *url : "refused: " + url.error().why();
}

TEST(EtcdIds, EqualThoseOfEtcdutlForThreeMembers) {
  EXPECT_EQ(member_id({"http://127.0.0.1:23792"}, "tok-restore"), 0x28a36d23fcf1305bU);
  EXPECT_EQ(member_id({"http://127.0.0.1:23794"}, "tok-restore"), 0x4d9d9e8b0337a31bU);
  EXPECT_EQ(member_id({"http://127.0.0.1:23796"}, "tok-restore"), 0x4c412db3f9c299ecU);
  EXPECT_EQ(cluster_id({0x4d9d9e8b0337a31b, 0x28a36d23fcf1305b, 0x4c412db3f9c299ec}), 0x9a4cd5d6ec6188caU);
}

TEST(EtcdIds, EqualThoseOfEtcdutlForOneMember) {
  const std::uint64_t id = member_id({"http://127.0.0.1:23791"}, "tok1");
  EXPECT_EQ(id, 0x4d39323d03f9e83bU);
  EXPECT_EQ(cluster_id({id}), 13756115146277191076U);
}

TEST(EtcdIds, DoNotDependOnTheOrderOfUrls) {
  EXPECT_EQ(member_id({"http://a:1", "http://b:2"}, "t"), member_id({"http://b:2", "http://a:1"}, "t"));
  EXPECT_NE(member_id({"http://a:1", "http://b:2"}, "t"), member_id({"http://a:1"}, "t"));
  EXPECT_NE(member_id({"http://a:1"}, "t"), member_id({"http://a:1"}, "u"));
}

TEST(EtcdUrl, IsPrintedAsGoPrintsIt) {
  EXPECT_EQ(url_of("http://10.0.0.1:2380"), "http://10.0.0.1:2380");
  EXPECT_EQ(url_of("  HTTPS://Etcd-1.Example.com:2380\n"), "https://Etcd-1.Example.com:2380");
  EXPECT_EQ(url_of("https://[fd00::1]:2380"), "https://[fd00::1]:2380");
  EXPECT_EQ(url_of("http://[fe80::1%25eth0]:2380"), "http://[fe80::1%25eth0]:2380");
  EXPECT_EQ(url_of("unix://localhost:23800"), "unix://localhost:23800");
  EXPECT_EQ(url_of("unixs:///run/etcd/peer.sock"), "unixs:///run/etcd/peer.sock");
}

TEST(EtcdUrl, SaysWhichRuleWasBroken) {
  const auto refused = [](std::string_view url, std::string_view reason) {
    const Result<std::string> result = normalise_url(url);
    ASSERT_FALSE(result) << url;
    EXPECT_EQ(result.error().code(), ErrorCode::kBadCluster);
    EXPECT_NE(result.error().why().find(reason), std::string::npos) << url << ": " << result.error().why();
  };
  refused("", "scheme://host:port");
  refused("10.0.0.1:2380", "scheme://host:port");
  refused("ftp://a:1", "http, https, unix or unixs");
  refused("http://a", "host:port");
  refused("http://a:2380/", "path");
  refused("http://a:2380/x", "path");
  refused("http://a:2380?x=1", "path");
  refused("http://:2380", "host is missing");
  refused("http://a:", "port");
  refused("http://a:65536", "port");
  refused("http://a:-1", "port");
  refused("http://a:http", "port");
  refused("http://fd00::1:2380", "host:port");
  refused("http://[fd00::1:2380", "host:port");
  refused("http://[fd00::g]:2380", "host");
  refused("http://[]:2380", "host");
  refused("http://a b:2380", "host");
  refused("http://user:pw@a:2380", "user name");
  refused("unix://", "missing");
  refused("unix:///a b", "character");
}

TEST(EtcdInitialCluster, IsReadAsEtcdutlReadsIt) {
  const auto members = parse_initial_cluster("n2=http://b:2380,,n1=http://a:2380,n2=http://b:2379,");
  ASSERT_TRUE(members) << members.error().to_string();
  ASSERT_EQ(members->size(), 2U);
  EXPECT_EQ((*members)[0].name, "n2");
  EXPECT_EQ((*members)[0].peer_urls, (std::vector<std::string>{"http://b:2379", "http://b:2380"}));
  EXPECT_EQ((*members)[1].peer_urls, std::vector<std::string>{"http://a:2380"});
}

TEST(EtcdInitialCluster, RefusesWhatCannotBeACluster) {
  for (const std::string_view text : {"", ",", "n1", "=http://a:1", "n1=", "n1=http://a", "n1=http://a:1,n2=http://a:1",
                                      "n1=http://a:1,n1=http://a:1"}) {
    const auto members = parse_initial_cluster(text);
    ASSERT_FALSE(members) << text;
    EXPECT_EQ(members.error().code(), ErrorCode::kBadCluster) << text;
  }
}

TEST(EtcdNewCluster, HasItsMembersInTheOrderOfTheirIds) {
  const auto cluster = new_cluster(
      *parse_initial_cluster("n1=http://127.0.0.1:23792,n2=http://127.0.0.1:23794,n3=http://127.0.0.1:23796"),
      "tok-restore");
  ASSERT_TRUE(cluster) << cluster.error().to_string();
  ASSERT_EQ(cluster->members.size(), 3U);
  EXPECT_EQ(cluster->members[0].name, "n1");
  EXPECT_EQ(cluster->members[1].name, "n3");
  EXPECT_EQ(cluster->members[2].name, "n2");
  EXPECT_EQ(cluster->id, 0x9a4cd5d6ec6188caU);
}

TEST(EtcdNewCluster, RefusesNamesAndUrlsGivenTwice) {
  EXPECT_FALSE(new_cluster({}, "t"));
  const auto name_twice =
      new_cluster({{.name = "a", .peer_urls = {"http://a:1"}}, {.name = "a", .peer_urls = {"http://b:1"}}}, "t");
  ASSERT_FALSE(name_twice);
  EXPECT_NE(name_twice.error().what().find("name a occurs twice"), std::string::npos);
  const auto url_twice =
      new_cluster({{.name = "a", .peer_urls = {"http://a:1"}}, {.name = "b", .peer_urls = {"http://a:1"}}}, "t");
  ASSERT_FALSE(url_twice);
  EXPECT_NE(url_twice.error().what().find("http://a:1 occurs twice"), std::string::npos);
  EXPECT_FALSE(new_cluster({{.name = "a", .peer_urls = {}}}, "t"));
}

}  // namespace
}  // namespace lifeboat::etcd
