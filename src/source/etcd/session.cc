// Authentication, failover and the explanation of failures.
#include "source/etcd/session.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <ctime>

#include "etcd_api.pb.h"
#include "source/etcd/certificates.h"
#include "source/etcd/tls_probe.h"

namespace lifeboat::source {
namespace {

// Whether another attempt follows. A member that has not yet applied a login made elsewhere refuses its token: the
// second attempt may carry one that another thread got from a third member, the last one is this member's own.
constexpr bool kTokenAttempts[] = {true, true, false};

// How often one that waits for another's login looks whether it was cancelled.
constexpr std::chrono::milliseconds kCancelTick{100};

Result<std::vector<Endpoint>> parse_endpoints(const ClientOptions& options) {
  if (options.endpoints.empty()) {
    return fail(ErrorCode::kBadSetting, "no etcd endpoint is given", "the list of endpoints is empty",
                "Pass --endpoints https://HOST:2379.");
  }
  const bool tls_by_default = !options.ca_certificate.empty() || !options.client_certificate.empty();
  std::vector<Endpoint> endpoints;
  for (const std::string& text : options.endpoints) endpoints.push_back(TRY(parse_endpoint(text, tls_by_default)));
  return endpoints;
}

// Holds the password, so it is wiped by the caller.
std::string authenticate_request(const std::string& user, const crypto::Secret& password) {
  etcdserverpb::AuthenticateRequest request;
  request.set_name(user);
  std::string* field = request.mutable_password();
  field->assign(as_text(password.view()));
  std::string bytes = request.SerializeAsString();
  OPENSSL_cleanse(field->data(), field->size());
  return bytes;
}

}  // namespace

Result<std::unique_ptr<Session>> Session::make(ClientOptions options, io::Clock& clock) {
  auto endpoints = TRY(parse_endpoints(options));
  const std::time_t now = clock.now().ns / 1'000'000'000;
  TRY(check_certificates(options.ca_certificate, options.client_certificate, options.client_key, now));
  return std::unique_ptr<Session>(new Session(std::move(options), std::move(endpoints), clock));
}

Session::Session(ClientOptions options, std::vector<Endpoint> endpoints, io::Clock& clock)
    : options_(std::move(options)), clock_(clock), security_(material()) {
  for (Endpoint& endpoint : endpoints) {
    reaches_.push_back(std::make_unique<Reach>(std::move(endpoint), security_, options_.dial_timeout));
  }
}

TlsMaterial Session::material() const {
  return {options_.ca_certificate, options_.client_certificate, options_.client_key};
}

Result<Session::Reach*> Session::find(const std::string& endpoint) {
  const auto found =
      std::ranges::find(reaches_, endpoint, [](const auto& reach) { return reach->connection.endpoint().text; });
  if (found != reaches_.end()) return found->get();
  return fail(ErrorCode::kBadSetting, "'" + endpoint + "' is not one of the endpoints", "it was not given");
}

// Remembered for as long as a dial takes, so that at most half of the time is spent dialing.
Result<Session::Reach*> Session::find_answering(const std::string& endpoint) {
  Reach* const reach = TRY(find(endpoint));
  const std::lock_guard lock(reach->silence_mutex);
  const bool silent = reach->silence && clock_.monotonic() - reach->silence->since < options_.dial_timeout;
  if (silent) return std::unexpected(reach->silence->error);
  return reach;
}

Status Session::known(const std::string& endpoint) {
  TRY(find(endpoint));
  return {};
}

RpcResult<std::string> Session::token(Reach& reach, const Token& refused, const std::function<bool()>& cancelled) {
  if (options_.user.empty()) return std::string();
  {
    const std::lock_guard lock(token_mutex_);
    if (token_ && token_ != refused) return *token_;
  }
  return log_in(reach, cancelled);
}

RpcResult<std::string> Session::log_in(Reach& reach, const std::function<bool()>& cancelled) {
  const unsigned before = reach.logins;
  std::unique_lock turn(reach.login_turn, std::defer_lock);
  while (!turn.try_lock_for(kCancelTick)) {
    if (cancelled()) return std::unexpected(stopped_on_request());
  }
  if (reach.logins != before) return reach.own_token;
  auto fresh = authenticate(reach.connection, cancelled);
  if (!fresh) return fresh;
  reach.own_token = *fresh;
  ++reach.logins;
  const std::lock_guard lock(token_mutex_);
  token_ = *fresh;
  return fresh;
}

// A call without a token, made while authentication was off, is refused once it is on.
bool Session::may_help_to_log_in(const std::string& sent, const RpcFailure& failure) const {
  if (options_.user.empty()) return false;
  return sent.empty() ? is_login_missing(failure) : is_token_refused(failure);
}

RpcResult<std::string> Session::authenticate(Connection& connection, const std::function<bool()>& cancelled) {
  std::string request = authenticate_request(options_.user, options_.password);
  const auto answer =
      connection.unary("/etcdserverpb.Auth/Authenticate", as_bytes(request), {}, options_.call_timeout, cancelled);
  OPENSSL_cleanse(request.data(), request.size());
  if (!answer) {
    if (is_auth_disabled(answer.error())) return std::string();
    return std::unexpected(answer.error());
  }
  etcdserverpb::AuthenticateResponse response;
  if (!response.ParseFromArray(answer->data(), static_cast<int>(answer->size()))) {
    return std::unexpected(RpcFailure{RpcCode::kInternal, "the answer to Authenticate does not parse"});
  }
  return response.token();
}

Error Session::explain(Reach& reach, const RpcFailure& failure, std::string_view action,
                       const std::function<bool()>& cancelled) const {
  const Endpoint& endpoint = reach.connection.endpoint();
  if (failure.code != RpcCode::kNotConnected) return rpc_error(failure, endpoint, action);
  Error error = explain_failed_dial(endpoint, material(), failure, options_.dial_timeout, cancelled);
  if (cancelled()) return rpc_error(stopped_on_request(), endpoint, action);
  if (failure.silent) {
    const std::lock_guard lock(reach.silence_mutex);
    reach.silence = Silence{error, clock_.monotonic()};
  }
  return error;
}

Result<Bytes> Session::call(const std::string& endpoint, std::string_view method, ByteView request,
                            std::chrono::milliseconds timeout, std::string_view action,
                            const std::function<bool()>& cancelled) {
  Reach& reach = *TRY(find_answering(endpoint));
  Connection& connection = reach.connection;
  Token refused;
  for (bool again : kTokenAttempts) {
    const auto sent = again ? token(reach, refused, cancelled) : log_in(reach, cancelled);
    if (!sent) return std::unexpected(explain(reach, sent.error(), "authentication", cancelled));
    auto answer = connection.unary(method, request, *sent, timeout, cancelled);
    if (answer) return std::move(*answer);
    if (!again || !may_help_to_log_in(*sent, answer.error())) {
      return std::unexpected(explain(reach, answer.error(), action, cancelled));
    }
    refused = *sent;
  }
  return fail(ErrorCode::kInternal, "a call ended without an outcome");
}

Result<Bytes> Session::call_any(std::string_view method, ByteView request, std::string_view action,
                                const std::function<bool()>& cancelled) {
  const std::size_t first = last_good_;
  std::vector<Error> errors;
  for (std::size_t i = 0; i < reaches_.size(); ++i) {
    const std::size_t at = (first + i) % reaches_.size();
    auto answer = call(options_.endpoints[at], method, request, options_.call_timeout, action, cancelled);
    if (answer) {
      last_good_ = at;
      return answer;
    }
    if (!worth_asking_another(answer.error().code())) return answer;
    errors.push_back(std::move(answer).error());
  }
  return std::unexpected(failed_everywhere(errors, action));
}

ConversationEnd Session::end_of(Reach& reach, const RpcFailure& failure, std::string_view action,
                                const std::function<bool()>& cancelled) const {
  if (failure.code == RpcCode::kStopped) return {std::nullopt, true};
  return {explain(reach, failure, action, cancelled)};
}

ConversationEnd Session::stream(const std::string& endpoint, std::string_view method, std::string_view action,
                                const MessageHandler& handler, const std::function<bool()>& cancelled) {
  const auto found = find_answering(endpoint);
  if (!found) return {found.error()};
  Reach& reach = **found;
  Connection& connection = reach.connection;
  bool started = false;
  const MessageHandler watch_start = [&](std::span<const ByteView> pieces) {
    started = true;
    return handler(pieces);
  };
  Token refused;
  for (bool again : kTokenAttempts) {
    const auto sent = again ? token(reach, refused, cancelled) : log_in(reach, cancelled);
    if (!sent) return end_of(reach, sent.error(), "authentication", cancelled);
    const auto end = connection.stream(method, {}, *sent, options_.stall_timeout, watch_start, cancelled);
    if (end) return {};
    if (!again || started || !may_help_to_log_in(*sent, end.error())) {
      return end_of(reach, end.error(), action, cancelled);
    }
    refused = *sent;
  }
  return {};
}

ConversationEnd Session::converse(const std::string& endpoint, const ConversationTerms& terms, Conversation& talk,
                                  const std::function<bool()>& cancelled) {
  const auto found = find_answering(endpoint);
  if (!found) return {found.error()};
  Reach& reach = **found;
  Connection& connection = reach.connection;
  Token refused;
  for (bool again : {true, false}) {
    const auto sent = again ? token(reach, refused, cancelled) : log_in(reach, cancelled);
    if (!sent) return end_of(reach, sent.error(), "authentication", cancelled);
    const auto end = connection.converse(terms, *sent, talk, cancelled);
    if (end) return {};
    const bool asked_to = !options_.user.empty() && end.error().code == RpcCode::kUnauthenticated;
    if (!again || !(asked_to || may_help_to_log_in(*sent, end.error()))) {
      return end_of(reach, end.error(), terms.action, cancelled);
    }
    refused = *sent;
  }
  return {};
}

}  // namespace lifeboat::source
