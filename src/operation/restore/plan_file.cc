#include "operation/restore/plan_file.h"

#include <fmt/format.h>

#include "crypto/hash.h"
#include "format/canonical_json.h"

namespace lifeboat::operation {
namespace {

using json::Json;

constexpr std::string_view kVersion = "lifeboat/restore-plan/v1";
constexpr std::uint64_t kMaxFileBytes = 1 << 20;
constexpr std::size_t kMaxMembers = 1000, kMaxUrls = 100;

std::unexpected<Error> malformed(std::string why) {
  return fail(ErrorCode::kUnreadableInput, "the plan file is not readable", std::move(why));
}

Result<std::vector<etcd::InitialMember>> decode_members(const Json& list) {
  std::vector<etcd::InitialMember> members;
  for (const Json& entry : list) {
    json::Fields fields(entry, "the member in the plan file");
    members.push_back({fields.text("name"), fields.texts("peerURLs", kMaxUrls)});
    TRY(fields.status());
  }
  return members;
}

Result<SharedPlan> from_json(const Json& document) {
  json::Fields fields(document, "the plan file");
  SharedPlan plan;
  plan.repo = fields.id<RepoId>("repo");
  plan.point = fields.text("point");
  plan.object = fields.text("object");
  plan.lineage = fields.id<LineageId>("lineage");
  plan.revision = fields.revision("revision");
  plan.bump = fields.revision("bumpRevision");
  plan.keep_history = fields.flag("keepHistory");
  plan.keep_alarms = fields.flag("keepAlarms");
  plan.token = fields.text("token");
  plan.synthesized_lease_ttl_seconds = fields.revision("synthesizedLeaseTTLSeconds");
  plan.target_version = etcd::parse_minor(fields.text("targetVersion"));
  if (document.contains("auth")) {
    const auto mode = parse_auth_mode(fields.text("auth"));
    if (mode)
      plan.auth = *mode;
    else
      fields.refuse("auth", "is neither as-of nor latest");
    plan.auth_object = fields.text("authObject");
  }
  if (document.contains("sidecar")) plan.sidecar = fields.text("sidecar");
  plan.members = TRY(decode_members(fields.array("members", kMaxMembers)));
  if (plan.members.empty()) fields.refuse("members", "is empty");
  if (plan.revision < 1 || plan.bump >= INT64_MAX - plan.revision) fields.refuse("revision", "is out of range");
  TRY(fields.status());
  return plan;
}

constexpr const char* kSha256 = "sha256";  // of the text without it

std::string text_of(const Json& document) {
  return document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

Json document_of(const SharedPlan& plan) {
  Json members = Json::array();
  for (const etcd::InitialMember& member : plan.members) {
    members.push_back({{"name", member.name}, {"peerURLs", member.peer_urls}});
  }
  Json document = {{"apiVersion", kVersion},
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
  if (!plan.auth_object.empty()) {  // a plan of an earlier version has none
    document["auth"] = auth_mode_word(plan.auth);
    document["authObject"] = plan.auth_object;
  }
  if (!plan.sidecar.empty()) document["sidecar"] = plan.sidecar;  // the same
  return document;
}

Json sealed(Json document) {
  document[kSha256] = crypto::sha256(as_bytes(text_of(document))).text();
  return document;
}

}  // namespace

Bytes encode_plan(const SharedPlan& plan) { return to_bytes(as_bytes(text_of(sealed(document_of(plan))))); }

Result<SharedPlan> decode_plan(ByteView bytes) {
  const Json document = Json::parse(as_text(bytes), nullptr, false);
  if (document.is_discarded() || !document.is_object()) return malformed("it is not a JSON object");
  const auto version = document.find("apiVersion");
  if (version == document.end() || *version != kVersion) {
    return fail(ErrorCode::kPlanMismatch, "the plan file does not fit",
                fmt::format("its apiVersion is not {}", kVersion));
  }
  auto read = from_json(document);
  if (!read) return malformed(read.error().why());
  SharedPlan plan = *std::move(read);
  // A plan of an earlier version has no digest: of that, only the form shows an edit.
  const Json again = document.contains(kSha256) ? sealed(document_of(plan)) : document_of(plan);
  if (text_of(again) != as_text(bytes)) {
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
