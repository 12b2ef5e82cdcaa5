// One member's data directory: where its files lie, and building and checking the fresh ones of a restore.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "format/bbolt/writer.h"
#include "format/etcd/cluster.h"
#include "format/etcd/sidecar.h"
#include "io/bulk_writer.h"
#include "io/file_system.h"

namespace lifeboat::operation {

using Owner = std::pair<std::uint32_t, std::uint32_t>;  // uid, gid

// Where a member's files lie. A member whose WAL lies elsewhere goes live in two renames, and between them etcd must
// not start on half of it. The gate sees to that: while it is closed `member/snap` is a small file and the real folder
// is `member/snap.lifeboat`, and every etcd (3.4 to 3.7, tried) stops at its start with "not a directory" before it
// writes anything. One exchange of the two names opens it. The small file says which restore it belongs to; once the
// gate is open it is `member/snap.lifeboat`, which etcd never looks at.
class MemberLayout {
 public:
  // `wal_dir` empty, or <data_dir>/member/wal by its name: where etcd looks by itself.
  MemberLayout(std::string data_dir, std::string wal_dir)
      : data_dir_(std::move(data_dir)), wal_dir_(std::move(wal_dir)) {
    if (wal_dir_ == wal_inside()) wal_dir_.clear();
  }

  const std::string& data_dir() const { return data_dir_; }
  bool wal_is_elsewhere() const { return !wal_dir_.empty(); }
  std::string member() const { return io::join(data_dir_, "member"); }
  std::string wal() const { return wal_is_elsewhere() ? wal_dir_ : wal_inside(); }
  std::string snap() const { return io::join(member(), "snap"); }
  std::string behind_gate() const { return io::join(member(), "snap.lifeboat"); }
  // Tells a WAL folder elsewhere apart from the one it replaces. etcd leaves names ending in .tmp alone.
  std::string wal_mark() const { return io::join(wal(), "lifeboat.tmp"); }

 private:
  std::string wal_inside() const { return io::join(member(), "wal"); }

  std::string data_dir_, wal_dir_;
};

// False too when there is no member.
Result<bool> gate_is_closed(io::FileSystem& files, const MemberLayout& layout);
Status open_gate(io::FileSystem& files, const MemberLayout& layout);
Status close_gate(io::FileSystem& files, const MemberLayout& layout);  // needs the mark behind it
// The small file's content, wherever the gate has it; nullopt when there is none.
Result<std::optional<Bytes>> read_mark(io::FileSystem& files, const MemberLayout& layout);
// The database, whether the gate is open or closed; empty when there is none.
Result<std::string> find_database(io::FileSystem& files, const MemberLayout& layout);

// The locks that bbolt takes on databases, held by us. Released by the destructor.
class DatabaseLocks {
 public:
  // kEtcdRunning when somebody else holds it. An empty path is nothing to lock.
  Status take(io::FileSystem& files, const std::string& database);
  void release() { held_.clear(); }

 private:
  std::vector<std::unique_ptr<io::File>> held_;
};

struct MemberIdentity {
  const etcd::NewCluster& cluster;
  std::uint64_t id = 0;
};

// Builds one member in empty folders of its own. Order: begin, append pages through sink(), finish, verify, seal.
class MemberBuilder {
 public:
  // Makes the folders (0700). `mark`: content of the small file; `gate` closed when the WAL lies elsewhere.
  static Result<std::unique_ptr<MemberBuilder>> begin(io::FileSystem& files, MemberLayout layout,
                                                      MemberIdentity identity, std::optional<Bytes> mark,
                                                      bool closed_gate);
  io::BulkFileWriter& database() { return *writer_; }
  const MemberLayout& layout() const { return layout_; }
  // Syncs the database and writes WAL, snap and marks beside it, synced.
  Status finish();
  // Reads everything small back: metas, sidecar rows, WAL, snap; kVerifyBeforePublish says what differs.
  Status verify(const etcd::Sidecar& sidecar, const bbolt::WrittenDatabase& written);
  // Gives the whole tree to `owner` and makes its folders durable.
  Status seal(const std::optional<Owner>& owner);

 private:
  MemberBuilder(io::FileSystem& files, MemberLayout layout, MemberIdentity identity)
      : files_(files), layout_(std::move(layout)), identity_(identity) {}
  Status make_folders();
  Status write_mark();
  Status write_file(const std::string& path, ByteView content);
  std::string snap_path() const;
  std::string wal_path() const;

  io::FileSystem& files_;
  MemberLayout layout_;
  MemberIdentity identity_;
  std::optional<Bytes> mark_;
  bool closed_gate_ = false;
  std::string snap_folder_;
  std::unique_ptr<io::File> file_;
  std::unique_ptr<io::BulkFileWriter> writer_;
};

// The pages of one database into several files at once: members differ only beside it.
class TeeSink final : public bbolt::PageSink {
 public:
  explicit TeeSink(std::vector<io::BulkFileWriter*> writers) : writers_(std::move(writers)) {}
  Status append(ByteView pages) override;
  Status write_front(ByteView two_pages) override;

 private:
  std::vector<io::BulkFileWriter*> writers_;
};

// Removes a tree that holds a mark, the mark last: until then a crash leaves it recognisable.
Status remove_marked_member(io::FileSystem& files, const MemberLayout& layout);
Status remove_marked_wal(io::FileSystem& files, const MemberLayout& layout);

}  // namespace lifeboat::operation
