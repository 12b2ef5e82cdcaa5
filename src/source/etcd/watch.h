// Watch: every revision of an etcd from one on, whole and in order, as the records that etcd stores.
// Source: etcd v3.6 api/etcdserverpb/rpc.proto (Watch), server/etcdserver/api/v3rpc/watch.go.
#pragma once

#include <functional>
#include <optional>
#include <span>

#include "format/etcd/record.h"
#include "source/etcd/client.h"

namespace lifeboat::source {

// Who answers, as the stream says when the watch is made.
struct WatchOrigin {
  std::uint64_t cluster_id = 0, member_id = 0, raft_term = 0;
  std::int64_t revision = 0;  // of the store at that moment
};

// Called from one thread. An error returned ends the watch with that error.
class RevisionSink {
 public:
  virtual ~RevisionSink() = default;
  // Whole main revisions, ascending; the records (value bytes exactly as etcd's `key` bucket holds them) are valid
  // during the call. Sub-revisions are counted from 0 in each revision. Never empty.
  virtual Status revisions(std::span<const etcd::Record> records) = 0;
  // Everything up to `revision` was delivered: the answer to a progress request or to the watch's creation.
  virtual Status caught_up(std::int64_t revision) = 0;
  // The same when the question is known: it was sent `asked_ago` before, so every later revision is younger than that.
  virtual Status caught_up_since(std::int64_t revision, std::chrono::nanoseconds asked_ago) {
    static_cast<void>(asked_ago);
    return caught_up(revision);
  }
  // The watch stands: before any revision of this stream.
  virtual Status opened(const WatchOrigin&) { return {}; }
  // Several times a second while nothing comes.
  virtual Status idle() { return {}; }
};

enum class WatchEnd {
  kCancelled,  // the caller asked for it
  kCompacted,  // etcd no longer has the first revision asked for
  kBroken,     // the stream failed; another endpoint may carry on from the last revision delivered
};

struct WatchOutcome {
  WatchEnd end = WatchEnd::kBroken;
  std::int64_t compact_revision = 0;  // of etcd, when kCompacted
  std::optional<Error> error;         // when kBroken
};

struct WatchRequest {
  std::string endpoint;                               // one of the client's
  std::int64_t from = 1;                              // first revision wanted; may lie in the future
  std::chrono::milliseconds progress_interval{1000};  // a progress request is sent so often; 0: never
  std::chrono::milliseconds stall_timeout{10000};     // nothing at all for so long, progress marks included: broken
  // etcd cuts what is larger than 1.5 MiB into fragments, in time that grows with the square of its events: a minute
  // for 100,000 small ones. Without, up to 1,000 revisions come in one message.
  // Source: etcd v3.6 server/etcdserver/api/v3rpc/watch.go (sendFragments).
  bool fragments = true;
  // Of the fragments of one revision, which wait until it is whole: more of them breaks the watch (kEtcdFailed).
  std::size_t held_bytes_max = SIZE_MAX;
};
inline constexpr std::size_t kWholeMessageBytesMax = std::size_t{16} << 20;  // a larger one breaks a watch without

// Watches the whole key space with a leader required. Memory is bounded by the largest revision or `held_bytes_max`,
// and without fragments by a few times kWholeMessageBytesMax. The outer error is the sink's. kBroken with
// kLogRuleBroken: a revision was missing, came twice or went back. At `from` equal to etcd's compact revision etcd
// itself may have dropped records of that revision: begin above it.
Result<WatchOutcome> watch_revisions(Client& client, const WatchRequest& request, RevisionSink& sink,
                                     const std::function<bool()>& cancelled);

// The revisions [from, to] of a backlog by many staggered watches that share etcd's scans, delivered in order. Returns
// as watch_revisions does; kCancelled when all were delivered. Memory: at most `memory_bytes` wait their turn.
struct CatchUpRequest {
  std::string endpoint;
  std::int64_t from = 1, to = 0;
  unsigned watches = 100;
  std::uint64_t memory_bytes = 64ull << 20;
  std::chrono::milliseconds stall_timeout{30000};
};
Result<WatchOutcome> catch_up(Client& client, const CatchUpRequest& request, RevisionSink& sink,
                              const std::function<bool()>& cancelled);

}  // namespace lifeboat::source
