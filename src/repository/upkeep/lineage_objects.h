// What is stored of one lineage, as far as its history's end is concerned.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "repository/store/manifest_store.h"
#include "repository/upkeep/merge.h"

namespace lifeboat::repository {

class LineageObjects {
 public:
  // nullopt, and a sentence in `why_not`, while a manifest, segment or attestation cannot be read: what it
  // holds might matter.
  static Result<std::optional<LineageObjects>> load(const Repository& repo, const LineageId& lineage,
                                                    std::string& why_not);

  const std::vector<StoredManifest>& manifests() const { return manifests_; }
  const std::vector<CapturedSegment>& captured() const { return captured_; }  // also those that a wider one contains
  const std::vector<storage::ObjectInfo>& segments() const { return segments_; }
  const std::vector<manifest::Attestation>& attestations() const { return attestations_; }

  bool is_present(const std::string& segment) const { return present_.contains(segment); }
  bool is_captured_name(const std::string& segment) const { return captured_names_.contains(segment); }
  // Also what is gone: nothing else of a living manifest is ever removed.
  bool is_captured(const manifest::SegmentRef& segment) const {
    return is_captured_name(segment.object) || !is_present(segment.object);
  }
  bool is_whole(const manifest::Manifest& manifest) const;
  bool names_captured(const manifest::Manifest& manifest) const;
  // Manifests in whose place a whole one stands.
  const std::unordered_set<std::string>& replaced() const { return replaced_; }
  Timestamp stored_at(const std::string& object) const;  // manifests and segments
  Timestamp newest() const { return newest_; }           // of the store's times
  // The manifest of purpose kEndsHistory with the highest revision that is whole, and that `counts`.
  using Counts = std::function<bool(const StoredManifest&)>;
  const StoredManifest* end(const Counts& counts = [](const StoredManifest&) { return true; }) const;
  // Of the attestations, the hash that a restore of this revision must give; nullopt: none, or they differ.
  std::optional<std::uint32_t> restore_hash(std::int64_t revision) const;

  // The names that the manifests not in `without` need once history ends with `end`; nullopt, with a sentence, when
  // one needs what is not there and does not stand on `end`.
  std::optional<std::unordered_set<std::string>> needed(const manifest::Manifest& end,
                                                        const std::unordered_set<std::string>& without,
                                                        std::string& why_not) const;

 private:
  std::vector<StoredManifest> manifests_;
  std::vector<CapturedSegment> captured_;
  std::vector<storage::ObjectInfo> segments_;
  std::vector<manifest::Attestation> attestations_;
  std::unordered_set<std::string> present_, captured_names_, replaced_;
  std::unordered_map<std::string, Timestamp> stored_at_;
  Timestamp newest_;
};

}  // namespace lifeboat::repository
