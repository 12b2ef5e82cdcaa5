#include "format/bbolt/writer.h"

#include <map>
#include <string>

#include "base/text.h"
#include "format/bbolt/tree_writer.h"

namespace lifeboat::bbolt {
namespace {

std::unexpected<Error> misuse(std::string why) {
  return fail(ErrorCode::kInternal, "writing a database", std::move(why));
}

void append_bucket_header(Bytes& out, Pgid root) {
  append_le(out, root);
  append_le(out, std::uint64_t{0});  // sequence: etcd never uses it
}

}  // namespace

struct BulkLoader::State {
  State(PageSink& to, std::size_t page_bytes) : sink(to), page_size(page_bytes), pages(to, page_bytes), tree(pages) {}

  Status start();
  Result<Pgid> write_root();
  Result<Pgid> write_freelist();
  Status write_metas(Pgid root, Pgid freelist, Pgid high_water);

  PageSink& sink;
  std::size_t page_size;
  PageStream pages;
  TreeWriter tree;
  std::map<std::string, Bytes, std::less<>> buckets;  // name -> value in the root tree
  std::string open_bucket;                            // empty: none (bbolt has no empty names)
  bool started = false;
  bool finished = false;
};

// Pages 0 and 1 are zeros until the metas are known.
Status BulkLoader::State::start() {
  if (finished) return misuse("it is finished");
  if (started) return {};
  if (!is_page_size(page_size)) return misuse("a page size of " + std::to_string(page_size) + " bytes");
  started = true;
  for (Pgid id = 0; id < kFirstDataPage; ++id) {
    const MutableByteView page = TRY(pages.page());
    std::memset(page.data(), 0, page.size());
  }
  return {};
}

Result<Pgid> BulkLoader::State::write_root() {
  tree.begin(kBucketFlag);
  for (const auto& [name, value] : buckets) TRY(tree.add(as_bytes(name), value));
  return tree.end();
}

// An empty one costs a page and saves the walk over the whole file when etcd opens it.
Result<Pgid> BulkLoader::State::write_freelist() {
  const Pgid id = pages.next_page();
  const MutableByteView page = TRY(pages.page());
  std::memset(page.data(), 0, page.size());
  write_header(page, id, PageType::kFreelist, 0, 0);
  return id;
}

// Transaction 2 on page 0 and 1 on page 1, otherwise equal.
Status BulkLoader::State::write_metas(Pgid root, Pgid freelist, Pgid high_water) {
  Meta meta{.page_size = static_cast<std::uint32_t>(page_size),
            .root = root,
            .freelist = freelist,
            .high_water = high_water,
            .txid = 2};
  Bytes front(2 * page_size);
  write_meta(meta, 0, MutableByteView(front).first(page_size));
  meta.txid = 1;
  write_meta(meta, 1, MutableByteView(front).subspan(page_size));
  return sink.write_front(front);
}

BulkLoader::BulkLoader(PageSink& sink, std::size_t page_size) : state_(std::make_unique<State>(sink, page_size)) {}
BulkLoader::~BulkLoader() = default;

Status BulkLoader::begin_bucket(std::string_view name) {
  State& s = *state_;
  TRY(s.start());
  if (name.empty()) return misuse("a bucket without a name");
  if (!s.open_bucket.empty()) return misuse("bucket '" + s.open_bucket + "' is still open");
  if (s.buckets.contains(name)) return misuse("a second bucket '" + printable(name) + "'");
  s.open_bucket = name;
  s.tree.begin(0);
  return {};
}

Status BulkLoader::add(ByteView key, ByteView value) {
  if (state_->open_bucket.empty()) [[unlikely]]
    return misuse("a record outside a bucket");
  return state_->tree.add(key, value);
}

Status BulkLoader::end_bucket() {
  State& s = *state_;
  if (s.open_bucket.empty()) return misuse("no bucket is open");
  Bytes value;
  if (s.tree.fits_inline()) {
    append_bucket_header(value, 0);
    append(value, s.tree.end_inline());
  } else {
    append_bucket_header(value, TRY(s.tree.end()));
  }
  s.buckets.emplace(std::exchange(s.open_bucket, {}), std::move(value));
  return {};
}

Result<WrittenDatabase> BulkLoader::finish() {
  State& s = *state_;
  TRY(s.start());
  if (!s.open_bucket.empty()) return misuse("bucket '" + s.open_bucket + "' is still open");
  const Pgid root = TRY(s.write_root());
  const Pgid freelist = TRY(s.write_freelist());
  const Pgid high_water = s.pages.next_page();
  TRY(s.pages.flush());
  TRY(s.write_metas(root, freelist, high_water));
  s.finished = true;
  return WrittenDatabase{.file_bytes = high_water * s.page_size, .high_water = high_water};
}

}  // namespace lifeboat::bbolt
