// The client against real servers: every version, several members, password authentication.
#include <gmock/gmock.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <random>
#include <thread>

#include "crypto/hash.h"
#include "recording.h"
#include "source/etcd/bare_stream.h"
#include "source/etcd/client.h"
#include "source/etcd/endpoint_choice.h"
#include "support/clock.h"
#include "support/etcd.h"
#include "support/recording_progress.h"

namespace lifeboat::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;
using namespace std::chrono_literals;

source::ClientOptions options_of(EtcdCluster& cluster, const std::string& user = {}, const std::string& password = {}) {
  source::ClientOptions options;
  for (std::size_t i = 0; i < cluster.size(); ++i) options.endpoints.push_back(cluster.member(i).client_url());
  options.user = user;
  options.password = crypto::Secret(as_bytes(password));
  options.dial_timeout = 10s;
  options.call_timeout = 30s;
  return options;
}

std::unique_ptr<source::Client> client_of(source::ClientOptions options) {
  return source::Client::make(std::move(options), real_clock()).value();
}

const Bytes kFirst = {std::byte{0}};

class EtcdClientVersions : public ::testing::TestWithParam<std::string> {};

INSTANTIATE_TEST_SUITE_P(Etcd, EtcdClientVersions, ::testing::Values("3.4", "3.5", "3.6", "3.7"),
                         [](const auto& instance) {
                           return "v" + instance.param.substr(0, 1) + "_" + instance.param.substr(2);
                         });

TEST_P(EtcdClientVersions, AnswersEveryCall) {
  EtcdCluster cluster({.version = GetParam()});
  cluster.start();
  cluster.etcdctl_ok({"put", "a", "1"});
  cluster.etcdctl_ok({"put", "b", "2"});
  cluster.etcdctl_ok({"put", "a", "3"});
  cluster.etcdctl_ok({"lease", "grant", "1000"});
  cluster.etcdctl_ok({"compact", "3"});
  const auto client = client_of(options_of(cluster));
  const std::string endpoint = client->endpoints().front();

  const auto status = client->status(endpoint);
  ASSERT_TRUE(status.has_value()) << status.error().to_string();
  EXPECT_THAT(status->version, HasSubstr(GetParam() + "."));
  EXPECT_EQ(status->revision, 4);
  EXPECT_NE(status->cluster_id, 0u);
  EXPECT_EQ(status->leader, status->member_id);
  EXPECT_GT(status->db_bytes, 0);
  EXPECT_FALSE(status->is_learner);
  EXPECT_THAT(status->errors, IsEmpty());

  const auto hash = client->hash_kv(endpoint, 4);
  ASSERT_TRUE(hash.has_value()) << hash.error().to_string();
  EXPECT_NE(hash->hash, 0u);
  EXPECT_EQ(hash->compact_revision, 3);
  EXPECT_EQ(hash->hash_revision, GetParam() < "3.6" ? 0 : 4);

  const auto members = client->members().value();
  ASSERT_THAT(members, SizeIs(1));
  EXPECT_EQ(members[0].id, status->member_id);
  EXPECT_EQ(members[0].name, "m1");
  EXPECT_THAT(members[0].client_urls, UnorderedElementsAre(endpoint));

  const auto leases = client->leases().value();
  ASSERT_THAT(leases, SizeIs(1));
  const auto ttl = client->lease_ttl(leases[0]).value();
  ASSERT_TRUE(ttl.has_value());
  EXPECT_EQ(ttl->granted_seconds, 1000);
  EXPECT_GT(ttl->remaining_seconds, 900);
  EXPECT_FALSE(client->lease_ttl(12345).value().has_value());

  const auto all = client->range(kFirst, kFirst, 0, 0, false).value();
  EXPECT_EQ(all.revision, 4);
  ASSERT_EQ(all.count, 2u);
  EXPECT_EQ(to_string(all.keys[0]), "a");
  EXPECT_EQ(to_string(all.values[0]), "3");
  EXPECT_EQ(to_string(client->range(as_bytes("a"), {}, 3, 1, false).value().values.at(0)), "1");
  const auto counted = client->range(kFirst, kFirst, 0, 0, true).value();
  EXPECT_EQ(counted.count, 2u);
  EXPECT_THAT(counted.keys, IsEmpty());
}

TEST_P(EtcdClientVersions, GivesTheServersWordsForRevisionsItCannotHash) {
  EtcdCluster cluster({.version = GetParam()});
  cluster.start();
  for (const char* value : {"1", "2", "3"}) cluster.etcdctl_ok({"put", "a", value});
  cluster.etcdctl_ok({"compact", "3"});
  const auto client = client_of(options_of(cluster));
  const std::string endpoint = client->endpoints().front();
  const auto compacted = client->hash_kv(endpoint, 2);
  ASSERT_FALSE(compacted.has_value());
  EXPECT_EQ(compacted.error().code(), ErrorCode::kEtcdFailed);
  EXPECT_THAT(compacted.error().why(), HasSubstr("compacted"));
  const auto future = client->hash_kv(endpoint, 400);
  ASSERT_FALSE(future.has_value());
  EXPECT_EQ(future.error().code(), ErrorCode::kEtcdFailed);
  EXPECT_THAT(future.error().why(), HasSubstr("future"));
}

// etcd 3.6 and later write the storage version into the database a moment after their start, and a snapshot names the
// version only from then on.
void wait_for_storage_version(source::Client& client, const std::string& version) {
  if (version < "3.6") return;
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (std::chrono::steady_clock::now() < until) {
    const auto status = client.status(client.endpoints().front());
    // Until the database names one, the status tells what its schema looks like: that of 3.5.
    if (status && status->storage_version.starts_with(version)) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  FAIL() << "etcd " << version << " never named a storage version";
}

TEST_P(EtcdClientVersions, ReceivesTheSnapshotWithItsChecksum) {
  EtcdCluster cluster({.version = GetParam()});
  cluster.start();
  for (int i = 0; i < 20; ++i) cluster.etcdctl_ok({"put", "key-" + std::to_string(i), std::string(50'000, 'v')});
  const auto client = client_of(options_of(cluster));
  wait_for_storage_version(*client, GetParam());
  RecordingSink sink;
  RecordingProgress progress;
  const auto info = client->snapshot("", sink, progress);
  ASSERT_TRUE(info.has_value()) << info.error().to_string();
  EXPECT_EQ(info->file_bytes, sink.bytes.size());
  EXPECT_GT(sink.bytes.size(), 1'000'000u);
  EXPECT_EQ(info->file_bytes, static_cast<std::uint64_t>(client->status(info->endpoint).value().db_bytes));
  EXPECT_EQ(info->sha256_hex, crypto::sha256(as_bytes(sink.bytes)).text());
  EXPECT_EQ(info->version.empty(), GetParam() < "3.6") << info->version;
  EXPECT_EQ(source::receive_bare_snapshot(options_of(cluster), info->endpoint, real_clock()).value(), info->file_bytes);
}

TEST_P(EtcdClientVersions, LogsInWithAPassword) {
  EtcdCluster cluster({.version = GetParam()});
  cluster.start();
  cluster.etcdctl_ok({"put", "a", "1"});
  cluster.enable_auth();
  const auto client = client_of(options_of(cluster, "root", cluster.password()));
  const std::string endpoint = client->endpoints().front();
  EXPECT_TRUE(client->hash_kv(endpoint, 2).has_value());
  EXPECT_EQ(client->range(as_bytes("a"), {}, 0, 0, false).value().count, 1u);
  RecordingSink sink;
  RecordingProgress progress;
  const auto info = client->snapshot("", sink, progress);
  EXPECT_TRUE(info.has_value()) << info.error().to_string();
}

// Each client has asked while authentication was off, and knows that no token was to be had.
TEST_P(EtcdClientVersions, LogsInWhenAuthenticationIsTurnedOnMeanwhile) {
  EtcdCluster cluster({.version = GetParam()});
  cluster.start();
  cluster.etcdctl_ok({"put", "a", "1"});
  std::vector<std::unique_ptr<source::Client>> clients;
  for (int i = 0; i < 4; ++i) {
    clients.push_back(client_of(options_of(cluster, "root", "secret")));
    ASSERT_TRUE(clients.back()->range(kFirst, kFirst, 0, 0, true).has_value());
  }
  const auto expect_all_calls = [&] {
    const auto read = clients[0]->range(kFirst, kFirst, 0, 0, true);
    EXPECT_TRUE(read.has_value()) << read.error().to_string();
    const auto hash = clients[1]->hash_kv(clients[1]->endpoints().front(), 2);
    EXPECT_TRUE(hash.has_value()) << hash.error().to_string();
    RecordingSink sink;
    RecordingProgress progress;
    const auto info = clients[2]->snapshot("", sink, progress);
    EXPECT_TRUE(info.has_value()) << info.error().to_string();
    const auto leases = clients[3]->leases();
    EXPECT_TRUE(leases.has_value()) << leases.error().to_string();
  };
  for (int round = 0; round < 2; ++round) {
    if (round == 0) {
      cluster.enable_auth("secret");
    } else {
      cluster.etcdctl_ok({"auth", "enable"});
      cluster.use_password("secret");
    }
    expect_all_calls();
    cluster.etcdctl_ok({"auth", "disable"});
    cluster.use_password("");
    expect_all_calls();
  }
}

TEST(EtcdClientAuth, StaysRefusedWithAWrongPasswordWhenAuthenticationIsTurnedOn) {
  EtcdCluster cluster;
  cluster.start();
  const auto client = client_of(options_of(cluster, "root", "wrong"));
  ASSERT_TRUE(client->range(kFirst, kFirst, 0, 0, true).has_value());
  cluster.enable_auth("secret");
  const auto refused = client->range(kFirst, kFirst, 0, 0, true);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code(), ErrorCode::kCredentialsRefused) << refused.error().to_string();
}

TEST_P(EtcdClientVersions, TakesNoSnapshotFromTheMemberThatAnAlarmCallsCorrupt) {
  EtcdCluster cluster({.version = GetParam(), .members = 3});
  cluster.start();
  cluster.etcdctl_ok({"put", "a", "1"});
  const auto client = client_of(options_of(cluster));
  RecordingSink sink;
  RecordingProgress progress;
  const std::string corrupt = client->snapshot("", sink, progress).value().endpoint;
  cluster.raise_corrupt_alarm(client->status(corrupt).value().member_id);
  ASSERT_TRUE(wait_until(
      [&] {
        return std::ranges::all_of(client->endpoints(), [&](const auto& endpoint) {
          return !client->status(endpoint).value().errors.empty();
        });
      },
      30));
  for (const std::string& endpoint : client->endpoints()) {
    const auto status = client->status(endpoint).value();
    EXPECT_EQ(source::is_called_corrupt(status), endpoint == corrupt) << status.errors.front();
  }
  EXPECT_NE(client->snapshot("", sink, progress).value().endpoint, corrupt);
}

TEST_P(EtcdClientVersions, TellsApartAWrongPasswordAMissingUserAndAMissingRole) {
  EtcdCluster cluster({.version = GetParam()});
  cluster.start();
  cluster.etcdctl_ok({"user", "add", "reader:secret"});
  cluster.enable_auth();
  const auto snapshot_error = [&](const std::string& user, const std::string& password) {
    RecordingSink sink;
    RecordingProgress progress;
    const auto result = client_of(options_of(cluster, user, password))->snapshot("", sink, progress);
    return result ? Error(ErrorCode::kInternal, "accepted") : result.error();
  };
  EXPECT_EQ(snapshot_error("root", "wrong").code(), ErrorCode::kCredentialsRefused);
  EXPECT_EQ(snapshot_error("nobody", "wrong").code(), ErrorCode::kCredentialsRefused);
  const Error anonymous = snapshot_error("", "");
  EXPECT_EQ(anonymous.code(), ErrorCode::kCredentialsRefused) << anonymous.to_string();
  EXPECT_THAT(anonymous.fix(), HasSubstr("--user"));
  const Error reader = snapshot_error("reader", "secret");
  EXPECT_EQ(reader.code(), ErrorCode::kPermissionDenied) << reader.to_string();
}

TEST(EtcdClientAuth, IgnoresAUserWhenAuthenticationIsOff) {
  EtcdCluster cluster;
  cluster.start();
  EXPECT_TRUE(client_of(options_of(cluster, "root", "whatever"))->members().has_value());
}

// Places in the memory of this process where the bytes of `masked`, each changed by kMask, stand.
constexpr std::byte kMask{0x5a};
int places_in_memory(const Bytes& masked) {
  std::ifstream maps("/proc/self/maps");
  std::ifstream memory("/proc/self/mem", std::ios::binary);
  std::vector<std::pair<std::uint64_t, std::uint64_t>> regions;
  for (std::string line; std::getline(maps, line);) {
    unsigned long from = 0, to = 0;
    char mode[5] = {};
    const bool writable = std::sscanf(line.c_str(), "%lx-%lx %4s", &from, &to, mode) == 3 && mode[1] == 'w';
    if (writable && to - from < 1ul << 32) regions.emplace_back(from, to);  // a sanitizer's shadow has terabytes
  }
  int places = 0;
  std::vector<char> piece(1 << 16);  // what it takes over is not looked at again
  for (const auto& [from, to] : regions) {
    for (std::uint64_t at = from; at < to; at += piece.size() - masked.size()) {
      memory.clear();
      memory.seekg(static_cast<std::streamoff>(at));
      memory.read(piece.data(), static_cast<std::streamsize>(std::min<std::uint64_t>(piece.size(), to - at)));
      const auto end = piece.begin() + memory.gcount();
      const auto found = std::search(piece.begin(), end, masked.begin(), masked.end(), [](char byte, std::byte hidden) {
        return static_cast<std::byte>(byte) == (hidden ^ kMask);
      });
      if (found != end) ++places;
      std::ranges::fill(piece, '\0');
    }
  }
  return places;
}

TEST(EtcdClientAuth, LeavesNoPasswordInMemory) {
  EtcdCluster cluster;
  cluster.start();
  source::ClientOptions options = options_of(cluster);
  options.user = "root";
  // Long, so that what is freed is not overwritten by chance; a part from the middle stands for it.
  options.password = crypto::Secret(20'000);
  std::random_device random;
  for (std::byte& byte : options.password.view()) byte = static_cast<std::byte>('a' + random() % 26);
  Bytes masked;
  for (const std::byte byte : options.password.view().subspan(10'000, 48)) masked.push_back(byte ^ kMask);
  auto client = client_of(std::move(options));
  EXPECT_EQ(places_in_memory(masked), 1) << "of the one who may need it again";
  EXPECT_TRUE(client->members().has_value());
  EXPECT_EQ(places_in_memory(masked), 1) << "nor what was sent";
  client.reset();
  EXPECT_EQ(places_in_memory(masked), 0);
}

TEST(EtcdClientAuth, RenewsATokenThatHasExpired) {
  EtcdCluster cluster({.version = "3.6", .flags = {"--auth-token-ttl=1"}});
  cluster.start();
  cluster.enable_auth();
  const auto client = client_of(options_of(cluster, "root", cluster.password()));
  const std::string endpoint = client->endpoints().front();
  const auto revision = client->range(kFirst, kFirst, 0, 0, true).value().revision;
  for (int i = 0; i < 2; ++i) {
    sleep_ms(3000);
    const auto hash = client->hash_kv(endpoint, revision);
    EXPECT_TRUE(hash.has_value()) << hash.error().to_string();
    sleep_ms(3000);
    RecordingSink sink;
    RecordingProgress progress;
    const auto info = client->snapshot("", sink, progress);
    EXPECT_TRUE(info.has_value()) << info.error().to_string();
  }
}

TEST(EtcdClientAuth, LogsInAnewWhenTheServerHasForgottenTheToken) {
  EtcdCluster cluster;
  cluster.start();
  cluster.enable_auth();
  const auto client = client_of(options_of(cluster, "root", cluster.password()));
  ASSERT_TRUE(client->leases().has_value());
  cluster.member().stop();
  cluster.member().start();
  const auto again = client->range(kFirst, kFirst, 0, 0, true);
  EXPECT_TRUE(again.has_value()) << again.error().to_string();
}

TEST(EtcdClientFailover, AnswersFromTheMembersThatAreLeft) {
  EtcdCluster cluster({.members = 3});
  cluster.start();
  cluster.etcdctl_ok({"put", "a", "1"});
  const auto client = client_of(options_of(cluster));
  EXPECT_THAT(client->members().value(), SizeIs(3));
  cluster.member(0).kill();
  ASSERT_TRUE(wait_until([&] { return cluster.member(1).healthy(); }, 30));
  EXPECT_THAT(client->members().value(), SizeIs(3));
  EXPECT_EQ(client->range(as_bytes("a"), {}, 0, 0, false).value().count, 1u);
  RecordingSink sink;
  RecordingProgress progress;
  const std::string dead = cluster.member(0).client_url();
  const auto info = client->snapshot(dead, sink, progress);
  ASSERT_TRUE(info.has_value()) << info.error().to_string();
  EXPECT_NE(info->endpoint, dead);
  EXPECT_THAT(progress.sentences, ::testing::Contains(HasSubstr(dead + " does not answer")));
}

TEST(EtcdClientFailover, NeedsNoQuorumForMembersAndSnapshot) {
  EtcdCluster cluster({.members = 3});
  cluster.start();
  cluster.member(0).kill();
  cluster.member(1).kill();
  const auto client = client_of(options_of(cluster));
  EXPECT_THAT(client->members().value(), SizeIs(3));
  RecordingSink sink;
  RecordingProgress progress;
  const auto info = client->snapshot("", sink, progress);
  ASSERT_TRUE(info.has_value()) << info.error().to_string();
  EXPECT_EQ(info->endpoint, cluster.member(2).client_url());
}

TEST(EtcdClientFailover, GivesUpOnAFrozenMemberInTime) {
  EtcdCluster cluster({.members = 3});
  cluster.start();
  auto options = options_of(cluster);
  options.call_timeout = 4s;  // long enough for the members that answer on a busy machine
  const auto client = client_of(std::move(options));
  ASSERT_TRUE(client->status(client->endpoints()[0]).has_value());
  cluster.member(0).pause();
  const auto status = client->status(client->endpoints()[0]);
  RecordingSink sink;
  RecordingProgress progress;
  const auto info = client->snapshot("", sink, progress);
  cluster.member(0).resume();
  ASSERT_FALSE(status.has_value());
  EXPECT_EQ(status.error().code(), ErrorCode::kTimeout) << status.error().to_string();
  ASSERT_TRUE(info.has_value()) << info.error().to_string();
  EXPECT_NE(info->endpoint, cluster.member(0).client_url());
}

TEST(EtcdClientFailover, NamesEveryEndpointWhenNoneAnswers) {
  source::ClientOptions options;
  options.endpoints = {"http://127.0.0.1:1", "http://127.0.0.1:2"};
  options.dial_timeout = 10s;
  const auto members = client_of(std::move(options))->members();
  ASSERT_FALSE(members.has_value());
  EXPECT_EQ(members.error().code(), ErrorCode::kEndpointUnreachable);
  EXPECT_THAT(members.error().why(), HasSubstr("127.0.0.1:1: Connection refused"));
  EXPECT_THAT(members.error().why(), HasSubstr("127.0.0.1:2: Connection refused"));
}

TEST(EtcdClientFailover, ReconnectsToAMemberThatComesBack) {
  EtcdCluster cluster;
  cluster.start();
  const auto client = client_of(options_of(cluster));
  const std::string endpoint = client->endpoints().front();
  ASSERT_TRUE(client->status(endpoint).has_value());
  cluster.member().kill();
  const auto down = client->status(endpoint);
  ASSERT_FALSE(down.has_value());
  EXPECT_EQ(down.error().code(), ErrorCode::kEndpointUnreachable) << down.error().to_string();
  cluster.member().start();
  const auto up = client->status(endpoint);
  EXPECT_TRUE(up.has_value()) << up.error().to_string();
}

}  // namespace
}  // namespace lifeboat::testing
