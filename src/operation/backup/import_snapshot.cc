#include "operation/backup/import_snapshot.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "base/text.h"
#include "crypto/compress.h"
#include "crypto/hash.h"
#include "operation/backup/commit_snapshot.h"
#include "operation/backup/prove_point.h"
#include "repository/store/leftovers.h"

namespace lifeboat::operation {
namespace {

constexpr std::size_t kReadBytes = std::size_t{1} << 20;
constexpr std::size_t kTrailerBytes = 32;  // SHA-256 of what stands before it
constexpr std::uint64_t kAlignment = 512;  // a database is a multiple of it, a snapshot file 32 bytes more
                                           // [etcd v3.6 etcdutl/snapshot/v3_snapshot.go]

// Passes a file's plain bytes on, but for the last 32, which may be the trailer; hashes what it passes.
class TrailerSplitter {
 public:
  explicit TrailerSplitter(source::SnapshotReader& out) : out_(out) {}

  Status write(ByteView bytes) {
    total_ += bytes.size();
    append(held_, bytes);
    if (held_.size() <= kTrailerBytes) return {};
    const std::size_t pass = held_.size() - kTrailerBytes;
    TRY(pass_on(ByteView(held_).first(pass)));
    held_.erase(held_.begin(), held_.begin() + static_cast<std::ptrdiff_t>(pass));
    return {};
  }

  // The file has ended. The database's SHA-256.
  Result<Sha256> finish(bool allow_bare) {
    if (total_ % kAlignment == kTrailerBytes) return check_trailer();
    if (total_ % kAlignment != 0 || !allow_bare)
      return fail(ErrorCode::kSnapshotTruncated, "the file is no whole snapshot",
                  fmt::format("its {} bytes are neither a database nor a database and its SHA-256", total_),
                  "bring the whole file again; a cut snapshot cannot be trusted");
    bare_ = true;
    TRY(pass_on(held_));
    return hash_.finish();
  }
  bool bare() const { return bare_; }

 private:
  Status pass_on(ByteView bytes) {
    hash_.update(bytes);
    return out_.write(bytes);
  }

  Result<Sha256> check_trailer() {
    const Sha256 sha = hash_.finish();
    if (equal(sha.bytes, held_)) return sha;
    return fail(ErrorCode::kSnapshotChecksum, "the snapshot's checksum does not match",
                fmt::format("it ends with {}, its bytes give {}", hex(held_), sha.text()),
                "bring the file again from where it was made (note: `etcdutl hashkv` changes the file it reads)");
  }

  source::SnapshotReader& out_;
  crypto::Sha256Stream hash_;
  Bytes held_;
  std::uint64_t total_ = 0;
  bool bare_ = false;
};

// A file's bytes, decoded by what its first bytes say it is.
Status pump(io::File& file, crypto::FileEncoding encoding, Progress& progress, TrailerSplitter& out) {
  Buffer raw(kReadBytes), plain(kReadBytes);
  crypto::StreamDecoder decoder(encoding);
  for (std::uint64_t offset = 0;;) {
    if (progress.cancelled()) return fail(ErrorCode::kInterrupted, "reading the file was interrupted");
    const std::size_t count = TRY(file.read_at(offset, raw.whole()));
    offset += count;
    progress.advance(count);
    ByteView in = raw.whole().first(count);
    if (encoding == crypto::FileEncoding::kPlain) TRY(out.write(in));
    while (encoding != crypto::FileEncoding::kPlain) {
      const std::size_t made = TRY(decoder.decode(in, plain.whole()));
      if (made != 0) TRY(out.write(plain.whole().first(made)));
      if (in.empty() && made < plain.capacity()) break;
    }
    if (count == raw.capacity()) continue;
    if (encoding != crypto::FileEncoding::kPlain && !decoder.at_boundary())
      return fail(ErrorCode::kSnapshotTruncated, "the compressed file ends too early");
    return {};
  }
}

// An etcd that runs on a bare database writes into it while it is read, and pages of two transactions may fit together
// unseen: its lock must be free, and stays with `file` until that is closed. What cannot be locked (on some network
// file systems) is reported as a warning.
Status require_at_rest(io::File& file, const std::string& path, std::vector<std::string>& warnings) {
  const auto locked = file.try_lock();
  if (!locked) {
    warnings.push_back("whether an etcd runs on the file is not known: " + locked.error().why());
    return {};
  }
  if (*locked) return {};
  return fail(ErrorCode::kEtcdRunning, "an etcd holds " + path,
              "its lock on the database is taken; a file that is read while etcd writes it can mix two states",
              "Stop that etcd and run the import again, or back the running one up with `lifeboat backup etcd`.");
}

void warn_of_bare_database(std::vector<std::string>& warnings) {
  warnings.push_back("the file has no checksum of its own (a bare database): only its structure was checked");
  warnings.push_back(
      "writes that etcd had in its write-ahead log alone, not yet in this file, are not in the point: a clean "
      "stop of etcd puts what it has applied into it");
}

// When the state in the file was current. A point of the future would be the newest one until then.
Result<Timestamp> time_of(io::World& world, const io::FileInfo& info, const ImportOptions& options,
                          std::vector<std::string>& warnings) {
  const Timestamp now = world.clock.now();
  if (options.taken && *options.taken > now) {
    return fail(ErrorCode::kUsage, fmt::format("the time {} lies in the future", rfc3339(*options.taken)),
                fmt::format("it is {} by the clock of this machine", rfc3339(now)),
                "Pass --time with the time at which the snapshot was taken.");
  }
  if (options.taken || info.modified <= now) return options.taken.value_or(info.modified);
  warnings.push_back(fmt::format("the time of the file, {}, lies in the future: the point gets the time of the import",
                                 rfc3339(info.modified)));
  return now;
}

// Who imports a file may expect to restore it by `latest`.
void warn_of_latest(const repository::Repository& repo, BackupReport& report) {
  const auto catalogue = repository::Catalogue::load(repo);
  if (!catalogue) return;
  const repository::Point* const latest = catalogue->latest_of(report.cluster);
  if (latest == nullptr || latest->id == report.point) return;
  report.warnings.push_back(fmt::format(
      "`latest` of cluster {} is point {} at revision {}, last seen at {}, not this one: name this one by its id, {}",
      printable(report.cluster), latest->id, latest->manifest.revision, rfc3339(latest->last_seen), report.point));
}

Result<crypto::FileEncoding> encoding_of(io::File& file) {
  std::byte front[16];
  const std::size_t count = TRY(file.read_at(0, front));
  return crypto::detect_encoding({front, count});
}

bool is_of_the_file(ErrorCode code) {
  return code == ErrorCode::kNotADatabase || code == ErrorCode::kSnapshotTruncated ||
         code == ErrorCode::kSnapshotChecksum || code == ErrorCode::kDatabaseDamaged ||
         code == ErrorCode::kUnsupportedContent;
}

Result<BackupReport> import_file(const repository::Repository& repo, io::World& world, const std::string& path,
                                 const ImportOptions& options, Progress& progress) {
  const auto began = world.clock.monotonic();
  const auto seconds = [&] { return std::chrono::duration<double>(world.clock.monotonic() - began).count(); };
  BackupReport report;
  auto file = TRY(world.files.open(path, {}));
  const auto info = TRY(file->info());
  if (info.kind == io::FileKind::kDirectory)
    return fail(ErrorCode::kUnreadableInput, fmt::format("{} is a directory", path), "a snapshot is one file",
                "name the snapshot file, or <data-dir>/member/snap/db");
  if (info.kind != io::FileKind::kFile)
    return fail(ErrorCode::kUnreadableInput, fmt::format("{} is a pipe or a device", path),
                "a snapshot is one file: its length, its end and its lock are looked at before it is read",
                "Save it as a file first, and import that.");
  const Timestamp taken = TRY(time_of(world, info, options, report.warnings));
  const auto encoding = TRY(encoding_of(*file));
  const bool is_bare = encoding == crypto::FileEncoding::kPlain && info.size_bytes % kAlignment == 0;
  if (is_bare) TRY(require_at_rest(*file, path, report.warnings));

  source::SnapshotReader snapshot(world, options.limits.spool_directory, progress, options.receive_memory_bytes);
  std::optional<Stage> stage(std::in_place, progress, "read the file", info.size_bytes);
  TRY(snapshot.begin(encoding == crypto::FileEncoding::kPlain ? info.size_bytes : 0, path));
  TrailerSplitter splitter(snapshot);
  TRY(pump(*file, encoding, progress, splitter));
  file.reset();  // and with it the lock
  TRY(snapshot.check_front());
  const Sha256 sha = TRY(splitter.finish(options.allow_bare_database));
  TRY(snapshot.open());
  stage.reset();
  report.receive_seconds = seconds();
  if (splitter.bare()) warn_of_bare_database(report.warnings);

  if (const Status cleared = repository::remove_leftovers(repo); !cleared)
    report.warnings.push_back(cleared.error().to_string());
  CommitRequest request;
  request.source.kind = manifest::kImported;
  request.source.cluster = options.cluster;
  request.source.file_sha256 = sha.text();
  request.earliest = request.latest = taken;
  const auto committed = TRY(commit_snapshot(repo, world, snapshot, std::move(request), options, report, progress));
  report.leases = committed.manifest.leases;
  warn_of_latest(repo, report);
  report.total_seconds = seconds();
  report.store_seconds = report.total_seconds - report.receive_seconds;
  report.proof.reason = "imported from a file: no live member to compare with";
  if (!options.prove) return report;
  // The point exists already: what goes wrong now is reported, not fatal.
  const Status recorded = record_restore_hash(repo, world, committed.manifest, report.proof.reason, options, progress);
  if (recorded) return report;
  if (repository::is_damage(recorded.error())) report.damage = recorded.error().code();
  report.warnings.push_back("the point is there, and the hash of what is stored could not be recorded: " +
                            recorded.error().to_string());
  return report;
}

}  // namespace

Result<BackupReport> import_snapshot(const repository::Repository& repo, io::World& world, const std::string& path,
                                     const ImportOptions& options, Progress& progress) {
  auto report = import_file(repo, world, path, options, progress);
  if (!report && is_of_the_file(report.error().code())) return std::unexpected(report.error().in(path));
  return report;
}

}  // namespace lifeboat::operation
