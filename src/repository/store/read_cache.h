// ReadCache: what was read of a repo's objects, which never change, for those who open the repo again and again.
#pragma once

#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <variant>

#include "repository/store/captured_segment.h"
#include "repository/store/manifest_store.h"

namespace lifeboat::repository {

// For one thread. Bounded: what does not fit is read again each time. Manifests that go through it, also those that do
// not fit, share the segments that they name.
class ReadCache {
 public:
  // nullopt: a segment that is no captured one.
  using Captured = std::optional<CapturedSegment>;

  explicit ReadCache(std::uint64_t limit_bytes = 8ull << 20) : limit_bytes_(limit_bytes) {}

  template <typename T>
  const T* find(const std::string& object) {
    const auto found = entries_.find(object);
    if (found == entries_.end()) return nullptr;
    found->second.round = round_;
    return std::get_if<T>(&found->second.value);
  }

  template <typename T>
  void add(const std::string& object, const T& value) {
    const std::uint64_t added = bytes_of(value);
    if (bytes() + added > limit_bytes_) return;
    if (entries_.try_emplace(object, Entry{value, added, round_}).second) bytes_ += added;
  }

  void add(const std::string& object, StoredManifest& stored) {
    segments_.share(stored.manifest.segments);
    add(object, std::as_const(stored));
  }

  // Forgets what was not asked for since the last call.
  void end_round() {
    std::erase_if(entries_, [this](const auto& entry) {
      if (entry.second.round == round_) return false;
      bytes_ -= entry.second.bytes;
      return true;
    });
    segments_.drop_unused();
    ++round_;
  }

  std::uint64_t bytes() const { return bytes_ + segments_.size() * kSegment; }
  manifest::SegmentPool& segments() { return segments_; }

 private:
  struct Entry {
    std::variant<Captured, StoredManifest, manifest::Attestation> value;
    std::uint64_t bytes = 0, round = 0;
  };

  // Roughly, of memory.
  static constexpr std::uint64_t kEntry = 1024, kSegment = 384, kShared = 16, kName = 128, kMember = 320, kChange = 256;
  static std::uint64_t bytes_of(const manifest::Attestation& a) { return kEntry + a.members.size() * kMember; }
  static std::uint64_t bytes_of(const StoredManifest& stored) {
    return kEntry + stored.manifest.segments.size() * kShared + stored.manifest.replaces.size() * kName;
  }
  static std::uint64_t bytes_of(const Captured& captured) {
    if (!captured) return kEntry;
    return kEntry + captured->commit.flushes.size() * sizeof(manifest::Flush) +
           captured->commit.changes.size() * kChange;
  }

  const std::uint64_t limit_bytes_;
  std::uint64_t bytes_ = 0, round_ = 0;  // bytes_: of the entries
  manifest::SegmentPool segments_;
  std::unordered_map<std::string, Entry> entries_;
};

}  // namespace lifeboat::repository
