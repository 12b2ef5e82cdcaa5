// Parsing of endpoints.
#include "source/etcd/endpoint.h"

#include <algorithm>
#include <charconv>
#include <cstdint>

namespace lifeboat::source {
namespace {

constexpr std::string_view kDefaultPort = "2379";

std::unexpected<Error> refuse(std::string_view text, std::string why) {
  return fail(ErrorCode::kBadSetting, "endpoint '" + std::string(text) + "' cannot be used", std::move(why),
              "Write endpoints as https://HOST:2379, http://HOST:2379 or HOST:2379.");
}

bool take_prefix(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

bool is_port(std::string_view text) {
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size() && number >= 1 && number <= 65535;
}

bool is_host(std::string_view host) {
  return !host.empty() && std::ranges::all_of(host, [](char c) {
    return c > ' ' && c < 0x7f && std::string_view("/?#@[]\\\"'<>").find(c) == std::string_view::npos;
  });
}

struct HostPort {
  std::string_view host, port;
};

// False when brackets are open or something stands between them and the port.
bool split(std::string_view rest, HostPort& out) {
  out.port = kDefaultPort;
  if (rest.starts_with('[')) {
    const auto close = rest.find(']');
    if (close == std::string_view::npos) return false;
    out.host = rest.substr(1, close - 1);
    rest.remove_prefix(close + 1);
    if (rest.empty()) return true;
    if (rest.front() != ':') return false;
    out.port = rest.substr(1);
    return true;
  }
  const auto colon = rest.find(':');
  const bool bare_v6 = colon != std::string_view::npos && rest.find(':', colon + 1) != std::string_view::npos;
  out.host = bare_v6 ? rest : rest.substr(0, colon);
  if (!bare_v6 && colon != std::string_view::npos) out.port = rest.substr(colon + 1);
  return true;
}

Result<Endpoint> unix_endpoint(std::string_view text, std::string_view path, bool tls) {
  if (path.empty()) return refuse(text, "it names no socket file");
  Endpoint endpoint;
  endpoint.text = text;
  endpoint.tls = tls;
  endpoint.socket_path = path;
  endpoint.target = "unix:" + endpoint.socket_path;
  return endpoint;
}

}  // namespace

Result<Endpoint> parse_endpoint(std::string_view text, bool tls_by_default) {
  std::string_view rest = text;
  if (take_prefix(rest, "unixs://")) return unix_endpoint(text, rest, true);
  if (take_prefix(rest, "unix://") || take_prefix(rest, "unix:")) return unix_endpoint(text, rest, false);

  Endpoint endpoint;
  endpoint.text = text;
  endpoint.tls = tls_by_default;
  if (take_prefix(rest, "https://")) {
    endpoint.tls = true;
  } else if (take_prefix(rest, "http://")) {
    endpoint.tls = false;
  } else if (rest.find("://") != std::string_view::npos) {
    return refuse(text, "its scheme is not http, https or unix");
  }
  if (rest.ends_with('/')) rest.remove_suffix(1);

  HostPort parts;
  if (!split(rest, parts) || !is_host(parts.host)) return refuse(text, "it has no usable host name or address");
  if (!is_port(parts.port)) return refuse(text, "its port is not a number from 1 to 65535");
  endpoint.host = parts.host;
  endpoint.port = parts.port;
  const bool v6 = parts.host.find(':') != std::string_view::npos;
  endpoint.target = (v6 ? "[" + endpoint.host + "]" : endpoint.host) + ":" + endpoint.port;
  return endpoint;
}

}  // namespace lifeboat::source
