#include "repository/catalogue/load_contents.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "io/pipeline.h"
#include "repository/catalogue/build_contents.h"
#include "repository/catalogue/replace_missing.h"
#include "repository/store/layout.h"

namespace lifeboat::repository {
namespace {

// Listed segments that are certainly not captured ones: a base, or what followed a gap.
std::vector<std::string> listed_bases(const std::vector<StoredManifest>& manifests) {
  std::vector<std::string> names;
  for (const StoredManifest& stored : manifests) {
    for (const manifest::SegmentRef& segment : stored.manifest.segments) {
      if (segment.lo == 0 || segment.complete_from != segment.lo) names.push_back(segment.object);
    }
  }
  return names;
}

constexpr std::size_t kReadersAtOnce = 8;  // what takes time is waiting for the store

template <typename T>
struct ReadObject {
  std::string object;
  Result<T> value;
};

// All objects under `prefix`, by name.
template <typename T>
Result<std::vector<T>> read_all(const Repository& repo, const std::string& prefix,
                                Result<T> (*read)(const Repository&, const std::string&), ReadCache& cache,
                                std::vector<DamagedObject>& damaged) {
  std::vector<T> found;
  std::vector<std::string> todo;
  for (const storage::ObjectInfo& object : TRY(repo.store().list(prefix))) {
    const T* known = cache.find<T>(object.name);
    if (known != nullptr) found.push_back(*known);
    if (known == nullptr) todo.push_back(object.name);
  }
  std::size_t next = 0;
  const auto produce = [&]() -> Result<std::optional<std::string>> {
    if (next == todo.size()) return std::nullopt;
    return std::move(todo[next++]);
  };
  const auto open = [&](std::string object) -> Result<ReadObject<T>> {
    auto value = read(repo, object);
    return ReadObject<T>{std::move(object), std::move(value)};
  };
  const auto consume = [&](ReadObject<T> one) -> Status {
    if (one.value) {
      cache.add(one.object, *one.value);
      found.push_back(*std::move(one.value));
    } else if (one.value.error().code() != ErrorCode::kObjectMissing) {  // else removed since it was listed
      damaged.push_back({one.object, one.value.error()});
    }
    return {};
  };
  if (todo.size() > kReadersAtOnce) {
    TRY(io::parallel_ordered_map<std::string, ReadObject<T>>(kReadersAtOnce, 4 * kReadersAtOnce, produce, open,
                                                             consume));
    return found;
  }
  for (std::string& object : todo) {
    ReadObject<T> one = TRY(open(std::move(object)));
    TRY(consume(std::move(one)));
  }
  return found;
}

Result<CatalogueContents> load_once(const Repository& repo, ReadCache& cache) {
  std::vector<DamagedObject> damaged;
  auto manifests = TRY(read_all<StoredManifest>(repo, kManifestPrefix, read_stored_manifest, cache, damaged));
  auto attestations = TRY(read_all<manifest::Attestation>(repo, kAttestationPrefix, read_attestation, cache, damaged));
  const auto listing = TRY(repo.store().list(kSegmentPrefix));
  std::vector<CapturedSegment> captured = TRY(read_captured(repo, listing, listed_bases(manifests), damaged, &cache));
  replace_missing(manifests, captured, listing, cache.segments());
  return build_contents(std::move(manifests), std::move(attestations), std::move(damaged), std::move(captured));
}

}  // namespace

Result<CatalogueContents> load_contents(const Repository& repo, ReadCache* known) {
  ReadCache of_this_call(0);
  ReadCache& cache = known == nullptr ? of_this_call : *known;
  CatalogueContents contents = TRY(load_once(repo, cache));
  const auto is_missing = [](const DamagedObject& damaged) { return damaged.missing.has_value(); };
  if (std::ranges::none_of(contents.damaged, is_missing)) return contents;
  const std::vector<DamagedObject> before = std::move(contents.damaged);
  contents = TRY(load_once(repo, cache));
  std::erase_if(contents.damaged, [&](const DamagedObject& damaged) {
    return is_missing(damaged) && std::ranges::find(before, damaged.object, &DamagedObject::object) == before.end();
  });
  return contents;
}

}  // namespace lifeboat::repository
