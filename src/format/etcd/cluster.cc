#include "format/etcd/cluster.h"

#include <algorithm>
#include <charconv>

#include "base/endian.h"
#include "crypto/sha1.h"

namespace lifeboat::etcd {
namespace {

std::unexpected<Error> bad(std::string what, std::string why) {
  return fail(ErrorCode::kBadCluster, std::move(what), std::move(why));
}

std::unexpected<Error> bad_url(std::string_view url, std::string why) {
  return bad("peer URL \"" + std::string(url) + "\" cannot be used", std::move(why));
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n\v\f";
  const std::size_t from = text.find_first_not_of(kSpace);
  if (from == std::string_view::npos) return {};
  return text.substr(from, text.find_last_not_of(kSpace) - from + 1);
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
// RFC 3986 unreserved: what Go prints in a host without escaping it.
bool is_host_char(char c) { return is_digit(c) || is_letter(c) || c == '-' || c == '.' || c == '_' || c == '~'; }

std::string lowered(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

bool is_port(std::string_view text) {
  unsigned port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc{} && end == text.data() + text.size() && port <= 65535;
}

// Inside the brackets: an IPv6 address, perhaps with a zone whose '%' is written %25.
bool is_ipv6(std::string_view text) {
  const std::size_t zone = text.find("%25");
  const std::string_view address = text.substr(0, zone);
  const auto is_address_char = [](char c) { return is_hex(c) || c == ':' || c == '.'; };
  if (address.find(':') == std::string_view::npos) return false;
  if (!std::ranges::all_of(address, is_address_char)) return false;
  if (zone == std::string_view::npos) return true;
  const std::string_view name = text.substr(zone + 3);
  return !name.empty() && std::ranges::all_of(name, is_host_char);
}

struct HostPort {
  std::string_view host;
  std::string_view port;
};

// Splits at the last colon; an IPv6 address must stand in brackets. nullopt when the form is
// another.
std::optional<HostPort> split_host_port(std::string_view authority) {
  const std::size_t colon = authority.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const HostPort parts{.host = authority.substr(0, colon), .port = authority.substr(colon + 1)};
  const bool bracketed = parts.host.starts_with('[') && parts.host.ends_with(']');
  if (bracketed) return parts;
  if (parts.host.find_first_of("[]:") != std::string_view::npos) return std::nullopt;
  return parts;
}

Status check_host_port(std::string_view url, std::string_view authority) {
  if (authority.find('@') != std::string_view::npos) {
    return bad_url(url, "it must not contain a user name");
  }
  const std::optional<HostPort> parts = split_host_port(authority);
  if (!parts) return bad_url(url, "its address does not have the form host:port");
  if (parts->host.empty()) return bad_url(url, "the host is missing");
  const bool bracketed = parts->host.starts_with('[');
  const bool host_ok = bracketed ? is_ipv6(parts->host.substr(1, parts->host.size() - 2))
                                 : std::ranges::all_of(parts->host, is_host_char);
  if (!host_ok) return bad_url(url, "the host has a character that no host name has");
  if (!is_port(parts->port)) return bad_url(url, "the port is not a number from 0 to 65535");
  return {};
}

Status check_socket_path(std::string_view url, std::string_view rest) {
  const auto is_path_char = [](char c) { return is_host_char(c) || c == '/' || c == ':' || c == '@'; };
  if (rest.empty()) return bad_url(url, "the socket's address is missing");
  if (!std::ranges::all_of(rest, is_path_char)) {
    return bad_url(url, "the socket's address has a character that would need escaping");
  }
  return {};
}

InitialMember& member_named(std::vector<InitialMember>& members, std::string_view name) {
  const auto at = std::ranges::find(members, name, &InitialMember::name);
  if (at != members.end()) return *at;
  return members.emplace_back(InitialMember{.name = std::string(name), .peer_urls = {}});
}

Status add_initial(std::vector<InitialMember>& members, std::string_view item) {
  const std::size_t equals = item.find('=');
  if (equals == std::string_view::npos) {
    return bad("\"" + std::string(item) + "\" in the initial cluster is no member", "a member is written name=URL");
  }
  const std::string_view name = item.substr(0, equals);
  if (name.empty()) {
    return bad("\"" + std::string(item) + "\" in the initial cluster has no name", "a member is written name=URL");
  }
  std::string url = TRY(normalise_url(item.substr(equals + 1)));
  std::vector<std::string>& urls = member_named(members, name).peer_urls;
  urls.insert(std::ranges::lower_bound(urls, url), std::move(url));
  return {};
}

Status check_urls_once(const std::vector<InitialMember>& members) {
  std::vector<std::string_view> urls;
  for (const InitialMember& member : members) {
    if (member.peer_urls.empty()) return bad("member " + member.name + " has no peer URL", "");
    urls.insert(urls.end(), member.peer_urls.begin(), member.peer_urls.end());
  }
  std::ranges::sort(urls);
  const auto twice = std::ranges::adjacent_find(urls);
  if (twice == urls.end()) return {};
  return bad("peer URL " + std::string(*twice) + " occurs twice", "each member needs an address of its own");
}

Status check_names_once(const std::vector<InitialMember>& members) {
  std::vector<std::string_view> names;
  for (const InitialMember& member : members) names.push_back(member.name);
  std::ranges::sort(names);
  const auto twice = std::ranges::adjacent_find(names);
  if (twice == names.end()) return {};
  return bad("the name " + std::string(*twice) + " occurs twice", "each member needs a name of its own");
}

Status check_ids(const std::vector<Member>& members) {
  for (std::size_t i = 0; i < members.size(); ++i) {
    if (members[i].id == 0) {
      return bad("member " + members[i].name + " would get the id 0", "raft reserves it; use another token");
    }
    if (i != 0 && members[i - 1].id == members[i].id) {
      return bad("members " + members[i - 1].name + " and " + members[i].name + " would get one id",
                 "both are " + id_text(members[i].id) + "; use another token");
    }
  }
  return {};
}

std::uint64_t first_eight(const crypto::Sha1& digest) { return load_be<std::uint64_t>(digest.bytes.data()); }

}  // namespace

Result<std::string> normalise_url(std::string_view given) {
  const std::string_view url = trimmed(given);
  const std::size_t mark = url.find("://");
  if (mark == std::string_view::npos) {
    return bad_url(url, "it does not have the form scheme://host:port");
  }
  const std::string scheme = lowered(url.substr(0, mark));
  const std::string_view rest = url.substr(mark + 3);
  if (scheme == "unix" || scheme == "unixs") {
    TRY(check_socket_path(url, rest));
    return scheme + "://" + std::string(rest);
  }
  if (scheme != "http" && scheme != "https") {
    return bad_url(url, "its scheme must be http, https, unix or unixs");
  }
  const std::size_t end = rest.find_first_of("/?#");
  if (end != std::string_view::npos) return bad_url(url, "it must not contain a path, query or fragment");
  TRY(check_host_port(url, rest));
  return scheme + "://" + std::string(rest);
}

Result<std::vector<InitialMember>> parse_initial_cluster(std::string_view text) {
  std::vector<InitialMember> members;
  while (!text.empty()) {
    const std::size_t comma = text.find(',');
    const std::string_view item = text.substr(0, comma);
    text = comma == std::string_view::npos ? std::string_view{} : text.substr(comma + 1);
    if (!item.empty()) TRY(add_initial(members, item));
  }
  if (members.empty()) return bad("the initial cluster is empty", "it names no member");
  TRY(check_urls_once(members));
  return members;
}

std::uint64_t member_id(const std::vector<std::string>& peer_urls, std::string_view token) {
  std::vector<std::string> sorted = peer_urls;
  std::ranges::sort(sorted);
  std::string text;
  for (const std::string& url : sorted) text += url;
  text += token;
  return first_eight(crypto::sha1(as_bytes(text)));
}

std::uint64_t cluster_id(std::vector<std::uint64_t> member_ids) {
  std::ranges::sort(member_ids);
  Bytes text;
  for (const std::uint64_t id : member_ids) append_be(text, id);
  return first_eight(crypto::sha1(text));
}

Result<NewCluster> new_cluster(const std::vector<InitialMember>& members, std::string_view token) {
  if (members.empty()) return bad("the new cluster has no member", "at least one is needed");
  TRY(check_names_once(members));
  TRY(check_urls_once(members));
  NewCluster cluster;
  std::vector<std::uint64_t> ids;
  for (const InitialMember& member : members) {
    ids.push_back(member_id(member.peer_urls, token));
    cluster.members.push_back(
        {.id = ids.back(), .name = member.name, .peer_urls = member.peer_urls, .client_urls = {}});
  }
  std::ranges::sort(cluster.members, {}, &Member::id);
  TRY(check_ids(cluster.members));
  cluster.id = cluster_id(std::move(ids));
  return cluster;
}

}  // namespace lifeboat::etcd
