#include "format/bbolt/reader.h"

#include <algorithm>

#include "base/text.h"
#include "format/bbolt/tree_walk.h"

namespace lifeboat::bbolt {
namespace {

// Far beyond etcd's ten buckets, and small enough that a hostile file cannot fill the memory with
// them.
constexpr std::size_t kMaxBuckets = 65536;
constexpr std::size_t kMaxInlineBytesTotal = std::size_t{64} << 20;
constexpr std::uint16_t kLongFreelist = 0xFFFF;  // the true count is the first id

Result<BucketRef> parse_bucket(const LeafElement& element) {
  BucketRef bucket;
  bucket.name = to_string(element.key);
  const auto damaged = [&](std::string why) {
    return fail(ErrorCode::kDatabaseDamaged, "bucket '" + printable(element.key) + "'", std::move(why));
  };
  if (element.flags != kBucketFlag) return damaged("a plain value beside the buckets");
  if (element.value.size() < kBucketHeaderBytes) return damaged("shorter than a bucket header");
  bucket.root = load_le<std::uint64_t>(element.value.data());
  bucket.sequence = load_le<std::uint64_t>(element.value.data() + 8);
  const ByteView rest = element.value.subspan(kBucketHeaderBytes);
  if (bucket.root != 0 && !rest.empty()) return damaged("bytes behind the header of a bucket with pages");
  if (bucket.root == 0 && rest.size() > kMaxPageBytes) return damaged("an inline bucket larger than a page");
  bucket.inline_page = to_bytes(rest);
  return bucket;
}

Result<std::vector<BucketRef>> read_buckets(NodeReader& reader) {
  std::vector<BucketRef> buckets;
  std::size_t inline_bytes = 0;
  TreeWalk walk(reader, reader.meta().root);
  NodeView leaf;
  while (TRY(walk.next_leaf(leaf))) {
    for (std::size_t i = 0; i < leaf.count(); ++i) {
      buckets.push_back(TRY(parse_bucket(leaf.leaf(i))));
      inline_bytes += buckets.back().inline_page.size();
      if (buckets.size() > kMaxBuckets || inline_bytes > kMaxInlineBytesTotal) {
        return fail(ErrorCode::kUnsupportedContent, "database", "far more buckets than etcd makes");
      }
    }
  }
  return buckets;
}

// The ids in the freelist node: 8 bytes each.
Result<ByteView> freelist_ids(ByteView node, Pgid id) {
  const PageHeader header = read_header(node);
  if (header.id != id) return damaged_page(id, "its header says page " + std::to_string(header.id));
  if (header.flags != static_cast<std::uint16_t>(PageType::kFreelist)) {
    return damaged_page(id, "the freelist page is not marked as one");
  }
  ByteView ids = node.subspan(kPageHeaderBytes);
  std::uint64_t count = header.count;
  if (header.count == kLongFreelist) {
    count = load_le<std::uint64_t>(ids.data());  // a page holds more than one id
    ids = ids.subspan(sizeof(std::uint64_t));
  }
  if (count > ids.size() / sizeof(std::uint64_t)) {
    return damaged_page(id, "the freelist's " + std::to_string(count) + " ids do not fit");
  }
  return ids.first(count * sizeof(std::uint64_t));
}

// The number of free pages, each of them listed once and reached by nothing.
Result<std::uint64_t> check_freelist(ByteView ids, const NodeReader& reader) {
  Pgid previous = 0;
  for (std::size_t at = 0; at < ids.size(); at += sizeof(Pgid)) {
    const Pgid id = load_le<std::uint64_t>(ids.data() + at);
    if (id < kFirstDataPage || id >= reader.meta().high_water) {
      return damaged_page(id, "in the freelist, but not below the high-water mark");
    }
    if (id == previous) return damaged_page(id, "twice in the freelist");
    if (id < previous) return damaged_page(id, "out of order in the freelist");
    if (reader.reached(id)) return damaged_page(id, "both free and in use");
    previous = id;
  }
  return ids.size() / sizeof(Pgid);
}

}  // namespace

struct Database::State {
  State(NodeSource& source, const Meta& meta) : reader(source, meta) {}

  NodeReader reader;
  std::vector<BucketRef> buckets;  // sorted by name, as the root tree has them
  std::vector<bool> begun;         // by index of `buckets`
  std::size_t walked_to_the_end = 0;
};

struct Database::Cursor::State {
  State(Database::State& db, const BucketRef& ref) : database(db), bucket(ref), tree(db.reader, ref.root) {}

  Result<bool> next_leaf();

  Database::State& database;
  const BucketRef& bucket;
  TreeWalk tree;
  NodeView leaf;
  std::size_t next = 0;
  bool inline_read = false;
  bool ended = false;
};

Result<bool> Database::Cursor::State::next_leaf() {
  next = 0;
  if (bucket.root != 0) {
    if (TRY(tree.next_leaf(leaf))) {
      if (!leaf.has_buckets()) return true;
      return fail(ErrorCode::kUnsupportedContent, "bucket '" + printable(bucket.name) + "'", "it holds another bucket");
    }
  } else if (!inline_read) {
    inline_read = true;
    auto page = NodeView::parse(bucket.inline_page, 0);
    if (!page) return std::unexpected(page.error().in("bucket '" + printable(bucket.name) + "'"));
    leaf = *page;
    if (!leaf.has_buckets()) return true;
    return fail(ErrorCode::kUnsupportedContent, "bucket '" + printable(bucket.name) + "'", "it holds another bucket");
  }
  ended = true;
  ++database.walked_to_the_end;
  return false;
}

Database::Cursor::Cursor(std::unique_ptr<State> state) : state_(std::move(state)) {}
Database::Cursor::Cursor(Cursor&&) noexcept = default;
Database::Cursor::~Cursor() = default;

Result<bool> Database::Cursor::next(LeafElement& out) {
  State& s = *state_;
  while (s.next == s.leaf.count()) {
    if (s.ended || !TRY(s.next_leaf())) return false;
  }
  out = s.leaf.leaf(s.next++);
  return true;
}

Database::Database(std::unique_ptr<State> state) : state_(std::move(state)) {}
Database::Database(Database&&) noexcept = default;
Database& Database::operator=(Database&&) noexcept = default;
Database::~Database() = default;

Result<Database> Database::open(NodeSource& source, const Meta& meta, std::uint64_t file_bytes) {
  if (!is_page_size(meta.page_size)) {
    return fail(ErrorCode::kDatabaseDamaged, "meta page", "the page size is not one of bbolt's");
  }
  const std::uint64_t pages = file_bytes / meta.page_size;
  if (pages < meta.high_water) {
    return fail(ErrorCode::kSnapshotTruncated, "the database is cut short",
                "it holds " + count_text(pages) + " of " + count_text(meta.high_water) + " pages");
  }
  auto state = std::make_unique<State>(source, meta);
  state->buckets = TRY(read_buckets(state->reader));
  state->begun.resize(state->buckets.size());
  return Database(std::move(state));
}

const Meta& Database::meta() const { return state_->reader.meta(); }
const std::vector<BucketRef>& Database::buckets() const { return state_->buckets; }

Result<Database::Cursor> Database::walk(const BucketRef& bucket) {
  const auto& all = state_->buckets;
  const auto found = std::ranges::lower_bound(all, bucket.name, {}, &BucketRef::name);
  const auto misuse = [&](std::string why) {
    return fail(ErrorCode::kInternal, "walk of bucket '" + printable(bucket.name) + "'", std::move(why));
  };
  if (found == all.end() || found->name != bucket.name) return misuse("not a bucket of this database");
  const auto index = static_cast<std::size_t>(found - all.begin());
  if (state_->begun[index]) return misuse("it was walked before");
  state_->begun[index] = true;
  return Cursor(std::make_unique<Cursor::State>(*state_, *found));
}

Result<Coverage> Database::finish() {
  if (state_->walked_to_the_end != state_->buckets.size()) {
    return fail(ErrorCode::kInternal, "check of the database", "a bucket was not walked to its end");
  }
  NodeReader& reader = state_->reader;
  const Meta& meta = reader.meta();
  Coverage coverage{.reached_pages = reader.reached_pages(), .free_pages = 0};
  if (meta.freelist == kNoFreelist) {
    coverage.free_pages = meta.high_water - kFirstDataPage - coverage.reached_pages;
    return coverage;
  }
  const ByteView node = TRY(reader.take(meta.freelist));
  const ByteView ids = TRY(freelist_ids(node, meta.freelist));
  coverage.free_pages = TRY(check_freelist(ids, reader));
  const std::uint64_t known = kFirstDataPage + reader.reached_pages() + coverage.free_pages;
  if (known != meta.high_water) {
    return fail(ErrorCode::kDatabaseDamaged, "database",
                count_text(meta.high_water - known) + " pages are neither in use nor free");
  }
  return coverage;
}

Result<ByteView> MemorySource::node(Pgid id) {
  const std::uint64_t pages = file_.size() / page_size_;
  if (id >= pages) return damaged_page(id, "beyond the end of the file");
  const ByteView rest = file_.subspan(id * page_size_, (pages - id) * page_size_);
  const std::uint64_t wanted = std::uint64_t{1} + read_header(rest).overflow;
  if (wanted > pages - id) return damaged_page(id, "its overflow passes the end of the file");
  return rest.first(wanted * page_size_);
}

}  // namespace lifeboat::bbolt
