// Terms, refusals and outcomes of watch streams.
#include "source/etcd/watch_stream.h"

namespace lifeboat::source {

// A member cut off from its leader ends the stream instead of falling silent.
// Source: etcd v3.6 api/v3rpc/rpctypes/metadatafields.go (MetadataRequireLeaderKey).
ConversationTerms watch_terms(std::chrono::milliseconds stall_timeout) {
  return {.method = "/etcdserverpb.Watch/Watch",
          .action = "the watch",
          .metadata = {{"hasleader", "true"}},
          .stall_timeout = stall_timeout};
}

Bytes join_pieces(std::span<const ByteView> pieces) {
  std::size_t size = 0;
  for (const ByteView piece : pieces) size += piece.size();
  Bytes out;
  out.reserve(size);
  for (const ByteView piece : pieces) append(out, piece);
  return out;
}

WatchRefusal refusal_of(const WatchMessage& message, int attempt) {
  if (message.compact_revision > 0) return {message.compact_revision, {}};
  const std::string& reason = message.cancel_reason;
  const bool denied = reason.find("permission denied") != std::string::npos;
  const bool token = reason.find("auth") != std::string::npos;
  RpcCode code = denied ? RpcCode::kPermissionDenied : RpcCode::kUnknown;
  if (attempt == 1 && (denied || token)) code = RpcCode::kUnauthenticated;
  return {std::nullopt, {code, reason.empty() ? "etcd cancelled the watch" : reason}};
}

bool WatchConversation::keep(const Status& status) {
  if (!status) sink_error_ = status.error();
  return status.has_value();
}

bool WatchConversation::end_with(WatchOutcome outcome) {
  outcome_ = std::move(outcome);
  return false;
}

Result<WatchOutcome> WatchConversation::outcome(const ConversationEnd& end) const {
  if (sink_error_) return std::unexpected(*sink_error_);
  if (outcome_) return *outcome_;
  if (end.cancelled) return WatchOutcome{.end = WatchEnd::kCancelled, .error = {}};
  if (end.error) return broken(*end.error);
  return broken(Error(ErrorCode::kInternal, "a watch ended without an outcome"));
}

WatchOutcome broken(Error error) { return {.end = WatchEnd::kBroken, .error = std::move(error)}; }

Error unreadable_message() {
  return Error(ErrorCode::kEtcdFailed, "the watch is broken", "a message of it does not parse");
}

}  // namespace lifeboat::source
