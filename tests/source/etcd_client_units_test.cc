// The client's pure parts: endpoints, the wire form of a snapshot message, the choice of a member.
#include <gmock/gmock.h>

#include "base/varint.h"
#include "source/etcd/endpoint.h"
#include "source/etcd/endpoint_choice.h"
#include "source/etcd/refusals.h"
#include "source/etcd/rpc.h"
#include "source/etcd/snapshot_message.h"

namespace lifeboat::source {
namespace {

using ::testing::ElementsAre;

std::string target_of(std::string_view text) { return parse_endpoint(text, false).value().target; }

TEST(Endpoint, TakesWhatEtcdClientsTake) {
  EXPECT_EQ(target_of("http://10.0.0.1:2379"), "10.0.0.1:2379");
  EXPECT_EQ(target_of("https://etcd-0.example:2379/"), "etcd-0.example:2379");
  EXPECT_EQ(target_of("etcd-0"), "etcd-0:2379");
  EXPECT_EQ(target_of("[::1]:12379"), "[::1]:12379");
  EXPECT_EQ(target_of("https://[fe80::1]"), "[fe80::1]:2379");
  EXPECT_EQ(target_of("::1"), "[::1]:2379");
  EXPECT_EQ(target_of("unix:///run/etcd.sock"), "unix:/run/etcd.sock");
  EXPECT_EQ(target_of("unix:/run/etcd.sock"), "unix:/run/etcd.sock");
}

TEST(Endpoint, SpeaksTlsByItsSchemeOrElseByDefault) {
  EXPECT_TRUE(parse_endpoint("https://a:1", false).value().tls);
  EXPECT_FALSE(parse_endpoint("http://a:1", true).value().tls);
  EXPECT_TRUE(parse_endpoint("a:1", true).value().tls);
  EXPECT_FALSE(parse_endpoint("a:1", false).value().tls);
  EXPECT_TRUE(parse_endpoint("unixs:///s", false).value().tls);
}

TEST(Endpoint, RefusesWhatIsNoEndpoint) {
  for (const char* text : {"", "http://", "ftp://a:1", "a:0", "a:65536", "a:x", "[::1", "[::1]x", "http://a:1/path",
                           "http://u@a:1", "a b:1", "unix://"}) {
    const auto endpoint = parse_endpoint(text, false);
    ASSERT_FALSE(endpoint.has_value()) << text;
    EXPECT_EQ(endpoint.error().code(), ErrorCode::kBadSetting) << text;
  }
}

Bytes message_bytes(std::uint64_t remaining, std::string_view blob) {
  Bytes bytes;
  append_varint(bytes, 1 << 3 | 2);  // an empty header
  append_varint(bytes, 0);
  append_varint(bytes, 2 << 3);
  append_varint(bytes, remaining);
  append_varint(bytes, 3 << 3 | 2);
  append_varint(bytes, blob.size());
  append(bytes, as_bytes(blob));
  append_varint(bytes, 4 << 3 | 2);
  append_varint(bytes, 5);
  append(bytes, as_bytes("3.6.0"));
  append_varint(bytes, 900 << 3 | 5);  // a field of a later version
  append(bytes, as_bytes("four"));
  return bytes;
}

std::string joined(const std::vector<ByteView>& pieces) {
  std::string all;
  for (const ByteView piece : pieces) all += as_text(piece);
  return all;
}

TEST(SnapshotMessage, IsReadTheSameHoweverItIsCut) {
  const Bytes bytes = message_bytes(300'000, "the blob");
  SnapshotMessage message;
  for (std::size_t a = 0; a <= bytes.size(); ++a) {
    for (std::size_t b = a; b <= bytes.size(); ++b) {
      const ByteView whole(bytes);
      const ByteView pieces[] = {whole.first(a), whole.subspan(a, b - a), whole.subspan(b)};
      ASSERT_TRUE(parse_snapshot_message(pieces, message)) << a << " " << b;
      ASSERT_EQ(message.remaining_bytes, 300'000u);
      ASSERT_EQ(message.blob_bytes, 8u);
      ASSERT_EQ(joined(message.blob), "the blob");
      ASSERT_EQ(message.version, "3.6.0");
    }
  }
}

TEST(SnapshotMessage, RefusesAMessageThatIsCutShort) {
  const Bytes bytes = message_bytes(300'000, "the blob");
  SnapshotMessage message;
  std::vector<std::size_t> accepted;
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const ByteView pieces[] = {ByteView(bytes).first(size)};
    if (parse_snapshot_message(pieces, message)) accepted.push_back(size);
  }
  EXPECT_THAT(accepted, ElementsAre(0, 2, 6, 16, 23)) << "only ends of fields are whole messages";
}

TEST(SnapshotMessage, RefusesALengthBeyondItsBytes) {
  Bytes bytes;
  append_varint(bytes, 3 << 3 | 2);
  append_varint(bytes, ~std::uint64_t{0});
  SnapshotMessage message;
  const ByteView pieces[] = {bytes};
  EXPECT_FALSE(parse_snapshot_message(pieces, message));
}

EndpointState member(std::string endpoint, std::int64_t revision, std::uint64_t id = 1) {
  MemberStatus status;
  status.endpoint = endpoint;
  status.cluster_id = 7;
  status.member_id = id;
  status.leader = 1;
  status.revision = revision;
  return {std::move(endpoint), status};
}

EndpointState dead(const std::string& endpoint) {
  return {endpoint, fail(ErrorCode::kEndpointUnreachable, endpoint, "refused")};
}

TEST(EndpointChoice, PrefersAFollowerAtEqualRevisions) {
  const EndpointState states[] = {member("leader", 10, 1), member("follower", 10, 2), member("old", 9, 3)};
  EXPECT_THAT(choose_endpoints(states, "").value().order, ElementsAre("follower", "leader", "old"));
}

TEST(EndpointChoice, PutsThePreferredFirstIfItAnswers) {
  const EndpointState states[] = {member("a", 10), member("b", 9), dead("c")};
  EXPECT_THAT(choose_endpoints(states, "b").value().order, ElementsAre("b", "a"));
  EXPECT_THAT(choose_endpoints(states, "c").value().order, ElementsAre("a", "b"));
}

// Each member tells the alarm of the one, as etcd 3.4 to 3.6 and as etcd 3.7 print it.
TEST(EndpointChoice, PutsLearnersAndTheCorruptMemberLast) {
  for (const char* alarm :
       {"memberID:10276657743932975437 alarm:CORRUPT ", "memberID:10276657743932975437  alarm:CORRUPT",
        "memberID: 10276657743932975437 alarm: CORRUPT"}) {
    EndpointState states[] = {member("corrupt", 40, 10276657743932975437ull), member("learner", 30, 2),
                              member("good", 10, 3), member("behind", 9, 4)};
    states[1].status->is_learner = true;
    for (EndpointState& state : states) state.status->errors = {alarm};
    EXPECT_THAT(choose_endpoints(states, "").value().order, ElementsAre("good", "behind", "learner", "corrupt"));
    EXPECT_THAT(choose_endpoints(states, "corrupt").value().order.front(), "corrupt") << "a person wants it";
  }
}

TEST(EndpointChoice, RanksMembersTheSameWhateverIsRead) {
  const auto ranked = [](const MemberWish& wish) {
    std::vector<MemberStatus> members;
    for (const auto& state :
         {member("corrupt", 400, 1), member("failed", 390, 2), member("learner", 380, 3), member("leaderless", 370, 4),
          member("behind", 200, 5), member("near", 299, 6), member("newest", 300, 7)})
      members.push_back(*state.status);
    members[0].errors = {"memberID:1 alarm:CORRUPT"};
    members[2].is_learner = true;
    members[3].leader = 0;
    sort_best_first(members, wish);
    std::vector<std::string> order;
    for (const auto& status : members) order.push_back(status.endpoint);
    return order;
  };
  EXPECT_THAT(ranked({}), ElementsAre("failed", "newest", "near", "behind", "leaderless", "learner", "corrupt"));
  EXPECT_THAT(ranked({.failed_last = "failed", .lag_allowed = 110}),
              ElementsAre("near", "newest", "behind", "leaderless", "learner", "failed", "corrupt"))
      << "a small lag is none: as they are given";
  EXPECT_THAT(ranked({.preferred = "corrupt"}).front(), "corrupt") << "a person wants it";
}

TEST(EndpointChoice, TakesAnAlarmThatNamesNobodyForOneOfWhoTellsIt) {
  for (const char* alarm : {"alarm:CORRUPT", "memberID:x alarm:CORRUPT", "CORRUPT", "memberID:"}) {
    const bool is_alarm = std::string_view(alarm).contains("CORRUPT");
    EndpointState states[] = {member("tells", 20, 2), member("silent", 10, 3)};
    states[0].status->errors = {alarm};
    EXPECT_EQ(is_called_corrupt(*states[0].status), is_alarm) << alarm;
    EXPECT_THAT(choose_endpoints(states, "").value().order.front(), is_alarm ? "silent" : "tells") << alarm;
  }
}

TEST(EndpointChoice, ReportsEveryErrorWhenNoneAnswers) {
  const EndpointState states[] = {dead("a"), dead("b")};
  const auto choice = choose_endpoints(states, "");
  ASSERT_FALSE(choice.has_value());
  EXPECT_EQ(choice.error().code(), ErrorCode::kEndpointUnreachable);
  EXPECT_EQ(choice.error().why(), "a: refused; b: refused");
}

ErrorCode code_of(RpcCode code, std::string message) {
  return rpc_error({code, std::move(message)}, Endpoint{}, "a call").code();
}

TEST(RpcError, TellsApartWhatEtcdSays) {
  EXPECT_EQ(code_of(RpcCode::kInvalidArgument, "etcdserver: authentication failed, invalid user ID or password"),
            ErrorCode::kCredentialsRefused);
  EXPECT_EQ(code_of(RpcCode::kInvalidArgument, "etcdserver: user name is empty"), ErrorCode::kCredentialsRefused);
  EXPECT_EQ(code_of(RpcCode::kUnauthenticated, "etcdserver: invalid auth token"), ErrorCode::kCredentialsRefused);
  EXPECT_EQ(code_of(RpcCode::kPermissionDenied, "etcdserver: permission denied"), ErrorCode::kPermissionDenied);
  EXPECT_EQ(code_of(RpcCode::kUnavailable, "etcdserver: no leader"), ErrorCode::kEtcdFailed);
  EXPECT_EQ(code_of(RpcCode::kUnavailable, "etcdserver: request timed out"), ErrorCode::kTimeout);
  EXPECT_EQ(code_of(RpcCode::kUnavailable, "Socket closed"), ErrorCode::kEndpointUnreachable);
  EXPECT_EQ(code_of(RpcCode::kDeadlineExceeded, "Deadline Exceeded"), ErrorCode::kTimeout);
  EXPECT_EQ(code_of(RpcCode::kOutOfRange, "etcdserver: mvcc: required revision has been compacted"),
            ErrorCode::kEtcdFailed);
}

TEST(Refusals, AreToldApartByEtcdsWords) {
  const auto said = [](const char* words) { return Error(ErrorCode::kEtcdFailed, "a read failed", words); };
  const Error compacted = said("etcdserver: mvcc: required revision has been compacted");
  const Error future = said("etcdserver: mvcc: required revision is a future revision");
  EXPECT_TRUE(is_compacted(compacted) && is_future_revision(future));
  EXPECT_FALSE(is_compacted(future) || is_future_revision(compacted));
  EXPECT_FALSE(is_compacted(said("etcdserver: no leader")));
}

}  // namespace
}  // namespace lifeboat::source
