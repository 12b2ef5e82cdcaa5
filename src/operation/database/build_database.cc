#include "operation/database/build_database.h"

#include <algorithm>
#include <limits>
#include <optional>

#include <fmt/format.h>

#include "format/bbolt/checked_sink.h"
#include "format/etcd/hash_kv.h"
#include "repository/catalogue/coverage.h"

namespace lifeboat::operation {
namespace {

constexpr std::uint64_t kCancelEvery = 4096;

// What a restored `key` bucket holds: the log's records that the options ask for, and a bump record at the end.
class KeyBucket {
 public:
  KeyBucket(const BuildOptions& options, std::int64_t history_from, bbolt::BulkLoader& loader)
      : options_(options),
        history_from_(history_from),
        loader_(loader),
        visible_hash_(options.revision + options.bump, options.revision + options.bump),
        history_hash_(history_from, options.revision + options.bump) {
    for (const auto compact : options.hash_at) asked_hashes_.emplace_back(compact, options.revision);
  }

  std::int64_t compact_revision() const {
    if (options_.bump > 0 && options_.mark_compacted) return options_.revision + options_.bump;
    return options_.keep_history ? history_from_ : options_.revision;
  }

  // `last`: the log's last record, whose revision the store must not forget, even if it is a tombstone (a bump record
  // remembers a later one).
  Status add(const repository::SeenRecord& seen, bool last) {
    const etcd::Record& record = seen.record;
    for (auto& hash : asked_hashes_) hash.add(record, seen.visible, seen.visible);
    if (seen.visible && options_.bump > 0 && record.value.empty()) return add_earlier_bump(seen);
    const bool keeps_revision = last && record.key.tombstone && options_.bump == 0;
    if (!wanted(seen) && !keeps_revision) return {};
    TRY(write(record));
    hash(record, seen.visible, seen.live_at_compaction);
    if (!seen.visible) return {};
    ++built_.live_keys;
    return note_lease(record);
  }

  Status add_bump() {
    const auto& at_point = point_hash_ ? *point_hash_ : visible_hash_;
    built_.point_hash = at_point.value(true);
    if (options_.bump == 0) return {};
    const etcd::Record bump{{{options_.revision + options_.bump, 0}, false}, {}};
    TRY(write(bump));
    hash(bump, true, false);
    bumped_ = true;
    return {};
  }

  BuiltDatabase finish() {
    auto& leases = built_.lease_ids_in_use;
    std::sort(leases.begin(), leases.end());
    leases.erase(std::unique(leases.begin(), leases.end()), leases.end());
    built_.last_revision = options_.revision + options_.bump;
    built_.compact_revision = compact_revision();
    const bool any_kept = bumped_ || built_.live_keys > 0;
    const bool history_kept = options_.keep_history && !(bumped_ && options_.mark_compacted);
    const auto& hash = history_kept ? history_hash_ : visible_hash_;
    built_.hash = !any_kept && !options_.keep_history ? built_.point_hash : hash.value(any_kept);
    if (built_.live_keys > 0)
      for (const auto& asked : asked_hashes_) built_.hashes.push_back(asked.value(true));
    return std::move(built_);
  }

 private:
  bool wanted(const repository::SeenRecord& seen) const {
    if (!options_.keep_history) return seen.visible;
    return seen.record.key.revision.main > history_from_ || seen.live_at_compaction;
  }

  Status write(const etcd::Record& record) {
    std::byte key[etcd::kTombstoneKeyBytes];
    const std::size_t key_bytes = etcd::write_revision_key(record.key, key);
    ++built_.records;
    return loader_.add({key, key_bytes}, record.value);
  }

  void hash(const etcd::Record& record, bool kept, bool live_at_compaction) {
    if (options_.keep_history) history_hash_.add(record, kept, live_at_compaction);
    if (!kept) return;
    visible_hash_.add(record, true, true);
    const bool of_this_bump = record.key.revision.main > options_.revision;
    if (point_hash_ && !of_this_bump) point_hash_->add(record, true, true);
  }

  // The bump of an earlier restore: live at the point, but the new one takes the place of its nameless key.
  Status add_earlier_bump(const repository::SeenRecord& seen) {
    ++built_.live_keys;
    point_hash_ = visible_hash_;
    point_hash_->add(seen.record, true, true);
    if (!options_.keep_history || !wanted(seen)) return {};
    hash(seen.record, false, seen.live_at_compaction);
    return write(seen.record);
  }

  Status note_lease(const etcd::Record& record) {
    const auto kv = etcd::parse_key_value(record.value);
    if (!kv)
      return fail(ErrorCode::kDatabaseDamaged,
                  fmt::format("record at revision {} does not parse", record.key.revision.main));
    auto& leases = built_.lease_ids_in_use;
    if (kv->lease != 0 && (leases.empty() || leases.back() != kv->lease)) leases.push_back(kv->lease);
    return {};
  }

  const BuildOptions& options_;
  const std::int64_t history_from_;
  bbolt::BulkLoader& loader_;
  std::optional<etcd::HashKv> point_hash_;  // of what is visible at the point, where that is not visible_hash_
  etcd::HashKv visible_hash_;               // where everything at or below the store's revision is compacted
  etcd::HashKv history_hash_;               // where compaction stands at the history's beginning
  std::vector<etcd::HashKv> asked_hashes_;
  bool bumped_ = false;
  BuiltDatabase built_;
};

// Where the history that ends at `revision` begins without a gap.
std::int64_t history_start(const manifest::Manifest& manifest, std::int64_t revision) {
  for (const auto& range : repository::coverage_of(manifest.segments))
    if (revision >= range.from && revision <= range.to) return range.from;
  return revision;
}

Status add_all(repository::SeenRecords& log, KeyBucket& bucket, Progress& progress) {
  const std::uint64_t total = log.records();
  repository::SeenRecord seen;
  for (std::uint64_t i = 1; TRY(log.next(seen)); ++i) {
    if (i % kCancelEvery == 0 && progress.cancelled())
      return fail(ErrorCode::kInterrupted, "building the database was interrupted");
    TRY(bucket.add(seen, i == total));
    progress.advance(seen.record.value.size());
  }
  return bucket.add_bump();
}

Status compare_with_proof(const repository::Catalogue::Target& target, const BuiltDatabase& built) {
  const auto& proof = target.point->hash_proof;
  if (!proof || proof->restore_hash == 0 || target.revision != target.point->manifest.revision) return {};
  if (proof->restore_hash == built.point_hash) return {};
  return fail(ErrorCode::kProofMismatch,
              fmt::format("the database built from point {} is not what was backed up", target.point->id),
              fmt::format("its HashKV is {}, the point's proof says {}", built.point_hash, proof->restore_hash));
}

// A rule that is broken tells more than a count, and so does the hash of a member, which is compared before.
Status compare_with_count(const repository::Catalogue::Target& target, const BuiltDatabase& built) {
  const manifest::Manifest& manifest = target.point->manifest;
  if (target.revision != manifest.revision || !built.findings.empty()) return {};
  if (target.point->proof == repository::Proof::kProven) return {};
  return repository::require_live_keys(manifest, built.live_keys);
}

}  // namespace

Result<BuiltDatabase> build_database(const repository::Repository& repo, io::World& world,
                                     const repository::Catalogue::Target& target, const BuildOptions& options,
                                     const SidecarFor& sidecar_for, bbolt::PageSink& sink, Progress& progress) {
  const std::int64_t history_from = history_start(target.point->manifest, options.revision);
  if (options.bump < 0 || options.revision > std::numeric_limits<std::int64_t>::max() - options.bump)
    return fail(ErrorCode::kUsage, "the revision cannot be raised so far");
  auto log = TRY(repository::read_log(repo, world, target.point->manifest,
                                      {.revision = options.revision,
                                       .compaction = options.keep_history ? history_from : -1,
                                       .limits = options.limits,
                                       .check = options.check_rules},
                                      progress));
  const Stage stage(progress, "write database", target.point->manifest.source.in_use_bytes);
  bbolt::CheckedSink checked(sink, options.page_bytes);
  bbolt::BulkLoader loader(checked, options.page_bytes);
  KeyBucket keys(options, history_from, loader);
  TRY(loader.begin_bucket("key"));
  TRY(add_all(*log, keys, progress));
  TRY(loader.end_bucket());
  BuiltDatabase built = keys.finish();
  built.log_records = log->records();
  built.findings = log->findings();
  TRY(compare_with_proof(target, built));
  TRY(compare_with_count(target, built));

  const etcd::Sidecar sidecar = TRY(sidecar_for(built));
  for (const auto& bucket : sidecar.buckets) {
    TRY(loader.begin_bucket(bucket.name));
    for (const auto& row : bucket.rows) TRY(loader.add(row.key, row.value));
    TRY(loader.end_bucket());
  }
  built.file = TRY(loader.finish());
  return built;
}

}  // namespace lifeboat::operation
