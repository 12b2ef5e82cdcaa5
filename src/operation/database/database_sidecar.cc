#include "operation/database/database_sidecar.h"

#include <algorithm>

#include "format/bbolt/reader.h"
#include "format/etcd/record.h"

namespace lifeboat::operation {
namespace {

// Sidecar rows are small; a node beyond this is damage.
constexpr std::uint64_t kMaxNodeBytes = 64ull << 20;

class FileNodes final : public bbolt::NodeSource {
 public:
  FileNodes(io::File& file, const DatabaseFront& front) : file_(file), front_(front) {}

  Result<ByteView> node(bbolt::Pgid id) override {
    const std::uint64_t page = front_.meta.page_size;
    if (id >= front_.meta.high_water) return damaged(id, "is beyond the last page");
    node_.resize(page);
    TRY(fill(id * page));
    const std::uint64_t pages = std::uint64_t{bbolt::read_header(node_).overflow} + 1;
    if (pages > front_.meta.high_water - id) return damaged(id, "runs beyond the last page");
    if (pages * page > kMaxNodeBytes) return damaged(id, "is larger than any sidecar row");
    node_.resize(pages * page);
    TRY(fill(id * page));
    return ByteView(node_);
  }

 private:
  static std::unexpected<Error> damaged(bbolt::Pgid id, const std::string& why) {
    return fail(ErrorCode::kDatabaseDamaged, "page " + std::to_string(id) + " is damaged", "it " + why);
  }
  Status fill(std::uint64_t offset) {
    if (TRY(file_.read_at(offset, node_)) == node_.size()) return {};
    return fail(ErrorCode::kSnapshotTruncated, "the database is cut short",
                "it ends before byte " + std::to_string(offset + node_.size()));
  }

  io::File& file_;
  const DatabaseFront& front_;
  Bytes node_;
};

// Deeper than any tree of 64-bit page ids with two children a branch.
constexpr int kMostLevels = 64;

Result<std::int64_t> last_record_revision(FileNodes& nodes, const bbolt::BucketRef& bucket) {
  bbolt::Pgid id = bucket.root;
  for (int level = 0; level < kMostLevels; ++level) {
    const ByteView bytes = id == 0 ? ByteView(bucket.inline_page) : TRY(nodes.node(id));
    const bbolt::NodeView node = TRY(bbolt::NodeView::parse(bytes, id));
    if (node.count() == 0) return 0;
    if (!node.is_leaf()) {
      id = node.branch(node.count() - 1).child;
      continue;
    }
    const auto key = etcd::parse_revision_key(node.leaf(node.count() - 1).key);
    if (key) return key->revision.main;
    return fail(ErrorCode::kDatabaseDamaged, "the last record has no revision", "its key has another form");
  }
  return fail(ErrorCode::kDatabaseDamaged, "the tree of records has no leaf", "its branches lead in a circle");
}

}  // namespace

Result<DatabaseFront> read_database_front(io::File& file) {
  DatabaseFront front;
  front.file_bytes = TRY(file.size());
  Bytes bytes(std::min<std::uint64_t>(front.file_bytes, bbolt::kMaxPageBytes * 2));
  bytes.resize(TRY(file.read_at(0, bytes)));
  const std::size_t page = TRY(bbolt::find_page_size(bytes));
  if (bytes.size() < page * 2) {
    return fail(ErrorCode::kSnapshotTruncated, "the database is cut short", "it has not even two pages");
  }
  front.meta = TRY(bbolt::choose_meta(ByteView(bytes).first(page * 2), page));
  if (front.meta.high_water > front.file_bytes / page) {
    return fail(ErrorCode::kSnapshotTruncated, "the database is cut short",
                std::to_string(front.meta.high_water) + " pages are in use, the file has " +
                    std::to_string(front.file_bytes / page));
  }
  return front;
}

Result<std::int64_t> read_database_revision(io::File& file) {
  const etcd::Sidecar sidecar = TRY(read_database_sidecar(file));
  const DatabaseFront front = TRY(read_database_front(file));
  FileNodes nodes(file, front);
  const bbolt::Database database = TRY(bbolt::Database::open(nodes, front.meta, front.file_bytes));
  std::int64_t revision =
      std::max({std::int64_t{1}, sidecar.scheduled_compact_revision(), sidecar.finished_compact_revision()});
  for (const bbolt::BucketRef& bucket : database.buckets()) {
    if (bucket.name == "key") revision = std::max(revision, TRY(last_record_revision(nodes, bucket)));
  }
  return revision;
}

Result<etcd::Sidecar> read_database_sidecar(io::File& file) {
  const DatabaseFront front = TRY(read_database_front(file));
  FileNodes nodes(file, front);
  bbolt::Database database = TRY(bbolt::Database::open(nodes, front.meta, front.file_bytes));
  etcd::Sidecar sidecar;
  for (const bbolt::BucketRef& bucket : database.buckets()) {
    if (bucket.name == "key") continue;
    etcd::BucketRows& rows = sidecar.get_or_add(bucket.name);
    bbolt::Database::Cursor cursor = TRY(database.walk(bucket));
    bbolt::LeafElement element;
    while (TRY(cursor.next(element))) rows.rows.push_back({to_bytes(element.key), to_bytes(element.value)});
  }
  return sidecar;
}

}  // namespace lifeboat::operation
