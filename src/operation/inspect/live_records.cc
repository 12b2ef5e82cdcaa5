#include "operation/inspect/live_records.h"

#include <fmt/format.h>

namespace lifeboat::operation {

bool has_prefix(ByteView key, ByteView prefix) {
  return key.size() >= prefix.size() && equal(key.first(prefix.size()), prefix);
}

namespace {

repository::LogReadOptions read_options(const repository::Catalogue::Target& target, const io::WorkLimits& limits) {
  return {.revision = target.revision, .limits = limits};
}

}  // namespace

Result<std::unique_ptr<repository::SeenRecords>> open_live(const repository::Repository& repo, io::World& world,
                                                           const repository::Catalogue::Target& target,
                                                           const io::WorkLimits& limits, Progress& progress) {
  return repository::read_log(repo, world, target.point->manifest, read_options(target, limits), progress);
}

Result<std::unique_ptr<repository::SeenHeads>> open_live_heads(const repository::Repository& repo, io::World& world,
                                                               const repository::Catalogue::Target& target,
                                                               const io::WorkLimits& limits, Progress& progress) {
  return repository::read_log_heads(repo, world, target.point->manifest, read_options(target, limits), progress);
}

Result<bool> next_live(repository::SeenHeads& log, ByteView prefix, Progress& progress, segment::Head& out) {
  repository::SeenHead seen;
  while (TRY(log.next(seen))) {
    if (!seen.visible || !has_prefix(seen.head.user_key, prefix)) continue;
    if (progress.cancelled()) return fail(ErrorCode::kInterrupted, "reading was interrupted");
    out = seen.head;
    return true;
  }
  return false;
}

Result<bool> next_live(repository::SeenRecords& log, ByteView prefix, Progress& progress, LiveRecord& out) {
  repository::SeenRecord seen;
  while (TRY(log.next(seen))) {
    if (!seen.visible) continue;
    if (progress.cancelled()) return fail(ErrorCode::kInterrupted, "reading was interrupted");
    const auto kv = etcd::parse_key_value(seen.record.value);
    if (!kv)
      return fail(ErrorCode::kDatabaseDamaged,
                  fmt::format("record at revision {} does not parse", seen.record.key.revision.main));
    if (!has_prefix(kv->key, prefix)) continue;
    out = {seen.record.key.revision, *kv, seen.record.value};
    return true;
  }
  return false;
}

}  // namespace lifeboat::operation
