// The client's calls: requests and answers in Lifeboat's own types, and the snapshot with its
// failover.
#include "source/etcd/client.h"

#include "etcd_api.pb.h"
#include "source/etcd/endpoint_choice.h"
#include "source/etcd/rpc.h"
#include "source/etcd/session.h"
#include "source/etcd/snapshot_message.h"
#include "source/etcd/snapshot_receiver.h"

namespace lifeboat::source {
namespace {

// HashKV reads the whole key space on the server.
constexpr int kHashKvTimeoutFactor = 10;

Bytes encoded(const google::protobuf::MessageLite& message) {
  Bytes bytes(message.ByteSizeLong());
  message.SerializeToArray(bytes.data(), static_cast<int>(bytes.size()));
  return bytes;
}

template <typename Message>
Result<Message> decoded(ByteView bytes, std::string_view action) {
  Message message;
  if (message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return message;
  return fail(ErrorCode::kEtcdFailed, std::string(action) + " cannot be read", "the answer does not parse");
}

MemberStatus to_status(const std::string& endpoint, const etcdserverpb::StatusResponse& answer) {
  MemberStatus status;
  status.endpoint = endpoint;
  status.cluster_id = answer.header().cluster_id();
  status.member_id = answer.header().member_id();
  status.revision = answer.header().revision();
  status.version = answer.version();
  status.storage_version = answer.storageversion();
  status.raft_term = answer.raftterm();
  status.raft_index = answer.raftindex();
  status.raft_applied_index = answer.raftappliedindex();
  status.leader = answer.leader();
  status.db_bytes = answer.dbsize();
  status.db_in_use_bytes = answer.dbsizeinuse();
  status.is_learner = answer.islearner();
  status.errors.assign(answer.errors().begin(), answer.errors().end());
  return status;
}

etcd::Member to_member(const etcdserverpb::Member& answer) {
  etcd::Member member;
  member.id = answer.id();
  member.name = answer.name();
  member.peer_urls.assign(answer.peerurls().begin(), answer.peerurls().end());
  member.client_urls.assign(answer.clienturls().begin(), answer.clienturls().end());
  member.is_learner = answer.islearner();
  return member;
}

// What a gRPC server says of a method that it does not know.
bool says_unimplemented(const Error& error) { return error.why().find("unknown method") != std::string::npos; }

Error interrupted() { return Error(ErrorCode::kInterrupted, "the snapshot was stopped", "it was asked to stop"); }

// A stream that fails after it began is broken, whatever the transport calls it.
Error as_broken_stream(const Error& error, const std::string& endpoint, std::uint64_t received) {
  const bool transport = error.code() == ErrorCode::kEndpointUnreachable || error.code() == ErrorCode::kTimeout ||
                         error.code() == ErrorCode::kEtcdFailed;
  if (!transport) return error;
  return Error(ErrorCode::kSnapshotStreamBroken, "the snapshot stream from " + endpoint + " broke off",
               "after " + std::to_string(received) + " bytes: " + error.why());
}

class EtcdClient final : public Client {
 public:
  EtcdClient(std::shared_ptr<Session> session, std::function<bool()> cancelled)
      : session_(std::move(session)), cancelled_(std::move(cancelled)) {}

  const std::vector<std::string>& endpoints() const override { return session_->endpoints(); }
  std::shared_ptr<Client> cancelled_by(std::function<bool()> cancelled) override {
    return std::make_shared<EtcdClient>(session_, std::move(cancelled));
  }

  Result<MemberStatus> status(const std::string& endpoint) override;
  Result<HashKvAnswer> hash_kv(const std::string& endpoint, std::int64_t revision) override;
  Result<std::vector<etcd::Member>> members() override;
  Result<std::vector<std::int64_t>> leases() override;
  Result<std::optional<LeaseTtl>> lease_ttl(std::int64_t id) override;
  Result<RangeAnswer> range(ByteView key, ByteView range_end, std::int64_t revision, std::int64_t limit,
                            bool count_only) override;
  Result<std::optional<AuthState>> auth_state() override;
  Result<std::optional<Bytes>> key_value_at(ByteView key, std::int64_t revision) override;
  ConversationEnd converse(const std::string& endpoint, const ConversationTerms& terms, Conversation& talk,
                           const std::function<bool()>& cancelled) override {
    return session_->converse(endpoint, terms, talk, cancelled);
  }
  Result<SnapshotInfo> snapshot(const std::string& preferred, SnapshotSink& sink, Progress& progress) override;

 private:
  struct Attempt {
    Result<SnapshotInfo> outcome;
    bool final = false;  // another endpoint would not help
  };
  Attempt snapshot_from(const std::string& endpoint, SnapshotSink& sink, Progress& progress);
  Result<Bytes> call_any(std::string_view method, ByteView request, std::string_view action) {
    return session_->call_any(method, request, action, cancelled_);
  }

  const std::shared_ptr<Session> session_;
  const std::function<bool()> cancelled_;
};

Result<MemberStatus> EtcdClient::status(const std::string& endpoint) {
  const Bytes answer = TRY(session_->call(endpoint, "/etcdserverpb.Maintenance/Status", {},
                                          session_->options().call_timeout, "the status", cancelled_));
  return to_status(endpoint, TRY(decoded<etcdserverpb::StatusResponse>(answer, "the status")));
}

Result<HashKvAnswer> EtcdClient::hash_kv(const std::string& endpoint, std::int64_t revision) {
  etcdserverpb::HashKVRequest request;
  request.set_revision(revision);
  const Bytes bytes =
      TRY(session_->call(endpoint, "/etcdserverpb.Maintenance/HashKV", encoded(request),
                         session_->options().call_timeout * kHashKvTimeoutFactor, "the hash of the keys", cancelled_));
  const auto answer = TRY(decoded<etcdserverpb::HashKVResponse>(bytes, "the hash of the keys"));
  return HashKvAnswer{answer.hash(), answer.compact_revision(), answer.hash_revision(), answer.header().member_id()};
}

// A local read of one member: it also works without a quorum.
Result<std::vector<etcd::Member>> EtcdClient::members() {
  const Bytes bytes = TRY(call_any("/etcdserverpb.Cluster/MemberList", {}, "the list of members"));
  const auto answer = TRY(decoded<etcdserverpb::MemberListResponse>(bytes, "the list of members"));
  std::vector<etcd::Member> members;
  for (const auto& member : answer.members()) members.push_back(to_member(member));
  return members;
}

Result<std::vector<std::int64_t>> EtcdClient::leases() {
  const Bytes bytes = TRY(call_any("/etcdserverpb.Lease/LeaseLeases", {}, "the list of leases"));
  const auto answer = TRY(decoded<etcdserverpb::LeaseLeasesResponse>(bytes, "the list of leases"));
  std::vector<std::int64_t> ids;
  for (const auto& lease : answer.leases()) ids.push_back(lease.id());
  return ids;
}

Result<std::optional<Client::LeaseTtl>> EtcdClient::lease_ttl(std::int64_t id) {
  etcdserverpb::LeaseTimeToLiveRequest request;
  request.set_id(id);
  const Bytes bytes = TRY(call_any("/etcdserverpb.Lease/LeaseTimeToLive", encoded(request), "a lease"));
  const auto answer = TRY(decoded<etcdserverpb::LeaseTimeToLiveResponse>(bytes, "a lease"));
  if (answer.ttl() < 0) return std::nullopt;
  return LeaseTtl{answer.grantedttl(), answer.ttl()};
}

Result<Client::RangeAnswer> EtcdClient::range(ByteView key, ByteView range_end, std::int64_t revision,
                                              std::int64_t limit, bool count_only) {
  etcdserverpb::RangeRequest request;
  request.set_key(key.data(), key.size());
  request.set_range_end(range_end.data(), range_end.size());
  request.set_revision(revision);
  request.set_limit(limit);
  request.set_count_only(count_only);
  const Bytes bytes = TRY(call_any("/etcdserverpb.KV/Range", encoded(request), "a read of keys"));
  const auto response = TRY(decoded<etcdserverpb::RangeResponse>(bytes, "a read of keys"));
  RangeAnswer answer;
  answer.revision = response.header().revision();
  answer.count = static_cast<std::uint64_t>(response.count());
  for (const auto& kv : response.kvs()) {
    answer.keys.push_back(to_bytes(kv.key()));
    answer.values.push_back(to_bytes(kv.value()));
  }
  return answer;
}

Result<std::optional<Client::AuthState>> EtcdClient::auth_state() {
  const auto bytes = call_any("/etcdserverpb.Auth/AuthStatus", {}, "the state of authentication");
  if (!bytes) {
    if (says_unimplemented(bytes.error())) return std::nullopt;
    return std::unexpected(bytes.error());
  }
  const auto answer = TRY(decoded<etcdserverpb::AuthStatusResponse>(*bytes, "the state of authentication"));
  return AuthState{answer.enabled(), answer.authrevision()};
}

Result<std::optional<Bytes>> EtcdClient::key_value_at(ByteView key, std::int64_t revision) {
  etcdserverpb::RangeRequest request;
  request.set_key(key.data(), key.size());
  request.set_revision(revision);
  const Bytes bytes = TRY(call_any("/etcdserverpb.KV/Range", encoded(request), "a read of a key"));
  const auto answer = TRY(decoded<etcdserverpb::RangeResponse>(bytes, "a read of a key"));
  if (answer.kvs().empty()) return std::nullopt;
  return encoded(answer.kvs(0));
}

EtcdClient::Attempt EtcdClient::snapshot_from(const std::string& endpoint, SnapshotSink& sink, Progress& progress) {
  SnapshotReceiver receiver(endpoint, sink, progress);
  SnapshotMessage message;
  std::optional<Error> broken_rule;
  const auto handle = [&](std::span<const ByteView> pieces) {
    const Status accepted =
        parse_snapshot_message(pieces, message)
            ? receiver.accept(message)
            : fail(ErrorCode::kSnapshotStreamBroken, "the snapshot stream from " + endpoint + " is broken",
                   "a message of it does not parse");
    if (!accepted) broken_rule = accepted.error();
    return accepted.has_value();
  };
  const auto end = session_->stream(endpoint, "/etcdserverpb.Maintenance/Snapshot", "the snapshot", handle,
                                    [&] { return progress.cancelled(); });
  if (broken_rule) {
    const bool final = receiver.sink_refused() || !worth_asking_another(broken_rule->code());
    return {std::unexpected(*broken_rule), final};
  }
  if (end.cancelled) return {std::unexpected(interrupted()), true};
  if (end.error) {
    const Error error =
        receiver.received_bytes() == 0 ? *end.error : as_broken_stream(*end.error, endpoint, receiver.received_bytes());
    return {std::unexpected(error), !worth_asking_another(error.code())};
  }
  return {receiver.finish(), false};
}

Result<SnapshotInfo> EtcdClient::snapshot(const std::string& preferred, SnapshotSink& sink, Progress& progress) {
  if (!preferred.empty()) TRY(session_->known(preferred));
  const auto asking = cancelled_by([&] { return progress.cancelled(); });
  const auto states = ask_all(*asking);
  if (progress.cancelled()) return std::unexpected(interrupted());
  const auto choice = TRY(choose_endpoints(states, preferred));
  for (const std::string& note : choice.notes) progress.note(note);
  std::optional<Error> last;
  for (const std::string& endpoint : choice.order) {
    if (progress.cancelled()) return std::unexpected(interrupted());
    if (last) {
      progress.note(last->what() + ": " + last->why() + ". Trying " + endpoint + " now.");
    }
    auto attempt = snapshot_from(endpoint, sink, progress);
    if (attempt.outcome || attempt.final) return std::move(attempt.outcome);
    last = attempt.outcome.error();
  }
  return std::unexpected(*last);
}

}  // namespace

Result<std::unique_ptr<Client>> Client::make(ClientOptions options, io::Clock& clock) {
  std::shared_ptr<Session> session = TRY(Session::make(std::move(options), clock));
  return std::make_unique<EtcdClient>(std::move(session), [] { return false; });
}

}  // namespace lifeboat::source
