#include "repository/store/named_segments.h"

#include <optional>
#include <utility>

#include "repository/store/layout.h"
#include "repository/store/manifest_store.h"

namespace lifeboat::repository {

Result<std::unordered_set<std::string>> named_segments(const Repository& repo, ReadCache* cache) {
  std::unordered_set<std::string> names;
  for (const storage::ObjectInfo& object : TRY(repo.store().list(kManifestPrefix))) {
    const StoredManifest* known = cache == nullptr ? nullptr : cache->find<StoredManifest>(object.name);
    std::optional<StoredManifest> fresh;
    if (known == nullptr) {
      auto read = read_stored_manifest(repo, object.name);
      if (!read && read.error().code() == ErrorCode::kObjectMissing) continue;  // removed since it was listed
      if (!read) return std::unexpected(read.error().in(object.name));
      fresh = *std::move(read);
      known = &*fresh;
      if (cache != nullptr) cache->add(object.name, *fresh);
    }
    for (const manifest::SegmentRef& segment : known->manifest.segments) names.insert(segment.object);
  }
  return names;
}

}  // namespace lifeboat::repository
