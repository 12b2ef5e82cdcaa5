#include "operation/target/member_directory.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "format/wal/wal.h"
#include "operation/database/database_sidecar.h"

namespace lifeboat::operation {
namespace {

constexpr std::uint64_t kMaxMarkBytes = 64 * 1024;
constexpr std::uint64_t kMaxWalBytes = 16ull << 20;  // of a fresh one
constexpr std::uint32_t kFolderMode = 0700;
constexpr std::uint32_t kFileMode = 0600;

std::unexpected<Error> differs(const std::string& path, std::string why) {
  return fail(ErrorCode::kVerifyBeforePublish, path + " did not read back as written", std::move(why));
}

Result<std::optional<io::FileKind>> kind_of(io::FileSystem& files, const std::string& path) {
  const auto info = files.stat(path);
  if (info) return info->kind;
  if (io::is_not_found(info.error())) return std::nullopt;
  return std::unexpected(info.error());
}

Result<bool> is_file(io::FileSystem& files, const std::string& path) {
  return TRY(kind_of(files, path)) == io::FileKind::kFile;
}

Status move_gate(io::FileSystem& files, const MemberLayout& layout) {
  TRY(files.exchange(layout.snap(), layout.behind_gate()));
  return files.sync_directory(layout.member());
}

Status for_each_below(io::FileSystem& files, const std::string& path,
                      const std::function<Status(const std::string&, io::FileKind)>& visit) {
  const io::FileKind kind = TRY(files.stat(path)).kind;
  if (kind == io::FileKind::kDirectory) {
    for (const io::DirEntry& entry : TRY(files.list(path))) {
      TRY(for_each_below(files, io::join(path, entry.name), visit));
    }
  }
  return visit(path, kind);
}

Status seal_tree(io::FileSystem& files, const std::string& path, const std::optional<Owner>& owner) {
  return for_each_below(files, path, [&](const std::string& entry, io::FileKind kind) -> Status {
    if (owner) TRY(files.set_owner(entry, owner->first, owner->second));
    if (kind == io::FileKind::kDirectory) return files.sync_directory(entry);
    return {};
  });
}

}  // namespace

Result<bool> gate_is_closed(io::FileSystem& files, const MemberLayout& layout) { return is_file(files, layout.snap()); }

Status open_gate(io::FileSystem& files, const MemberLayout& layout) { return move_gate(files, layout); }
Status close_gate(io::FileSystem& files, const MemberLayout& layout) { return move_gate(files, layout); }

Result<std::optional<Bytes>> read_mark(io::FileSystem& files, const MemberLayout& layout) {
  for (const std::string& path : {layout.behind_gate(), layout.snap()}) {
    if (TRY(is_file(files, path))) return TRY(io::read_whole(files, path, kMaxMarkBytes));
  }
  return std::nullopt;
}

Result<std::string> find_database(io::FileSystem& files, const MemberLayout& layout) {
  for (const std::string& folder : {layout.snap(), layout.behind_gate()}) {
    if (TRY(kind_of(files, folder)) != io::FileKind::kDirectory) continue;
    std::string path = io::join(folder, "db");
    if (TRY(io::exists(files, path))) return path;
  }
  return std::string();
}

Status DatabaseLocks::take(io::FileSystem& files, const std::string& database) {
  if (database.empty()) return {};
  std::unique_ptr<io::File> file = TRY(files.open(database, {}));
  if (!TRY(file->try_lock())) {
    return fail(ErrorCode::kEtcdRunning, "an etcd holds " + database, "its lock on the database is taken");
  }
  held_.push_back(std::move(file));
  return {};
}

Result<std::unique_ptr<MemberBuilder>> MemberBuilder::begin(io::FileSystem& files, MemberLayout layout,
                                                            MemberIdentity identity, std::optional<Bytes> mark,
                                                            bool closed_gate) {
  std::unique_ptr<MemberBuilder> builder(new MemberBuilder(files, std::move(layout), identity));
  builder->mark_ = std::move(mark);
  builder->closed_gate_ = closed_gate;
  builder->snap_folder_ = closed_gate ? builder->layout_.behind_gate() : builder->layout_.snap();
  TRY(builder->make_folders());
  const std::string path = io::join(builder->snap_folder_, "db");
  builder->file_ = TRY(files.open(path, {.write = true, .create = true, .exclusive = true, .mode = kFileMode}));
  builder->writer_ = std::make_unique<io::BulkFileWriter>(*builder->file_);
  return builder;
}

Status MemberBuilder::make_folders() {
  TRY(io::make_directories(files_, layout_.data_dir(), kFolderMode));
  TRY(files_.make_directory(layout_.member(), kFolderMode));
  TRY(files_.make_directory(snap_folder_, kFolderMode));
  if (layout_.wal_is_elsewhere()) return io::make_directories(files_, layout_.wal(), kFolderMode);
  return files_.make_directory(layout_.wal(), kFolderMode);
}

std::string MemberBuilder::snap_path() const {
  return io::join(snap_folder_, wal::snap_file_name(1, identity_.cluster.members.size()));
}

std::string MemberBuilder::wal_path() const { return io::join(layout_.wal(), wal::wal_file_name(0, 0)); }

Status MemberBuilder::write_file(const std::string& path, ByteView content) {
  const auto file = TRY(files_.open(path, {.write = true, .create = true, .exclusive = true, .mode = kFileMode}));
  TRY(file->write_at(0, content));
  return file->sync();
}

Status MemberBuilder::write_mark() {
  if (!mark_) return {};
  TRY(write_file(closed_gate_ ? layout_.snap() : layout_.behind_gate(), *mark_));
  if (layout_.wal_is_elsewhere()) TRY(write_file(layout_.wal_mark(), *mark_));
  return {};
}

Status MemberBuilder::finish() {
  TRY(writer_->finish());
  writer_.reset();
  TRY(write_file(wal_path(), wal::fresh_wal(identity_.cluster, identity_.id)));
  TRY(write_file(snap_path(), wal::fresh_snap(identity_.cluster)));
  return write_mark();
}

Status MemberBuilder::verify(const etcd::Sidecar& sidecar, const bbolt::WrittenDatabase& written) {
  const std::string path = io::join(snap_folder_, "db");
  // Through a second descriptor: what a reader will see, not what the writer remembers.
  const auto file = TRY(files_.open(path, {}));
  const DatabaseFront front = TRY(read_database_front(*file));
  if (front.meta.high_water != written.high_water || front.file_bytes != written.file_bytes) {
    return differs(path, fmt::format("{} bytes and {} pages were written, {} and {} are there", written.file_bytes,
                                     written.high_water, front.file_bytes, front.meta.high_water));
  }
  const etcd::Sidecar read = TRY(read_database_sidecar(*file));
  for (const etcd::BucketRows& bucket : sidecar.buckets) {
    const etcd::BucketRows* found = read.find(bucket.name);
    if (found == nullptr || !(*found == bucket)) return differs(path, "the bucket " + bucket.name + " differs");
  }
  const Bytes wal = TRY(io::read_whole(files_, wal_path(), kMaxWalBytes));
  const Bytes snap = TRY(io::read_whole(files_, snap_path(), kMaxWalBytes));
  const wal::WalSummary summary = TRY(wal::summarise_wal(wal));
  const auto snapshot = TRY(wal::read_snap(snap));
  const std::vector<std::string> sentences = wal::disagreements(sidecar, summary, io::base_name(snap_path()), snapshot);
  if (!sentences.empty()) return differs(layout_.data_dir(), fmt::format("{}", fmt::join(sentences, "; ")));
  if (summary.node_id != identity_.id || summary.cluster_id != identity_.cluster.id) {
    return differs(wal_path(), "it names another member");
  }
  return {};
}

Status MemberBuilder::seal(const std::optional<Owner>& owner) {
  file_.reset();
  TRY(seal_tree(files_, layout_.data_dir(), owner));
  if (layout_.wal_is_elsewhere()) TRY(seal_tree(files_, layout_.wal(), owner));
  return {};
}

Status TeeSink::append(ByteView pages) {
  for (io::BulkFileWriter* writer : writers_) TRY(writer->append(pages));
  return {};
}

Status TeeSink::write_front(ByteView two_pages) {
  for (io::BulkFileWriter* writer : writers_) TRY(writer->write_front(0, two_pages));
  return {};
}

Status remove_marked_member(io::FileSystem& files, const MemberLayout& layout) {
  if (!TRY(io::exists(files, layout.member()))) return {};
  const std::string mark = TRY(gate_is_closed(files, layout)) ? layout.snap() : layout.behind_gate();
  for (const io::DirEntry& entry : TRY(files.list(layout.member()))) {
    const std::string path = io::join(layout.member(), entry.name);
    if (path != mark) TRY(io::remove_tree(files, path));
  }
  TRY(files.sync_directory(layout.member()));
  if (TRY(io::exists(files, mark))) TRY(files.remove_file(mark));
  TRY(files.remove_directory(layout.member()));
  return files.sync_directory(layout.data_dir());
}

Status remove_marked_wal(io::FileSystem& files, const MemberLayout& layout) {
  if (!TRY(io::exists(files, layout.wal()))) return {};
  for (const io::DirEntry& entry : TRY(files.list(layout.wal()))) {
    const std::string path = io::join(layout.wal(), entry.name);
    if (path != layout.wal_mark()) TRY(io::remove_tree(files, path));
  }
  TRY(files.sync_directory(layout.wal()));
  if (TRY(io::exists(files, layout.wal_mark()))) TRY(files.remove_file(layout.wal_mark()));
  // It may be where a disk is mounted, and then stays, empty.
  static_cast<void>(files.remove_directory(layout.wal()));
  return files.sync_directory(io::parent_of(layout.wal()));
}

}  // namespace lifeboat::operation
