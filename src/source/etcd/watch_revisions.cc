// One watch of the whole key space: revisions as they come, and progress marks.
#include "source/etcd/watch.h"

#include <deque>
#include <utility>

#include <fmt/format.h>

#include "source/etcd/revision_joiner.h"
#include "source/etcd/watch_stream.h"

namespace lifeboat::source {
namespace {

using Steady = std::chrono::steady_clock;

constexpr std::int64_t kWatchId = 1;
constexpr std::int64_t kNeverReached = std::int64_t{1} << 62;  // a revision
// etcd sends each new revision by itself, and a wake-up costs more than reading its 2 KB. A hundredth of the time
// between two flushes is not missed.
constexpr std::chrono::milliseconds kGather{10};

// When progress was asked for. etcd answers in order, and drops a question silently when its hands
// are full: so an answer belongs to the oldest open question at the earliest, which is the safe
// side.
class Questions {
 public:
  explicit Questions(std::chrono::milliseconds interval) : interval_(interval) {}

  bool is_due(Steady::time_point now) {
    if (interval_.count() == 0 || now - last_ < interval_) return false;
    if (open_.size() < kMostOpen) return true;
    if (now - last_ < kGivenUp) return false;
    open_.clear();
    return true;
  }
  void asked(Steady::time_point now) {
    last_ = now;
    open_.push_back(now);
  }
  std::optional<Steady::time_point> answered() {
    if (open_.empty()) return std::nullopt;
    const auto at = open_.front();
    open_.pop_front();
    return at;
  }

 private:
  static constexpr std::size_t kMostOpen = 8;
  static constexpr std::chrono::seconds kGivenUp{10};
  std::chrono::milliseconds interval_;
  std::deque<Steady::time_point> open_;
  Steady::time_point last_;
};

class RevisionWatch final : public WatchConversation {
 public:
  RevisionWatch(const WatchRequest& request, RevisionSink& sink)
      : WatchConversation(sink),
        request_(request),
        next_(request.from),
        joiner_(request.from),
        questions_(request.progress_interval) {}

  // Goes on behind what was delivered, which would come twice.
  void begin() override {
    ++attempt_;
    joiner_ = RevisionJoiner(next_);
    ahead_since_.reset();
    created_ = requested_ = is_early_ = false;
    probe_ = kWatchId;
    probing_ = false;
    probed_.reset();
    questions_ = Questions(request_.progress_interval);
  }

  std::optional<Bytes> request() override {
    const auto now = Steady::now();
    if (!requested_) {
      requested_ = true;
      questions_.asked(now);
      return watch_create_request(kWatchId, next_, request_.fragments);
    }
    if (probed_) return watch_cancel_request(*std::exchange(probed_, std::nullopt));
    if (!created_ || probing_ || !questions_.is_due(now)) return std::nullopt;
    questions_.asked(now);
    return is_early_ ? probe() : watch_progress_request();
  }

  RpcResult<bool> message(std::span<const ByteView> pieces) override {
    const Bytes bytes = join_pieces(pieces);
    if (!parse_watch_message(bytes, message_)) return end_with(broken(unreadable_message()));
    const bool refuses_probe = probing_ && message_.canceled && message_.watch_id != kWatchId;  // names no watch
    if (refuses_probe || message_.watch_id > kWatchId) return answered_probe();
    if (message_.canceled) return refused();
    if (message_.created) return created();
    if (!message_.events.empty()) return deliver();
    if (message_.watch_id == kWatchId) return mark(std::chrono::nanoseconds::max());
    const auto asked = questions_.answered();
    return mark(asked ? Steady::now() - *asked : std::chrono::nanoseconds::max());
  }

 private:
  // etcd answers no question about a watch whose first revision is still to come. Its answer to a further watch, of
  // nothing, tells as much. [etcd v3.6 server/storage/mvcc/watchable_store.go, progressIfSync]
  Bytes probe() {
    probing_ = true;
    return watch_create_request(++probe_, kNeverReached);
  }

  // A refusal is an answer, too: the watch that is there goes on, also where another would need a user by now.
  bool answered_probe() {
    if (!probing_ || (message_.watch_id > kWatchId && message_.watch_id != probe_)) return true;
    probing_ = false;
    const auto asked = questions_.answered();
    if (message_.canceled) return true;
    probed_ = probe_;
    if (message_.revision >= next_) is_early_ = false;
    return mark(asked ? Steady::now() - *asked : std::chrono::nanoseconds::max());
  }

  RpcResult<bool> refused() {
    const WatchRefusal refusal = refusal_of(message_, attempt_);
    if (!refusal.compact_revision) return std::unexpected(refusal.failure);
    return end_with({.end = WatchEnd::kCompacted, .compact_revision = *refusal.compact_revision, .error = {}});
  }

  bool created() {
    created_ = true;
    is_early_ = message_.revision < next_;
    const auto asked = questions_.answered();
    const WatchOrigin origin{message_.cluster_id, message_.member_id, message_.raft_term, message_.revision};
    if (!keep(sink().opened(origin))) return false;
    return mark(asked ? Steady::now() - *asked : std::chrono::nanoseconds::max());
  }

  bool deliver() {
    if (const Status joined = joiner_.add(message_.events, message_.fragment); !joined)
      return end_with(broken(joined.error()));
    if (joiner_.held_bytes() > request_.held_bytes_max) return end_with(broken(too_large()));
    ahead_since_.reset();
    is_early_ = false;
    if (joiner_.whole().empty()) return true;
    next_ = joiner_.reached() + 1;
    return keep(sink().revisions(joiner_.whole()));
  }

  Error too_large() const {
    return {ErrorCode::kEtcdFailed, "a revision is too large for a watch",
            fmt::format("more than {} bytes are held of revision {}, and it goes on", request_.held_bytes_max,
                        message_.events.back().mod_revision)};
  }

  // Every revision has a record, so a true mark names the last revision delivered, or one before
  // the first wanted. Servers before 3.4.25 and 3.5.8 send marks ahead of their events: those are
  // waited out.
  bool mark(std::chrono::nanoseconds asked_ago) {
    const bool before_first = joiner_.reached() < request_.from && message_.revision < joiner_.reached();
    if (before_first || (message_.revision == joiner_.reached() && !joiner_.in_between())) {
      ahead_since_.reset();
      return keep(sink().caught_up_since(message_.revision, asked_ago));
    }
    if (message_.revision < joiner_.reached() || message_.created) return true;
    const auto now = Steady::now();
    if (!ahead_since_) ahead_since_ = now;
    if (now - *ahead_since_ < request_.stall_timeout) return true;
    return end_with(broken(Error(ErrorCode::kLogRuleBroken, "the watch broke a rule of the log",
                                 "etcd says that revision " + std::to_string(message_.revision) +
                                     " was delivered, but " + std::to_string(joiner_.reached()) + " was the last")));
  }

  const WatchRequest& request_;
  std::int64_t next_;  // the first revision that was not delivered
  RevisionJoiner joiner_;
  Questions questions_;
  WatchMessage message_;
  int attempt_ = 0;
  std::int64_t probe_ = kWatchId;       // the last one's id
  bool probing_ = false;                // it was not answered yet
  std::optional<std::int64_t> probed_;  // one that was, and is to be cancelled
  bool requested_ = false, created_ = false;
  bool is_early_ = false;  // the store had not reached the first revision wanted when the watch was made
  std::optional<Steady::time_point> ahead_since_;  // marks beyond what was delivered, since then
};

}  // namespace

Result<WatchOutcome> watch_revisions(Client& client, const WatchRequest& request, RevisionSink& sink,
                                     const std::function<bool()>& cancelled) {
  RevisionWatch watch(request, sink);
  ConversationTerms terms = watch_terms(request.stall_timeout);
  terms.gather = kGather;
  if (!request.fragments) terms.alone = {.message_bytes_max = kWholeMessageBytesMax};
  const auto end = client.converse(request.endpoint, terms, watch, cancelled);
  return watch.outcome(end);
}

}  // namespace lifeboat::source
