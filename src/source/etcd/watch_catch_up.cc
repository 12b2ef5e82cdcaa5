// A backlog by staggered watches: etcd reads its whole backlog for each batch of 1,000 revisions
// that a lagging watch gets, but serves up to 512 lagging watches from one reading. Source: etcd
// v3.6 server/storage/mvcc/watchable_store.go (syncWatchers, maxWatchersPerSync), watcher_group.go
// (watchBatchMaxRevs).
#include <algorithm>
#include <deque>

#include "source/etcd/revision_joiner.h"
#include "source/etcd/watch.h"
#include "source/etcd/watch_stream.h"

namespace lifeboat::source {
namespace {

constexpr std::int64_t kBatchRevisions = 1000;
constexpr std::uint64_t kExpectedRevisionBytes = 1024;  // until the first round tells
constexpr unsigned kMostWatches = 512;

struct HeldMessage {
  Bytes bytes;
  WatchMessage message;  // borrows from bytes
};

// The revisions [from, to] as one watch of a round delivers them.
struct Slot {
  std::int64_t id = 0, from = 0, to = 0;
  std::int64_t seen = 0;         // the last revision begun
  bool arrived = false;          // all of it
  std::deque<HeldMessage> held;  // until the slots before it were delivered
};

class CatchUp final : public WatchConversation {
 public:
  CatchUp(const CatchUpRequest& request, RevisionSink& sink)
      : WatchConversation(sink),
        request_(request),
        joiner_(request.from),
        width_(fitting(kExpectedRevisionBytes * kBatchRevisions)) {}

  bool is_done() const { return joiner_.reached() >= request_.to; }

  void begin() override {
    ++attempt_;
    slots_.clear();
    requests_.clear();
    held_bytes_ = 0;
    joiner_ = RevisionJoiner(joiner_.reached() + 1);
    begin_round();
  }

  std::optional<Bytes> request() override {
    if (requests_.empty()) return std::nullopt;
    Bytes next = std::move(requests_.front());
    requests_.pop_front();
    return next;
  }

  RpcResult<bool> message(std::span<const ByteView> pieces) override {
    HeldMessage held{join_pieces(pieces), {}};
    if (!parse_watch_message(held.bytes, held.message)) return end_with(broken(unreadable_message()));
    const auto slot = std::ranges::find(slots_, held.message.watch_id, &Slot::id);
    if (held.message.canceled && (slot != slots_.end() || held.message.compact_revision == 0))
      return refused(held.message, slot != slots_.end());
    if (held.message.created) return opened(held.message);
    if (slot == slots_.end() || held.message.events.empty()) return true;
    return accept(*slot, std::move(held)) && advance();
  }

 private:
  std::int64_t most_watches() const { return std::clamp(request_.watches, 1u, kMostWatches); }

  void begin_round() {
    std::int64_t from = joiner_.reached() + 1;
    for (std::int64_t i = 0; i < width_ && from <= request_.to; ++i) {
      const std::int64_t to = std::min(from + kBatchRevisions - 1, request_.to);
      slots_.push_back({.id = ++last_id_, .from = from, .to = to, .held = {}});
      requests_.push_back(watch_create_request(last_id_, from));
      from = to + 1;
    }
    round_from_ = joiner_.reached() + 1;
    round_bytes_ = 0;
  }

  // etcd answers a cancel with a canceled message of its own, which belongs to no slot any more or
  // to one that arrived.
  RpcResult<bool> refused(const WatchMessage& message, bool of_slot) {
    const WatchRefusal refusal = refusal_of(message, attempt_);
    if (refusal.compact_revision) {
      return end_with({.end = WatchEnd::kCompacted, .compact_revision = *refusal.compact_revision, .error = {}});
    }
    if (!of_slot && message.cancel_reason.empty()) return true;
    if (of_slot && std::ranges::find(slots_, message.watch_id, &Slot::id)->arrived) return true;
    return std::unexpected(refusal.failure);
  }

  bool opened(const WatchMessage& message) {
    if (is_open_) return true;
    is_open_ = true;
    return keep(sink().opened({message.cluster_id, message.member_id, message.raft_term, message.revision}));
  }

  bool accept(Slot& slot, HeldMessage held) {
    auto& events = held.message.events;
    const bool is_last =
        events.back().mod_revision > slot.to || (events.back().mod_revision == slot.to && !held.message.fragment);
    std::erase_if(events, [&](const WatchEvent& event) { return event.mod_revision > slot.to; });
    if (slot.arrived) return true;
    // What was cut off began a later revision, so the ones before it are whole.
    if (is_last) held.message.fragment = false;
    slot.arrived = is_last;
    if (is_last) requests_.push_back(watch_cancel_request(slot.id));
    if (&slot == &slots_.front()) return deliver(held);
    held_bytes_ += held.bytes.size();
    slot.held.push_back(std::move(held));
    while (held_bytes_ > request_.memory_bytes) drop_last();
    return true;
  }

  // More came before its turn than the memory holds: the furthest watch is left to a later round.
  void drop_last() {
    const Slot& last = slots_.back();
    for (const HeldMessage& held : last.held) held_bytes_ -= held.bytes.size();
    if (!last.arrived) requests_.push_back(watch_cancel_request(last.id));
    slots_.pop_back();
  }

  bool deliver(const HeldMessage& held) {
    round_bytes_ += held.bytes.size();
    const WatchMessage& message = held.message;
    if (const Status joined = joiner_.add(message.events, message.fragment); !joined)
      return end_with(broken(joined.error()));
    return joiner_.whole().empty() || keep(sink().revisions(joiner_.whole()));
  }

  // Delivers what has its turn now; a round that was delivered is followed by the next.
  bool advance() {
    while (!slots_.empty() && slots_.front().arrived) {
      slots_.pop_front();
      while (!slots_.empty() && !slots_.front().held.empty()) {
        const HeldMessage held = std::move(slots_.front().held.front());
        slots_.front().held.pop_front();
        held_bytes_ -= held.bytes.size();
        if (!deliver(held)) return false;
      }
    }
    if (is_done()) return end_with({.end = WatchEnd::kCancelled, .error = {}});
    if (!slots_.empty()) return true;
    widen();
    begin_round();
    return true;
  }

  void widen() {
    const auto revisions = static_cast<std::uint64_t>(std::max<std::int64_t>(1, joiner_.reached() + 1 - round_from_));
    const std::uint64_t slot_bytes = std::max<std::uint64_t>(1, round_bytes_ / revisions * kBatchRevisions);
    width_ = fitting(slot_bytes);
  }
  // How many watches of so many bytes each the memory holds.
  std::int64_t fitting(std::uint64_t slot_bytes) const {
    const std::uint64_t fits = std::min<std::uint64_t>(request_.memory_bytes / 4 * 3 / slot_bytes, kMostWatches);
    return std::clamp<std::int64_t>(static_cast<std::int64_t>(fits), 1, most_watches());
  }

  const CatchUpRequest& request_;
  RevisionJoiner joiner_;
  std::int64_t width_;      // watches in a round
  std::deque<Slot> slots_;  // of the round, those not delivered yet
  std::deque<Bytes> requests_;
  std::int64_t last_id_ = 0;
  std::int64_t round_from_ = 0;
  std::uint64_t round_bytes_ = 0, held_bytes_ = 0;
  bool is_open_ = false;
  int attempt_ = 0;
};

}  // namespace

Result<WatchOutcome> catch_up(Client& client, const CatchUpRequest& request, RevisionSink& sink,
                              const std::function<bool()>& cancelled) {
  CatchUp work(request, sink);
  if (work.is_done()) return WatchOutcome{.end = WatchEnd::kCancelled, .error = {}};
  ConversationTerms terms = watch_terms(request.stall_timeout);
  terms.alone = {.probes_window = true};
  const auto end = client.converse(request.endpoint, terms, work, cancelled);
  return work.outcome(end);
}

}  // namespace lifeboat::source
