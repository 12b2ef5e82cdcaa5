// Conversation: one side of a stream on which both sides speak, free of gRPC.
#pragma once

#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "source/etcd/rpc.h"

namespace lifeboat::source {

// Called from one thread.
class Conversation {
 public:
  virtual ~Conversation() = default;
  // A stream begins; what an earlier attempt said is void.
  virtual void begin() = 0;
  // What to send next, asked whenever the last one has left: several times a second at least. nullopt: nothing now.
  virtual std::optional<Bytes> request() = 0;
  // One message of the server, in pieces that are valid during the call. False ends the stream quietly; a failure
  // ends it with that failure, and kUnauthenticated begins it anew with a fresh token, once, when there is one.
  virtual RpcResult<bool> message(std::span<const ByteView> pieces) = 0;
  // Between messages, several times a second while nothing comes. False ends the stream quietly.
  virtual bool idle() { return true; }
};

// What a connection of its own is made for.
struct ChannelTerms {
  std::size_t message_bytes_max = 0;  // a larger message breaks the stream; 0: what the method allows
  // How much may be under way follows what the network carries in a round trip, some tens of MiB where that is a lot,
  // and waits in memory when its reader is slower. Else it is 64 KiB.
  bool probes_window = false;
};

struct ConversationTerms {
  std::string method;                                         // as on the wire: "/etcdserverpb.Watch/Watch"
  std::string action;                                         // for errors: "the watch"
  std::vector<std::pair<std::string, std::string>> metadata;  // beside the token
  std::chrono::milliseconds stall_timeout{60000};             // no message for so long: broken
  // After a message that had to be waited for, the next ones are let come together for so long, or less when much comes
  // (Pacer): one wake-up takes them all.
  std::chrono::milliseconds gather{0};
  std::optional<ChannelTerms> alone;  // on a connection of its own; nullopt: on the shared one
};

struct ConversationEnd {
  std::optional<Error> error;
  bool cancelled = false;
};

}  // namespace lifeboat::source
