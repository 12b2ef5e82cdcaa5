// Names of objects in a repo, made and taken apart.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/ids.h"

namespace lifeboat::repository {

// Levels of segments that a manifest names: all that a snapshot had, what a later backup added. Captured segments have
// levels of their own, 0 to 4.
inline constexpr int kBaseLevel = 4;
inline constexpr int kAdditionLevel = 3;

// What the names of all objects of a kind begin with.
inline constexpr char kSegmentPrefix[] = "s/";
inline constexpr char kManifestPrefix[] = "m/";
inline constexpr char kAttestationPrefix[] = "v/";
inline constexpr char kKeySetPrefix[] = "keys/";
// What those of one lineage begin with: <prefix><lineage>/
std::string lineage_prefix(std::string_view kind_prefix, const LineageId& lineage);

// s/<lineage>/<level>/<lo>-<hi>-<sha256>, revisions as 16 hex digits.
std::string segment_name(const LineageId& lineage, int level, std::int64_t lo, std::int64_t hi, const Sha256& sha);
// m/<lineage>/<hi>-<sha256>
std::string manifest_name(const LineageId& lineage, std::int64_t revision, const Sha256& sha);
// v/<lineage>/<revision>-<sha256>
std::string attestation_name(const LineageId& lineage, std::int64_t revision, const Sha256& sha);
// keys/<epoch>-<generation>-<label>-<sha256>
std::string key_set_name(std::uint32_t epoch, std::uint32_t generation, const std::string& label, const Sha256& sha);
// format.<version>
std::string format_name(int version);

// The SHA-256 that an object's name ends with; nullopt for names that carry none (format.N).
std::optional<Sha256> sha256_in_name(std::string_view name);

// The lineage in the name of a segment, manifest or attestation; the rest is not checked.
std::optional<LineageId> lineage_in_name(std::string_view name);

struct SegmentName {
  LineageId lineage;
  int level = 0;
  std::int64_t lo = 0, hi = 0;
  Sha256 sha;
};
std::optional<SegmentName> parse_segment_name(std::string_view name);

struct ManifestName {
  LineageId lineage;
  std::int64_t revision = 0;
  Sha256 sha;
};
std::optional<ManifestName> parse_manifest_name(std::string_view name);
std::optional<ManifestName> parse_attestation_name(std::string_view name);

}  // namespace lifeboat::repository
