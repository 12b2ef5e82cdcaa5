#include "repository/upkeep/attestations.h"

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <tuple>

#include "repository/catalogue/catalogue.h"
#include "repository/store/layout.h"
#include "repository/store/store_time.h"

namespace lifeboat::repository {
namespace {

using manifest::Attestation;

struct StoredAttestation {
  storage::ObjectInfo object;
  Attestation attestation;
};
using List = std::vector<const StoredAttestation*>;  // of one lineage, the newest first

bool disagrees(const Attestation& a) { return !a.hashes_agree() || (a.kind == "verify" && !a.agreed); }

std::vector<Attestation> attestations_in(const List& list) {
  std::vector<Attestation> out;
  for (const auto* one : list) out.push_back(one->attestation);
  return out;
}

class Lineage {
 public:
  Lineage(List newest_first, const Catalogue& catalogue, const LineageId& id)
      : all_(std::move(newest_first)), proofs_(attestations_in(all_), id) {
    if (const LineageInfo* info = catalogue.lineage(id)) history_from_ = info->history_from;
    for (const Point& point : catalogue.points())
      if (!point.captured && point.manifest.lineage.id == id) named_.insert(point.manifest.revision);
  }

  std::set<std::string> superseded(Timestamp old) {
    for (const auto* one : all_)
      if (disagrees(one->attestation) || one->object.modified > old) keep(one);
    keep_newest_of_points();
    keep_newest_of_all();
    keep_needed_proofs();
    std::set<std::string> out;
    for (const auto* one : all_)
      if (!kept_.contains(one)) out.insert(one->object.name);
    return out;
  }

 private:
  void keep(const StoredAttestation* one) { kept_.insert(one); }

  template <typename Key>
  void keep_first_of_each(const std::function<std::optional<Key>(const Attestation&)>& key_of) {
    std::set<Key> seen;
    for (const auto* one : all_)
      if (const auto key = key_of(one->attestation); key && seen.insert(*key).second) keep(one);
  }

  void keep_newest_of_points() {
    using Key = std::tuple<std::int64_t, std::string, int>;
    const auto at_point = [this](bool wanted, const Attestation& a, int what) {
      return wanted && named_.contains(a.revision) ? std::optional(Key(a.revision, a.kind, what)) : std::nullopt;
    };
    keep_first_of_each<Key>([&](const Attestation& a) { return at_point(true, a, 0); });
    keep_first_of_each<Key>([&](const Attestation& a) { return at_point(a.agreed, a, 1); });
    keep_first_of_each<Key>([&](const Attestation& a) { return at_point(a.restore_hash != 0, a, 2); });
  }

  void keep_newest_of_all() {
    keep_first_of_each<std::string>(
        [](const Attestation& a) { return is_proof(a) ? std::optional(a.kind) : std::nullopt; });
    keep_first_of_each<int>(
        [](const Attestation& a) { return a.kind == "verify" && a.agreed ? std::optional(a.level) : std::nullopt; });
  }

  // The highest first: a proof is redundant when a kept one above it proves all that it proves.
  void keep_needed_proofs() {
    List proofs;
    for (const auto* one : all_)
      if (is_proof(one->attestation) && one->attestation.revision >= history_from_) proofs.push_back(one);
    std::ranges::stable_sort(proofs, std::greater<>(), [](const auto* one) { return one->attestation.revision; });
    std::int64_t proven_from = INT64_MAX;
    for (const auto* one : proofs) {
      const std::int64_t from = proofs_.proves_from(one->attestation);
      if (proven_from <= from && !kept_.contains(one)) continue;
      keep(one);
      keep_proof_at(from);
      proven_from = std::min(proven_from, from);
    }
  }

  // That of the state which another begins with; it may lie below the end of the history.
  void keep_proof_at(std::int64_t revision) {
    const auto at = std::ranges::find_if(
        all_, [&](const auto* one) { return one->attestation.revision == revision && is_proof(one->attestation); });
    if (at != all_.end()) keep(*at);
  }

  const List all_;
  const Proofs proofs_;
  std::int64_t history_from_ = 0;
  std::set<std::int64_t> named_;  // revisions of points that a manifest names
  std::set<const StoredAttestation*> kept_;
};

// All that can be read; the others stay.
Result<std::vector<StoredAttestation>> read_attestations(const Repository& repo, ReadCache* cache) {
  std::vector<StoredAttestation> all;
  for (storage::ObjectInfo& object : TRY(repo.store().list(kAttestationPrefix))) {
    const Attestation* known = cache == nullptr ? nullptr : cache->find<Attestation>(object.name);
    if (known != nullptr) {
      all.push_back({std::move(object), *known});
      continue;
    }
    auto read = read_attestation(repo, object.name);
    if (!read) continue;
    if (cache != nullptr) cache->add(object.name, *read);
    all.push_back({std::move(object), *std::move(read)});
  }
  std::ranges::stable_sort(all, std::greater<>(), [](const auto& one) { return one.attestation.made; });
  return all;
}

}  // namespace

Result<std::size_t> remove_superseded_attestations(const Repository& repo, io::World& world,
                                                   const AttestationPolicy& policy, Progress& progress,
                                                   ReadCache* cache) {
  // Before the catalogue: a point whose manifest comes meanwhile is then among its points.
  const std::vector<StoredAttestation> all = TRY(read_attestations(repo, cache));
  const Catalogue catalogue = TRY(Catalogue::load(repo, cache));
  for (const DamagedObject& damaged : catalogue.damaged())
    if (damaged.object.starts_with(kManifestPrefix)) return std::size_t{0};  // it might name any revision
  Timestamp newest;
  std::map<LineageId, List> by_lineage;
  for (const StoredAttestation& one : all) {
    newest = std::max(newest, one.object.modified);
    by_lineage[one.attestation.lineage].push_back(&one);
  }
  const Timestamp old{store_time(newest, world.clock).ns - std::chrono::nanoseconds(policy.keep_all).count()};
  std::size_t removed = 0;
  for (auto& [id, list] : by_lineage) {
    for (const std::string& object : Lineage(std::move(list), catalogue, id).superseded(old)) {
      if (progress.cancelled()) return fail(ErrorCode::kInterrupted, "removing attestations was interrupted");
      TRY(repo.store().remove(object));
      ++removed;
    }
  }
  return removed;
}

}  // namespace lifeboat::repository
