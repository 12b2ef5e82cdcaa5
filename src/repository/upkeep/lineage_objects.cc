#include "repository/upkeep/lineage_objects.h"

#include <fmt/format.h>

#include <algorithm>

#include "repository/catalogue/rebased.h"
#include "repository/store/layout.h"

namespace lifeboat::repository {

Result<std::optional<LineageObjects>> LineageObjects::load(const Repository& repo, const LineageId& lineage,
                                                           std::string& why_not) {
  LineageObjects out;
  const auto note = [&](const storage::ObjectInfo& object) {
    out.stored_at_[object.name] = object.modified;
    out.newest_ = std::max(out.newest_, object.modified);
  };
  for (const storage::ObjectInfo& object : TRY(repo.store().list(lineage_prefix(kManifestPrefix, lineage)))) {
    note(object);
    auto manifest = read_stored_manifest(repo, object.name);
    if (!manifest && manifest.error().code() == ErrorCode::kObjectMissing) continue;  // removed since it was listed
    if (!manifest) {
      why_not = "a manifest cannot be read: " + manifest.error().to_string();
      return std::optional<LineageObjects>();
    }
    out.manifests_.push_back(*std::move(manifest));
  }
  out.segments_ = TRY(repo.store().list(lineage_prefix(kSegmentPrefix, lineage)));
  for (const storage::ObjectInfo& object : out.segments_) {
    note(object);
    out.present_.insert(object.name);
  }
  std::vector<DamagedObject> damaged;
  out.captured_ = TRY(read_captured(repo, out.segments_, {}, damaged));
  if (!damaged.empty()) {
    why_not = "a segment cannot be read: " + damaged.front().error.to_string();
    return std::optional<LineageObjects>();
  }
  for (const CapturedSegment& segment : out.captured_) out.captured_names_.insert(segment.ref.object);
  for (const storage::ObjectInfo& object : TRY(repo.store().list(lineage_prefix(kAttestationPrefix, lineage)))) {
    auto attestation = read_attestation(repo, object.name);
    if (!attestation && attestation.error().code() == ErrorCode::kObjectMissing) continue;
    if (!attestation) {
      why_not = "an attestation cannot be read, and may tell of a disagreement: " + attestation.error().to_string();
      return std::optional<LineageObjects>();
    }
    out.attestations_.push_back(*std::move(attestation));
  }
  for (const StoredManifest& stored : out.manifests_) {
    if (!out.is_whole(stored.manifest)) continue;
    out.replaced_.insert(stored.manifest.replaces.begin(), stored.manifest.replaces.end());
  }
  return std::optional(std::move(out));
}

bool LineageObjects::is_whole(const manifest::Manifest& manifest) const {
  return std::ranges::all_of(manifest.segments, [&](const auto& segment) { return is_present(segment.object); });
}

bool LineageObjects::names_captured(const manifest::Manifest& manifest) const {
  return std::ranges::any_of(manifest.segments, [&](const auto& segment) { return is_captured(segment); });
}

Timestamp LineageObjects::stored_at(const std::string& object) const {
  const auto found = stored_at_.find(object);
  return found == stored_at_.end() ? newest_ : found->second;
}

const StoredManifest* LineageObjects::end(const Counts& counts) const {
  const StoredManifest* end = nullptr;
  for (const StoredManifest& stored : manifests_) {
    const manifest::Manifest& m = stored.manifest;
    if (m.purpose != manifest::kEndsHistory || !is_whole(m) || !counts(stored)) continue;
    if (end == nullptr || m.revision > end->manifest.revision) end = &stored;
  }
  return end;
}

std::optional<std::uint32_t> LineageObjects::restore_hash(std::int64_t revision) const {
  std::optional<std::uint32_t> hash;
  for (const manifest::Attestation& attestation : attestations_) {
    if (attestation.revision != revision || attestation.kind != "hashkv" || attestation.restore_hash == 0) continue;
    if (hash && *hash != attestation.restore_hash) return std::nullopt;
    hash = attestation.restore_hash;
  }
  return hash;
}

std::optional<std::unordered_set<std::string>> LineageObjects::needed(const manifest::Manifest& end,
                                                                      const std::unordered_set<std::string>& without,
                                                                      std::string& why_not) const {
  std::unordered_set<std::string> names;
  for (const manifest::SegmentRef& segment : end.segments) names.insert(segment.object);
  for (const StoredManifest& stored : manifests_) {
    if (without.contains(stored.object)) continue;
    const manifest::Manifest& m = stored.manifest;
    const auto on_end = rebased(m, end, [this](const auto& segment) { return is_captured(segment); });
    // Above the end, captured segments must have what is missing: it may be something that needs more of what lies
    // below.
    const bool lacks = on_end && std::ranges::any_of(*on_end, [&](const auto& segment) {
                         if (is_present(segment.object)) return false;
                         const auto chain = chain_from(captured_, std::max(segment.lo, end.revision));
                         return chain.empty() || chain.back()->ref.hi < segment.hi;
                       });
    if (lacks) {
      why_not = fmt::format("the point of revision {} lacks a segment", m.revision);
      return std::nullopt;
    }
    if (!on_end && !is_whole(m)) {
      why_not = fmt::format("the point of revision {} stands on what another merge left", m.revision);
      return std::nullopt;
    }
    for (const manifest::SegmentRef& segment : on_end ? *on_end : m.segments) names.insert(segment.object);
  }
  return names;
}

}  // namespace lifeboat::repository
