// Client: the etcd v3 calls Lifeboat needs, over gRPC, with failover, TLS, password auth and deadlines.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/progress.h"
#include "base/result.h"
#include "crypto/secret.h"
#include "format/etcd/sidecar.h"
#include "io/world.h"
#include "source/etcd/conversation.h"

namespace lifeboat::source {

struct ClientOptions {
  std::vector<std::string>
      endpoints;               // "https://10.0.0.1:2379", "http://…", "host:port" (plain unless TLS files are given)
  std::string ca_certificate;  // PEM text, not paths; empty: system roots for https
  std::string client_certificate;
  crypto::Secret client_key;  // PEM text
  std::string user;
  crypto::Secret password;
  std::chrono::milliseconds dial_timeout{5000};
  std::chrono::milliseconds call_timeout{30000};   // unary calls; HashKV gets ten times this
  std::chrono::milliseconds stall_timeout{60000};  // a stream that delivers nothing for so long is broken
};

struct MemberStatus {
  std::string endpoint;
  std::uint64_t cluster_id = 0, member_id = 0;
  std::string version, storage_version;
  std::int64_t revision = 0;
  std::uint64_t raft_term = 0, raft_index = 0, raft_applied_index = 0, leader = 0;
  std::int64_t db_bytes = 0, db_in_use_bytes = 0;
  bool is_learner = false;
  std::vector<std::string> errors;  // alarms and faults in the server's words
};

struct HashKvAnswer {
  std::uint32_t hash = 0;
  std::int64_t compact_revision = 0;
  std::int64_t hash_revision = 0;  // 0 before 3.6
  std::uint64_t member_id = 0;
};

struct SnapshotInfo {
  std::string endpoint;
  std::uint64_t file_bytes = 0;
  std::string version;     // 3.6+; else empty
  std::string sha256_hex;  // as the server sent it, and as computed: equal
};

// Receives the database's bytes in order. Called from one thread. `begin` announces each attempt, `file_bytes` being
// at most INT64_MAX as the server claims it: what came before in another attempt is void. An error returned here ends
// the call with that error.
class SnapshotSink {
 public:
  virtual ~SnapshotSink() = default;
  virtual Status begin(std::uint64_t file_bytes, const std::string& endpoint) = 0;
  virtual Status write(ByteView bytes) = 0;
};

class Client {
 public:
  // Validates options and certificates (kClientCertificateUnusable for an expired or mismatched one); dials lazily.
  // `clock` outlives the client.
  static Result<std::unique_ptr<Client>> make(ClientOptions options, io::Clock& clock);
  virtual ~Client() = default;

  virtual const std::vector<std::string>& endpoints() const = 0;

  // The same client, at the same connections, for work that may be stopped: the calls below but the streams, which are
  // told by themselves, end with kInterrupted soon after `cancelled` says true. It is asked several times a second, by
  // every thread that calls, and this client's own is not.
  virtual std::shared_ptr<Client> cancelled_by(std::function<bool()> cancelled) = 0;

  // Of one endpoint.
  virtual Result<MemberStatus> status(const std::string& endpoint) = 0;
  // revision 0: the current one (for an idle server). kEtcdFailed with the server's words when compacted or in the
  // future.
  virtual Result<HashKvAnswer> hash_kv(const std::string& endpoint, std::int64_t revision) = 0;

  // Of the cluster: any endpoint, the next one on failure.
  virtual Result<std::vector<etcd::Member>> members() = 0;
  virtual Result<std::vector<std::int64_t>> leases() = 0;
  struct LeaseTtl {
    std::int64_t granted_seconds = 0, remaining_seconds = 0;
  };
  virtual Result<std::optional<LeaseTtl>> lease_ttl(std::int64_t id) = 0;  // nullopt: gone
  struct RangeAnswer {
    std::int64_t revision = 0;
    std::uint64_t count = 0;
    std::vector<Bytes> keys, values;
  };
  virtual Result<RangeAnswer> range(ByteView key, ByteView range_end, std::int64_t revision, std::int64_t limit,
                                    bool count_only) = 0;

  // Counts every change of users, roles and the switch. One raft proposal a call; nullopt of a server before 3.5.
  struct AuthState {
    bool enabled = false;
    std::uint64_t revision = 0;
  };
  virtual Result<std::optional<AuthState>> auth_state() = 0;
  // The KeyValue of one key as it was at `revision` (as etcd encodes it), nullopt when there was none.
  virtual Result<std::optional<Bytes>> key_value_at(ByteView key, std::int64_t revision) = 0;

  // For watch.h: a stream on which both sides speak, at one endpoint, with a token that is renewed when refused.
  virtual ConversationEnd converse(const std::string& endpoint, const ConversationTerms& terms, Conversation& talk,
                                   const std::function<bool()>& cancelled) = 0;

  // Streams a snapshot from `preferred` (or the best endpoint: reachable, voting, most advanced), retried on another
  // endpoint when the stream breaks. Checks the SHA-256 trailer, the length against the first remaining_bytes, that
  // remaining_bytes falls as bytes come, and that no blob is empty before the end.
  virtual Result<SnapshotInfo> snapshot(const std::string& preferred, SnapshotSink& sink, Progress& progress) = 0;
};

}  // namespace lifeboat::source
