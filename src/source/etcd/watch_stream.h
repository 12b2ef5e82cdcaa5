// What every watch stream shares: its terms, its messages as one piece, and what a refusal means.
#pragma once

#include <optional>
#include <span>

#include "source/etcd/conversation.h"
#include "source/etcd/watch.h"
#include "source/etcd/watch_message.h"

namespace lifeboat::source {

ConversationTerms watch_terms(std::chrono::milliseconds stall_timeout);

// A message in one piece, whose bytes the caller may keep.
Bytes join_pieces(std::span<const ByteView> pieces);

// Of a message with `canceled`: etcd compacted past the watch, or refuses it. `attempt` counts from
// 1: at the first one "permission denied" may mean a token that has expired (etcd before 3.5.14
// says no more).
struct WatchRefusal {
  std::optional<std::int64_t> compact_revision;
  RpcFailure failure;
};
WatchRefusal refusal_of(const WatchMessage& message, int attempt);

// What a conversation about watches remembers of its end.
class WatchConversation : public Conversation {
 public:
  bool idle() final { return keep(sink_.idle()); }
  // What ended the watch: the sink's error, an outcome that was known, or how the stream ended.
  Result<WatchOutcome> outcome(const ConversationEnd& end) const;

 protected:
  explicit WatchConversation(RevisionSink& sink) : sink_(sink) {}
  // Each false ends the stream: the sink's error, or the outcome, is then how the watch ended.
  bool keep(const Status& status);
  bool end_with(WatchOutcome outcome);
  RevisionSink& sink() { return sink_; }

 private:
  RevisionSink& sink_;
  std::optional<Error> sink_error_;
  std::optional<WatchOutcome> outcome_;
};

WatchOutcome broken(Error error);
Error unreadable_message();

}  // namespace lifeboat::source
