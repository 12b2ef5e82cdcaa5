#include "source/etcd/snapshot_reader.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"

namespace lifeboat::source {
namespace {
constexpr std::size_t kFrontBytes = 2 * bbolt::kMaxPageBytes;
constexpr std::string_view kKeyBucket = "key";
constexpr std::uint64_t kSidecarBytesMax = std::uint64_t{512} << 20;  // what a manifest can hold
}  // namespace

SnapshotReader::SnapshotReader(io::World& world, std::string spool_directory, Progress& progress,
                               std::uint64_t memory_bytes)
    : world_(world),
      spool_directory_(std::move(spool_directory)),
      progress_(progress),
      memory_bytes_(memory_bytes),
      front_(kFrontBytes) {}
SnapshotReader::~SnapshotReader() = default;

Status SnapshotReader::begin(std::uint64_t file_bytes, const std::string& origin) {
  const std::uint64_t free = TRY(world_.files.free_bytes(spool_directory_));
  const std::uint64_t needed = file_bytes + file_bytes / 8 + (std::uint64_t{64} << 20);
  if (free < needed)
    return fail(
        ErrorCode::kNotEnoughSpace, fmt::format("no room for scratch in {}", spool_directory_),
        fmt::format("the snapshot from {} needs about {}, {} are free", origin, size_text(needed), size_text(free)),
        "free some space, or name another directory with --spool-dir");
  received_ = 0;
  front_.clear();
  partial_.clear();
  meta_.reset();
  next_page_ = 0;
  pages_.reset();
  return {};
}

Status SnapshotReader::write(ByteView bytes) {
  if (progress_.cancelled()) return fail(ErrorCode::kInterrupted, "receiving the snapshot was interrupted");
  received_ += bytes.size();
  if (!pages_) {
    const std::size_t piece = std::min(bytes.size(), front_.room());
    front_.append(bytes.first(piece));
    bytes = bytes.subspan(piece);
    if (front_.room() != 0) return {};
    TRY(start_pages());
  }
  return take_pages(bytes);
}

// Page size and meta are known from the front; what came so far is sorted first.
Status SnapshotReader::start_pages() {
  const std::size_t page_bytes = TRY(bbolt::find_page_size(front_.view()));
  if (front_.size() < 2 * page_bytes)
    return fail(ErrorCode::kSnapshotTruncated, "the database is cut short", "it ends within its first two pages");
  meta_ = TRY(bbolt::choose_meta(front_.view(), page_bytes));
  pages_ = std::make_unique<PageSorter>(TRY(io::Spool::create(world_, spool_directory_)), page_bytes, meta_->high_water,
                                        memory_bytes_);
  next_page_ = 2;
  ByteView rest = front_.view().subspan(2 * page_bytes);
  return take_pages(rest);
}

Status SnapshotReader::take_pages(ByteView& bytes) {
  const std::size_t page_bytes = meta_->page_size;
  while (!bytes.empty() && next_page_ < meta_->high_water) {
    if (partial_.empty() && bytes.size() >= page_bytes) {
      TRY(pages_->add(next_page_++, bytes.first(page_bytes)));
      bytes = bytes.subspan(page_bytes);
      continue;
    }
    const std::size_t piece = std::min(bytes.size(), page_bytes - partial_.size());
    append(partial_, bytes.first(piece));
    bytes = bytes.subspan(piece);
    if (partial_.size() < page_bytes) return {};
    TRY(pages_->add(next_page_++, partial_));
    partial_.clear();
  }
  return {};
}

Status SnapshotReader::check_front() const {
  if (pages_ || front_.size() < bbolt::kMinPageBytes) return {};
  const auto page_bytes = bbolt::find_page_size(front_.view());
  if (page_bytes || page_bytes.error().code() != ErrorCode::kNotADatabase) return {};
  return std::unexpected(page_bytes.error());
}

Status SnapshotReader::open() {
  if (!pages_) TRY(start_pages());
  if (next_page_ < meta_->high_water)
    return fail(ErrorCode::kSnapshotTruncated, "the database is cut short",
                fmt::format("its meta page counts {} pages of {} bytes, {} came", meta_->high_water, meta_->page_size,
                            size_text(received_)));
  TRY(pages_->finish());
  return walk_buckets();
}

Status SnapshotReader::rewind() {
  cursor_.reset();
  return walk_buckets();
}

Status SnapshotReader::walk_buckets() {
  database_ = TRY(bbolt::Database::open(*pages_, *meta_, received_));
  sidecar_ = {};
  sidecar_bytes_ = 0;
  const bbolt::BucketRef* keys = nullptr;
  for (const auto& bucket : database_->buckets()) {
    if (bucket.name == kKeyBucket)
      keys = &bucket;
    else
      TRY(read_rows(bucket));
  }
  if (keys == nullptr)
    return fail(ErrorCode::kNotADatabase, "this bbolt file is not an etcd database", "it has no bucket named `key`");
  cursor_.emplace(TRY(database_->walk(*keys)));
  return {};
}

Status SnapshotReader::read_rows(const bbolt::BucketRef& bucket) {
  auto cursor = TRY(database_->walk(bucket));
  auto& rows = sidecar_.get_or_add(bucket.name).rows;
  bbolt::LeafElement row;
  while (TRY(cursor.next(row))) {
    sidecar_bytes_ += row.key.size() + row.value.size();
    if (sidecar_bytes_ > kSidecarBytesMax)
      return fail(ErrorCode::kUnsupportedContent, "the buckets beside `key` are too large",
                  fmt::format("they hold more than {}", size_text(kSidecarBytesMax)));
    rows.push_back({to_bytes(row.key), to_bytes(row.value)});
  }
  return {};
}

const bbolt::Meta& SnapshotReader::meta() const { return *meta_; }

Result<bool> SnapshotReader::next(etcd::Record& out) {
  bbolt::LeafElement row;
  if (!TRY(cursor_->next(row))) {
    coverage_ = TRY(database_->finish());
    return false;
  }
  const auto key = etcd::parse_revision_key(row.key);
  if (!key)
    return fail(ErrorCode::kUnsupportedContent, "the `key` bucket holds a row that is no revision",
                fmt::format("its key is {}", printable(row.key)));
  out = {*key, row.value};
  return true;
}

}  // namespace lifeboat::source
