// Session: calls to the endpoints of one cluster, with password authentication, failover and errors for people.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "source/etcd/client.h"
#include "source/etcd/connection.h"

namespace lifeboat::source {

// Usable from several threads; one that waits for an endpoint does not hold up calls to another. When a user is given,
// a token is fetched before the first call, and again when the server rejects it or has turned authentication on since.
class Session {
 public:
  // `clock` outlives the session.
  static Result<std::unique_ptr<Session>> make(ClientOptions options, io::Clock& clock);

  const std::vector<std::string>& endpoints() const { return options_.endpoints; }
  const ClientOptions& options() const { return options_; }

  // kBadSetting when `endpoint` is not one of the endpoints.
  Status known(const std::string& endpoint);

  // `action` names the call in errors ("the status"). kInterrupted soon after `cancelled` says true, which is asked
  // several times a second.
  Result<Bytes> call(const std::string& endpoint, std::string_view method, ByteView request,
                     std::chrono::milliseconds timeout, std::string_view action,
                     const std::function<bool()>& cancelled);
  // At the endpoint that answered last; after an error that another member may not have, at the others in turn.
  Result<Bytes> call_any(std::string_view method, ByteView request, std::string_view action,
                         const std::function<bool()>& cancelled);
  // Connection::stream with the token; not restarted after the first message.
  ConversationEnd stream(const std::string& endpoint, std::string_view method, std::string_view action,
                         const MessageHandler& handler, const std::function<bool()>& cancelled);
  // Connection::converse with the token; restarted with a fresh one when the server, or `talk`, rejects the token
  // (kUnauthenticated).
  ConversationEnd converse(const std::string& endpoint, const ConversationTerms& terms, Conversation& talk,
                           const std::function<bool()>& cancelled);

 private:
  Session(ClientOptions options, std::vector<Endpoint> endpoints, io::Clock& clock);
  TlsMaterial material() const;
  // Empty text: authentication was off when it was asked for.
  using Token = std::optional<std::string>;
  struct Silence {
    Error error;
    std::chrono::nanoseconds since;  // monotonic
  };
  // An endpoint, and the logins there: one at a time.
  struct Reach {
    Reach(Endpoint endpoint, const ChannelSecurity& security, std::chrono::milliseconds dial_timeout)
        : connection(std::move(endpoint), security, dial_timeout) {}
    Connection connection;
    std::timed_mutex login_turn;
    std::atomic<unsigned> logins = 0;
    std::string own_token;  // of the last login; under login_turn
    std::mutex silence_mutex;
    std::optional<Silence> silence;  // the last dial that timed out
  };
  Result<Reach*> find(const std::string& endpoint);
  // find(), or the error of a dial that timed out a moment ago: a command calls each endpoint several times, and waits
  // only once for a silent one.
  Result<Reach*> find_answering(const std::string& endpoint);
  // The token to send, fetched at `reach` unless one other than `refused` is at hand.
  RpcResult<std::string> token(Reach& reach, const Token& refused, const std::function<bool()>& cancelled);
  // A fresh token of that endpoint; concurrent callers share one login.
  RpcResult<std::string> log_in(Reach& reach, const std::function<bool()>& cancelled);
  RpcResult<std::string> authenticate(Connection& connection, const std::function<bool()>& cancelled);
  // Whether the call that was made with `sent` may succeed with a fresh token.
  bool may_help_to_log_in(const std::string& sent, const RpcFailure& failure) const;
  Error explain(Reach& reach, const RpcFailure& failure, std::string_view action,
                const std::function<bool()>& cancelled) const;
  ConversationEnd end_of(Reach& reach, const RpcFailure& failure, std::string_view action,
                         const std::function<bool()>& cancelled) const;

  const ClientOptions options_;
  io::Clock& clock_;
  const ChannelSecurity security_;
  std::vector<std::unique_ptr<Reach>> reaches_;
  std::mutex token_mutex_;  // never held across a network call
  Token token_;             // the last one fetched; nullopt: none yet
  std::atomic<std::size_t> last_good_ = 0;
};

}  // namespace lifeboat::source
