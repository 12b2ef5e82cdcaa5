// The format object of a repo (format.N): its identity, version and features.
#include <algorithm>

#include "format/canonical_json.h"
#include "format/object/key_set.h"

namespace lifeboat::object {
namespace {

using json::Fields;
using json::Json;

constexpr std::string_view kWhat = "the format object of the repo";
constexpr std::string_view kMagicText = "lifeboat repo";
constexpr std::uint64_t kVersion = 1;
constexpr std::size_t kMaxObjectBytes = 64u << 10;
constexpr std::size_t kMaxFeatures = 64;

// No feature beyond version 1 exists yet.
bool known_feature(std::string_view) { return false; }

Status check_features(const std::vector<std::string>& features) {
  const auto unknown = std::ranges::find_if(features, [](const std::string& feature) {
    return feature.starts_with('!') && !known_feature(std::string_view(feature).substr(1));
  });
  if (unknown == features.end()) return {};
  return fail(ErrorCode::kRepoFeatureUnknown, "the repo uses the feature \"" + unknown->substr(1) + "\"",
              "this version of Lifeboat does not know it and it is mandatory",
              "Use the Lifeboat version that created the repo, or a newer one.");
}

}  // namespace

Bytes encode_repo_format(const RepoFormat& format) {
  return json::with_checksum(
      {{"magic", kMagicText},
       {"repo", format.repo.text()},
       {"version", format.version},
       {"created_ns", format.created.ns},
       {"features", {{"read", format.read_features}, {"write", format.write_features}, {"gc", format.gc_features}}}});
}

Result<RepoFormat> parse_repo_format(ByteView bytes) {
  const Json root = TRY(json::parse_checksummed(bytes, kMaxObjectBytes, kWhat));
  Fields fields(root, kWhat);
  if (fields.text("magic") != kMagicText) fields.refuse("magic", "is another");
  const std::uint64_t version = fields.number("version", INT32_MAX);
  TRY(fields.status());
  if (version > kVersion)
    return fail(ErrorCode::kRepoVersionUnknown, "the repo has format version " + std::to_string(version),
                "this Lifeboat knows versions up to " + std::to_string(kVersion),
                "Use a newer Lifeboat, one that knows format version " + std::to_string(version) + ".");
  RepoFormat format;
  format.version = static_cast<int>(version);
  if (format.version < 1) fields.refuse("version", "is none");
  format.repo = fields.id<RepoId>("repo");
  format.created = fields.time("created_ns");
  Fields features(fields.child("features"), kWhat);
  if (fields.status()) {
    format.read_features = features.texts("read", kMaxFeatures);
    format.write_features = features.texts("write", kMaxFeatures);
    format.gc_features = features.texts("gc", kMaxFeatures);
    TRY(features.status());
  }
  TRY(fields.status());
  if (!equal(encode_repo_format(format), bytes))
    return fail(ErrorCode::kObjectDamaged, std::string(kWhat) + " is damaged", "it is not the text that was written");
  TRY(check_features(format.read_features));
  TRY(check_features(format.write_features));
  TRY(check_features(format.gc_features));
  return format;
}

}  // namespace lifeboat::object
