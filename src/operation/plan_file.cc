#include "operation/plan_file.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace lifeboat::operation {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kVersion = "lifeboat/restore-plan/v1";
constexpr std::uint64_t kMaxFileBytes = 1 << 20;

// Reads fields of one object and remembers whether each had the form it must have.
class Fields {
 public:
  explicit Fields(const Json& object) : object_(object) { good_ = object.is_object(); }

  std::string text(const char* name) {
    const Json* value = find(name);
    if (value == nullptr || !value->is_string()) return bad<std::string>();
    return value->get<std::string>();
  }
  std::int64_t number(const char* name) {
    const Json* value = find(name);
    if (value == nullptr || !value->is_number_integer()) return bad<std::int64_t>();
    const bool fits = !value->is_number_unsigned() || value->get<std::uint64_t>() <= INT64_MAX;
    return fits ? value->get<std::int64_t>() : bad<std::int64_t>();
  }
  bool flag(const char* name) {
    const Json* value = find(name);
    if (value == nullptr || !value->is_boolean()) return bad<bool>();
    return value->get<bool>();
  }
  template <typename IdType>
  IdType id(const char* name) {
    const std::optional<IdType> parsed = IdType::parse(text(name));
    return parsed ? *parsed : bad<IdType>();
  }
  const Json& list(const char* name) {
    static const Json kNone = Json::array();
    const Json* value = find(name);
    if (value != nullptr && value->is_array()) return *value;
    good_ = false;
    return kNone;
  }
  bool good() const { return good_; }

 private:
  const Json* find(const char* name) const {
    const auto found = object_.is_object() ? object_.find(name) : object_.end();
    return object_.is_object() && found != object_.end() ? &*found : nullptr;
  }
  template <typename T>
  T bad() {
    good_ = false;
    return T{};
  }

  const Json& object_;
  bool good_ = false;
};

std::unexpected<Error> malformed(std::string why) {
  return fail(ErrorCode::kUnreadableInput, "the plan file is not readable", std::move(why));
}

Result<std::vector<etcd::InitialMember>> decode_members(const Json& list) {
  std::vector<etcd::InitialMember> members;
  for (const Json& entry : list) {
    Fields fields(entry);
    etcd::InitialMember member{fields.text("name"), {}};
    for (const Json& url : fields.list("peerURLs")) {
      if (!url.is_string()) return malformed("a peer URL is not a text");
      member.peer_urls.push_back(url.get<std::string>());
    }
    if (!fields.good()) return malformed("a member lacks its name or peer URLs");
    members.push_back(std::move(member));
  }
  if (members.empty()) return malformed("it has no members");
  return members;
}

Result<SharedPlan> from_json(const Json& document) {
  Fields fields(document);
  SharedPlan plan;
  plan.repo = fields.id<RepoId>("repo");
  plan.point = fields.text("point");
  plan.object = fields.text("object");
  plan.lineage = fields.id<LineageId>("lineage");
  plan.revision = fields.number("revision");
  plan.bump = fields.number("bumpRevision");
  plan.keep_history = fields.flag("keepHistory");
  plan.keep_alarms = fields.flag("keepAlarms");
  plan.token = fields.text("token");
  plan.synthesized_lease_ttl_seconds = fields.number("synthesizedLeaseTTLSeconds");
  const std::string target = fields.text("targetVersion");
  if (!target.empty()) plan.target_version = etcd::parse_minor(target);
  plan.members = TRY(decode_members(fields.list("members")));
  if (!fields.good()) return malformed("a field is missing or has another type");
  const bool in_range = plan.revision > 0 && plan.bump >= 0 && plan.bump < INT64_MAX - plan.revision &&
                        plan.synthesized_lease_ttl_seconds > 0;
  if (!in_range) return malformed("a number is out of its range");
  return plan;
}

}  // namespace

Bytes encode_plan(const SharedPlan& plan) {
  Json members = Json::array();
  for (const etcd::InitialMember& member : plan.members) {
    members.push_back({{"name", member.name}, {"peerURLs", member.peer_urls}});
  }
  const Json document = {{"apiVersion", kVersion},
                         {"repo", plan.repo.text()},
                         {"point", plan.point},
                         {"object", plan.object},
                         {"lineage", plan.lineage.text()},
                         {"revision", plan.revision},
                         {"bumpRevision", plan.bump},
                         {"keepHistory", plan.keep_history},
                         {"keepAlarms", plan.keep_alarms},
                         {"targetVersion", plan.target_version ? minor_text(*plan.target_version) : ""},
                         {"token", plan.token},
                         {"members", members},
                         {"synthesizedLeaseTTLSeconds", plan.synthesized_lease_ttl_seconds}};
  return to_bytes(document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

Result<SharedPlan> decode_plan(ByteView bytes) {
  const Json document = Json::parse(as_text(bytes), nullptr, false);
  if (document.is_discarded() || !document.is_object()) return malformed("it is not a JSON object");
  const auto version = document.find("apiVersion");
  if (version == document.end() || *version != kVersion) {
    return fail(ErrorCode::kPlanMismatch, "the plan file does not fit",
                fmt::format("its apiVersion is not {}", kVersion));
  }
  SharedPlan plan = TRY(from_json(document));
  if (!equal(encode_plan(plan), bytes)) {
    return fail(ErrorCode::kPlanMismatch, "the plan file does not fit", "it was edited after it was written");
  }
  return plan;
}

Result<std::optional<SharedPlan>> read_plan_file(io::FileSystem& files, const std::string& path) {
  if (!TRY(io::exists(files, path))) return std::nullopt;
  const Bytes bytes = TRY(io::read_whole(files, path, kMaxFileBytes));
  auto plan = decode_plan(bytes);
  if (!plan) return std::unexpected(plan.error().in(path));
  return *std::move(plan);
}

Result<SharedPlan> publish_plan_file(io::FileSystem& files, const std::string& path, const SharedPlan& plan) {
  TRY(io::make_directories(files, io::parent_of(path), 0700));
  if (Status written = io::publish_file(files, path, encode_plan(plan), 0600); !written) {
    const std::optional<SharedPlan> other = TRY(read_plan_file(files, path));
    if (!other) return std::unexpected(written.error());
    return *other;
  }
  return plan;
}

}  // namespace lifeboat::operation
