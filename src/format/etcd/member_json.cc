// The JSON that etcd keeps in its buckets: members, and the conf state.
#include <charconv>
#include <nlohmann/json.hpp>

#include "format/etcd/go_json.h"
#include "format/etcd/sidecar.h"

namespace lifeboat::etcd {
namespace {

using Json = nlohmann::json;

// Far beyond any member or conf state; bounds what one row may allocate.
constexpr std::size_t kMaxJsonBytes = 64 * 1024;

std::unexpected<Error> damaged(std::string why) {
  return fail(ErrorCode::kDatabaseDamaged, "member description does not parse", std::move(why));
}

Status read_text(const Json& json, const char* field, std::string& out) {
  const auto at = json.find(field);
  if (at == json.end() || at->is_null()) return {};
  if (!at->is_string()) return damaged(std::string(field) + " is not a string");
  out = at->get<std::string>();
  return {};
}

Status read_texts(const Json& json, const char* field, std::vector<std::string>& out) {
  const auto at = json.find(field);
  if (at == json.end() || at->is_null()) return {};
  if (!at->is_array()) return damaged(std::string(field) + " is not a list");
  for (const Json& item : *at) {
    if (!item.is_string()) return damaged(std::string(field) + " holds something else than strings");
    out.push_back(item.get<std::string>());
  }
  return {};
}

Result<Member> read_member(const Json& json) {
  if (!json.is_object()) return damaged("it is not a JSON object");
  Member member;
  const auto id = json.find("id");
  if (id == json.end() || !id->is_number_unsigned()) return damaged("id is no unsigned number");
  member.id = id->get<std::uint64_t>();
  TRY(read_texts(json, "peerURLs", member.peer_urls));
  TRY(read_text(json, "name", member.name));
  TRY(read_texts(json, "clientURLs", member.client_urls));
  if (const auto learner = json.find("isLearner"); learner != json.end() && !learner->is_null()) {
    if (!learner->is_boolean()) return damaged("isLearner is not a boolean");
    member.is_learner = learner->get<bool>();
  }
  return member;
}

}  // namespace

std::string member_json(const Member& member) {
  std::string out = "{\"id\":" + std::to_string(member.id);
  out += ",\"peerURLs\":" + json_list(member.peer_urls);
  if (member.is_learner) out += ",\"isLearner\":true";
  if (!member.name.empty()) out += ",\"name\":" + json_text(member.name);
  if (!member.client_urls.empty()) out += ",\"clientURLs\":" + json_list(member.client_urls);
  return out + '}';
}

std::string id_text(std::uint64_t id) {
  char text[16];
  const auto end = std::to_chars(text, text + sizeof text, id, 16).ptr;
  return std::string(text, end);
}

Result<Member> parse_member_json(std::string_view json) {
  if (json.size() > kMaxJsonBytes) return damaged("it is longer than 64 KiB");
  const Json parsed = Json::parse(json, nullptr, false);
  if (parsed.is_discarded()) return damaged("it is not JSON");
  return read_member(parsed);
}

std::optional<std::vector<std::uint64_t>> parse_conf_state_voters(std::string_view json) {
  if (json.size() > kMaxJsonBytes) return std::nullopt;
  const Json parsed = Json::parse(json, nullptr, false);
  if (!parsed.is_object()) return std::nullopt;
  std::vector<std::uint64_t> voters;
  const auto list = parsed.find("voters");
  if (list == parsed.end() || list->is_null()) return voters;
  if (!list->is_array()) return std::nullopt;
  for (const Json& voter : *list) {
    if (!voter.is_number_unsigned()) return std::nullopt;
    voters.push_back(voter.get<std::uint64_t>());
  }
  return voters;
}

}  // namespace lifeboat::etcd
