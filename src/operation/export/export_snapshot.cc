#include "operation/export/export_snapshot.h"

#include <fmt/format.h>

#include "crypto/hash.h"
#include "io/bulk_writer.h"
#include "operation/database/build_database.h"
#include "operation/restore/restore_source.h"

namespace lifeboat::operation {
namespace {

// A database on its way into a file, hashed in order. Pages 0 and 1 come last in time and first in the hash, so the
// hash is taken by reading the file back.
class FileSink final : public bbolt::PageSink {
 public:
  explicit FileSink(io::BulkFileWriter& out) : out_(out) {}
  Status append(ByteView pages) override { return out_.append(pages); }
  Status write_front(ByteView two_pages) override { return out_.write_front(0, two_pages); }

 private:
  io::BulkFileWriter& out_;
};

std::unexpected<Error> exists_already(const std::string& path) {
  return fail(ErrorCode::kTargetNotEmpty, fmt::format("{} exists", path), "an export never replaces a file",
              "name a file that does not exist yet");
}

Result<Sha256> hash_file(io::File& file, std::uint64_t bytes) {
  crypto::Sha256Stream hash;
  Buffer buffer(std::size_t{1} << 20);
  for (std::uint64_t offset = 0; offset < bytes;) {
    const std::size_t count = TRY(file.read_at(offset, buffer.whole()));
    if (count == 0) return fail(ErrorCode::kStorageFailed, "the exported file ended early when read back");
    hash.update(buffer.whole().first(count));
    offset += count;
  }
  return hash.finish();
}

// For every id that a key names: members panic at a put to a key whose lease is not there. What was captured stays as
// it is.
Result<LeaseChoice> set_leases(const RestoreSource& source, const BuiltDatabase& built, etcd::Sidecar& sidecar) {
  constexpr std::string_view kBucket = "lease";
  LeaseChoice choice =
      choose_leases(built.lease_ids_in_use, TRY(source.sidecar.leases()), keeps_unused_leases(source.facts),
                    synthesized_lease_ttl_seconds({}, source.facts));
  sidecar.get_or_add(kBucket).rows.clear();
  for (const etcd::Lease& lease : choice.leases) {
    const std::string key = to_string(etcd::lease_key(lease.id));
    const auto captured = source.sidecar.value(kBucket, key);
    sidecar.set(kBucket, key, captured ? to_bytes(*captured) : etcd::encode_lease(lease));
  }
  return choice;
}

// The database as it was, for whoever restores it: its own members and alarms; etcdutl rewrites the rest.
Result<etcd::Sidecar> exported_sidecar(const RestoreSource& source, const BuiltDatabase& built, LeaseChoice& leases) {
  etcd::Sidecar sidecar = source.sidecar;
  leases = TRY(set_leases(source, built, sidecar));
  const auto set_revision = [&](std::string_view key) {
    std::byte value[etcd::kTombstoneKeyBytes];
    const std::size_t bytes = etcd::write_revision_key({{built.compact_revision, 0}, false}, value);
    sidecar.set("meta", key, {value, bytes});
  };
  set_revision("finishedCompactRev");
  set_revision("scheduledCompactRev");
  return sidecar;
}

void describe_users(const RestoreSource& source, ExportReport& report) {
  if (!source.auth) return;
  report.users_revision = source.auth->as_of.revision;
  report.users = auth_sentences({.choices = *source.auth}, report.revision).front();
}

}  // namespace

Result<ExportReport> export_snapshot(const repository::Repository& repo, io::World& world,
                                     const repository::Catalogue::Target& target, const std::string& path,
                                     const io::WorkLimits& limits, Progress& progress) {
  if (TRY(io::exists(world.files, path))) return exists_already(path);
  const std::string directory = io::parent_of(path);
  auto file = TRY(world.files.create_unnamed(directory, {.write = true}));
  const RestoreSource source = TRY(source_of(repo, world, target));
  BuiltDatabase built;
  LeaseChoice leases;
  {
    io::BulkFileWriter writer(*file);
    FileSink sink(writer);
    BuildOptions build{.revision = target.revision, .limits = limits};
    build.page_bytes = std::max<std::size_t>(target.point->manifest.source.page_bytes, 4096);
    const auto sidecar_for = [&](const BuiltDatabase& so_far) { return exported_sidecar(source, so_far, leases); };
    built = TRY(source.build(build, sidecar_for, sink, progress));
    TRY(writer.finish());
  }
  const Stage stage(progress, "hash", built.file.file_bytes);
  const Sha256 sha = TRY(hash_file(*file, built.file.file_bytes));
  TRY(file->write_at(built.file.file_bytes, sha.bytes));
  TRY(file->sync());
  const Status published = file->publish(path);
  if (!published && TRY(io::exists(world.files, path))) return exists_already(path);  // made meanwhile
  TRY(published);
  TRY(world.files.sync_directory(directory));
  ExportReport report{.path = path,
                      .revision = target.revision,
                      .file_bytes = built.file.file_bytes + sha.bytes.size(),
                      .live_keys = built.live_keys,
                      .sha256 = sha.text(),
                      .leases = leases.leases.size(),
                      .synthesized_leases = std::move(leases.synthesized)};
  describe_users(source, report);
  if (auto doubt = repository::doubt_about(*target.point)) report.warnings.push_back(*std::move(doubt));
  return report;
}

}  // namespace lifeboat::operation
