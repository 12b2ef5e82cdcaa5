// Connection: the one gRPC channel to one endpoint; the only unit that sees gRPC.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "crypto/secret.h"
#include "source/etcd/conversation.h"
#include "source/etcd/endpoint.h"
#include "source/etcd/rpc.h"

namespace lifeboat::source {

// PEM text; all empty for plain connections and for TLS with the system's roots.
struct TlsMaterial {
  std::string ca_certificate;
  std::string client_certificate;
  const crypto::Secret& client_key;
};

// Credentials shared by the connections of one client.
class ChannelSecurity {
 public:
  // The key's bytes are handed to gRPC, and the copy made for that is wiped.
  explicit ChannelSecurity(const TlsMaterial& material);
  ~ChannelSecurity();
  ChannelSecurity(const ChannelSecurity&) = delete;
  ChannelSecurity& operator=(const ChannelSecurity&) = delete;

  struct State;
  const State& state() const { return *state_; }

 private:
  std::unique_ptr<State> state_;
};

// One message of a stream as the pieces it arrived in, valid during the call. False ends the stream
// quietly.
using MessageHandler = std::function<bool(std::span<const ByteView> pieces)>;

// Usable from several threads. Connects when first used, and again after a failure.
class Connection {
 public:
  // `security` outlives the connection.
  Connection(Endpoint endpoint, const ChannelSecurity& security, std::chrono::milliseconds dial_timeout);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  const Endpoint& endpoint() const { return endpoint_; }

  // Each of these ends soon after `cancelled` says true, which is asked several times a second (kStopped), also while
  // it connects. An exception, also of a handler or a conversation, fails it (kThrew).

  // `method` as on the wire: "/etcdserverpb.Maintenance/Status". An empty token is not sent.
  RpcResult<Bytes> unary(std::string_view method, ByteView request, std::string_view token,
                         std::chrono::milliseconds timeout, const std::function<bool()>& cancelled);
  // Calls `handler` for each message until the server ends the stream (success), the handler says
  // false (success), or nothing comes for `stall_timeout` (kStalled). On a connection of its own, with
  // a probed window.
  RpcResult<void> stream(std::string_view method, ByteView request, std::string_view token,
                         std::chrono::milliseconds stall_timeout, const MessageHandler& handler,
                         const std::function<bool()>& cancelled);
  // A stream on which both sides speak; ends as stream() does, or with the failure that `talk` gives.
  RpcResult<void> converse(const ConversationTerms& terms, std::string_view token, Conversation& talk,
                           const std::function<bool()>& cancelled);

 private:
  struct Channel;
  // Not yet connected.
  std::shared_ptr<Channel> open(const ChannelTerms& terms) const;
  RpcResult<void> wait_until_ready(Channel& channel, const std::function<bool()>& cancelled) const;
  // The shared one.
  RpcResult<std::shared_ptr<Channel>> connected(const std::function<bool()>& cancelled);
  RpcResult<std::shared_ptr<Channel>> connected_alone(const ChannelTerms& terms,
                                                      const std::function<bool()>& cancelled) const;
  void drop(const std::shared_ptr<Channel>& channel);

  const Endpoint endpoint_;
  const ChannelSecurity& security_;
  const std::chrono::milliseconds dial_timeout_;
  struct Current;
  std::unique_ptr<Current> current_;
};

}  // namespace lifeboat::source
