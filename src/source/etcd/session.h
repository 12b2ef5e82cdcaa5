// Session: calls to the endpoints of one cluster with password authentication and errors for
// people.
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

// Usable from several threads; one that waits for an endpoint holds up nobody who speaks to another. A token is fetched
// before the first call when a user is given, and once more when the server says that it is no longer good, or that one
// is needed by now.
class Session {
 public:
  static Result<std::unique_ptr<Session>> make(ClientOptions options);

  const std::vector<std::string>& endpoints() const { return options_.endpoints; }
  const ClientOptions& options() const { return options_; }

  // kBadSetting when `endpoint` is not one of the endpoints.
  Status known(const std::string& endpoint);

  // `action` names the call in errors ("the status").
  Result<Bytes> call(const std::string& endpoint, std::string_view method, ByteView request,
                     std::chrono::milliseconds timeout, std::string_view action);
  // At the endpoint that answered last, and at the others in turn when another may answer what one
  // could not.
  Result<Bytes> call_any(std::string_view method, ByteView request, std::string_view action);
  // Connection::stream with the token; not started anew after the first message.
  struct StreamEnd {
    std::optional<Error> error;
    bool cancelled = false;
  };
  StreamEnd stream(const std::string& endpoint, std::string_view method, std::string_view action,
                   const MessageHandler& handler, const std::function<bool()>& cancelled);
  // Connection::converse with the token; begun anew with a fresh one when the server, or `talk`, says that the token
  // is refused (kUnauthenticated).
  ConversationEnd converse(const std::string& endpoint, const ConversationTerms& terms, Conversation& talk,
                           const std::function<bool()>& cancelled);

 private:
  Session(ClientOptions options, std::vector<Endpoint> endpoints);
  TlsMaterial material() const;
  // Empty text: authentication was off when it was asked for.
  using Token = std::optional<std::string>;
  struct Silence {
    Error error;
    std::chrono::steady_clock::time_point since;
  };
  // An endpoint, and the logins there: one at a time.
  struct Reach {
    Reach(Endpoint endpoint, const ChannelSecurity& security, std::chrono::milliseconds dial_timeout)
        : connection(std::move(endpoint), security, dial_timeout) {}
    Connection connection;
    std::mutex login_turn;
    std::atomic<unsigned> logins = 0;
    std::string own_token;  // what the last of them brought; under login_turn
    std::mutex silence_mutex;
    std::optional<Silence> silence;  // the last dial that nobody answered
  };
  Result<Reach*> find(const std::string& endpoint);
  // find(), or why the endpoint was not reached a moment ago: a command asks each endpoint several times, and waits
  // only once for one that keeps silent.
  Result<Reach*> find_answering(const std::string& endpoint);
  // The token to send, fetched at `reach` unless one other than `refused` is at hand.
  RpcResult<std::string> token(Reach& reach, const Token& refused);
  // A fresh one of that endpoint; who waits for the login of another takes what that brings.
  RpcResult<std::string> log_in(Reach& reach);
  RpcResult<std::string> authenticate(Connection& connection);
  // Whether the call that was made with `sent` may go well with a fresh token.
  bool may_help_to_log_in(const std::string& sent, const RpcFailure& failure) const;
  Error explain(Reach& reach, const RpcFailure& failure, std::string_view action) const;

  const ClientOptions options_;
  const ChannelSecurity security_;
  std::vector<std::unique_ptr<Reach>> reaches_;
  std::mutex token_mutex_;  // never held while the network is waited for
  Token token_;             // the last one fetched; nullopt: not asked for yet
  std::atomic<std::size_t> last_good_ = 0;
};

}  // namespace lifeboat::source
