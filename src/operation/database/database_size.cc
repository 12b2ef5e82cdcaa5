#include "operation/database/database_size.h"

#include <algorithm>

#include "base/varint.h"
#include "format/etcd/record.h"

namespace lifeboat::operation {
namespace {

constexpr std::uint64_t kRowBytes = 34;  // a record's key and page element
constexpr std::uint64_t kSmallRestBytes = 256 * 1024;
constexpr std::uint64_t kCancelEvery = 4096;

// With the branches, and with what leaves leave free: a page in eight where records are large, else much less.
std::uint64_t with_pages(std::uint64_t bytes) { return bytes + bytes / 8 + kSmallRestBytes; }

// A watch tells what a member had in use at another moment than its revision; a merge keeps what another point says.
bool is_snapshots_own(const repository::Point& point) {
  const manifest::Manifest& m = point.manifest;
  return !point.captured && m.source.kind != "watch" && m.purpose != manifest::kEndsHistory &&
         m.source.in_use_bytes > 0;
}

const manifest::Manifest* newest_snapshot(const repository::Catalogue& catalogue, const LineageId& lineage,
                                          std::int64_t revision) {
  const manifest::Manifest* newest = nullptr;
  for (const repository::Point& point : catalogue.points()) {
    const manifest::Manifest& m = point.manifest;
    if (m.lineage.id != lineage || m.revision > revision || !is_snapshots_own(point)) continue;
    if (newest == nullptr || m.revision > newest->revision) newest = &m;
  }
  return newest;
}

std::uint64_t bytes_between(const manifest::Manifest& manifest, std::int64_t from, std::int64_t to) {
  std::uint64_t bytes = 0;
  for (const manifest::SegmentRef& segment : manifest.segments)
    if (segment.hi > from && segment.lo < to) bytes += segment.plain_bytes + segment.records * kRowBytes;
  return bytes;
}

std::uint64_t row_bytes(const segment::Head& head) {
  const etcd::KeyValue without_value{.key = head.user_key,
                                     .create_revision = head.create_revision,
                                     .mod_revision = head.key.revision.main,
                                     .version = head.version,
                                     .value = {},
                                     .lease = head.lease};
  const std::uint64_t value_bytes = 1 + varint_bytes(head.value_bytes) + head.value_bytes;
  return kRowBytes + etcd::key_value_bytes(without_value) + value_bytes;
}

}  // namespace

DatabaseBounds database_bounds(const repository::Catalogue& catalogue, const manifest::Manifest& manifest,
                               std::int64_t revision) {
  const std::uint64_t all = bytes_between(manifest, -1, revision);
  std::uint64_t state = all;
  if (const auto* snapshot = newest_snapshot(catalogue, manifest.lineage.id, revision))
    state = std::min(all, snapshot->source.in_use_bytes + bytes_between(manifest, snapshot->revision, revision));
  return {.state_bytes = with_pages(state), .history_bytes = with_pages(all)};
}

Result<std::uint64_t> measure_state(const repository::Repository& repo, io::World& world,
                                    const manifest::Manifest& manifest, const repository::LogReadOptions& options,
                                    Progress& progress) {
  const auto heads = TRY(repository::read_log_heads(repo, world, manifest, options, progress));
  std::uint64_t bytes = 0;
  repository::SeenHead seen;
  for (std::uint64_t i = 1; TRY(heads->next(seen)); ++i) {
    if (i % kCancelEvery == 0 && progress.cancelled())
      return fail(ErrorCode::kInterrupted, "measuring the database was interrupted");
    if (seen.visible) bytes += row_bytes(seen.head);
  }
  return with_pages(bytes);
}

}  // namespace lifeboat::operation
