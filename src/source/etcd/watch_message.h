// WatchMessage: requests and answers of etcd's Watch as bytes on the wire.
// Source: etcd v3.6 api/etcdserverpb/rpc.proto (WatchRequest, WatchResponse), api/mvccpb/kv.proto
// (Event).
#pragma once

#include <string>
#include <vector>

#include "base/bytes.h"

namespace lifeboat::source {

struct WatchEvent {
  bool deleted = false;
  std::int64_t mod_revision = 0;
  ByteView key_value;  // the message as it came
};

struct WatchMessage {
  std::uint64_t cluster_id = 0, member_id = 0, raft_term = 0;
  std::int64_t revision = 0;  // of the store when the message was made; 0 when etcd left it out
  std::int64_t watch_id = 0;
  bool created = false, canceled = false, fragment = false;
  std::int64_t compact_revision = 0;
  std::string cancel_reason;
  std::vector<WatchEvent> events;  // borrow from the message's bytes
};

// False when it is not a well-formed answer or an event of it has no well-formed KeyValue with a
// revision.
bool parse_watch_message(ByteView bytes, WatchMessage& out);

// Every key from `from` on, with fragments allowed or not.
Bytes watch_create_request(std::int64_t watch_id, std::int64_t from, bool fragments = true);
Bytes watch_cancel_request(std::int64_t watch_id);
Bytes watch_progress_request();

}  // namespace lifeboat::source
