// What the bbolt tests share: databases in memory, built by the writer, read whole, edited
// bytewise.
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "format/bbolt/reader.h"
#include "format/bbolt/writer.h"

namespace lifeboat::bbolt {

using Records = std::vector<std::pair<std::string, std::string>>;
using Contents = std::map<std::string, Records>;

class MemorySink final : public PageSink {
 public:
  Status append(ByteView pages) override {
    lifeboat::append(file_, pages);
    return {};
  }
  Status write_front(ByteView two_pages) override {
    std::ranges::copy(two_pages, file_.begin());
    return {};
  }
  Bytes take() { return std::move(file_); }

 private:
  Bytes file_;
};

Result<Bytes> write_database(const Contents& contents, std::size_t page_size = 4096);

struct ReadDatabase {
  Contents contents;
  Meta meta;
  Coverage coverage;
  std::optional<Error> other_meta_damage;
};
// Opens, walks every bucket and finishes.
Result<ReadDatabase> read_database(ByteView file);

// Ascending keys of `key_bytes` bytes, each with a value of `value_bytes` bytes.
Records numbered_records(std::size_t count, std::size_t key_bytes, std::size_t value_bytes);

// Names for the fields of a file at hand, to damage them.
class Editor {
 public:
  Editor(Bytes& file, std::size_t page_size) : file_(file), page_size_(page_size) {}

  std::byte* page(Pgid id) { return file_.data() + id * page_size_; }
  std::byte* element(Pgid id, std::size_t i) { return page(id) + kPageHeaderBytes + i * kElementBytes; }
  NodeView node(Pgid id);
  Pgid root() { return meta().root; }
  Meta meta() { return choose_meta(file_, page_size_).value(); }
  // Both metas, with right checksums.
  void set_metas(Meta meta);
  // The root page of a bucket with pages.
  Pgid bucket_root(std::string_view name);

 private:
  Bytes& file_;
  std::size_t page_size_;
};

inline Result<Bytes> write_database(const Contents& contents, std::size_t page_size) {
  MemorySink sink;
  BulkLoader loader(sink, page_size);
  for (const auto& [name, records] : contents) {
    TRY(loader.begin_bucket(name));
    for (const auto& [key, value] : records) TRY(loader.add(as_bytes(key), as_bytes(value)));
    TRY(loader.end_bucket());
  }
  const WrittenDatabase written = TRY(loader.finish());
  Bytes file = sink.take();
  if (written.file_bytes != file.size() || written.high_water * page_size != file.size()) {
    return fail(ErrorCode::kInternal, "the writer misstates the size of its file");
  }
  return file;
}

inline Result<ReadDatabase> read_database(ByteView file) {
  const std::size_t page_size = TRY(find_page_size(file));
  const MetaPair metas = TRY(read_metas(file, page_size));
  MemorySource source(file, page_size);
  Database database = TRY(Database::open(source, metas.live, file.size()));
  ReadDatabase read{.contents = {}, .meta = metas.live, .coverage = {}, .other_meta_damage = metas.other_damage};
  for (const BucketRef& bucket : database.buckets()) {
    Records& records = read.contents[bucket.name];
    Database::Cursor cursor = TRY(database.walk(bucket));
    LeafElement element;
    while (TRY(cursor.next(element))) {
      records.emplace_back(to_string(element.key), to_string(element.value));
    }
  }
  read.coverage = TRY(database.finish());
  return read;
}

inline Records numbered_records(std::size_t count, std::size_t key_bytes, std::size_t value_bytes) {
  Records records;
  records.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    std::string number = std::to_string(i);
    std::string key = std::string(key_bytes - std::min(key_bytes, number.size()), '0') + number;
    records.emplace_back(std::move(key), std::string(value_bytes, static_cast<char>('a' + i % 26)));
  }
  return records;
}

inline NodeView Editor::node(Pgid id) {
  const ByteView rest = ByteView(file_).subspan(id * page_size_);
  return NodeView::parse(rest.first((std::size_t{1} + read_header(rest).overflow) * page_size_), id).value();
}

inline void Editor::set_metas(Meta meta) {
  for (const Pgid id : {Pgid{0}, Pgid{1}}) {
    write_meta(meta, id, {page(id), page_size_});
    --meta.txid;
  }
}

inline Pgid Editor::bucket_root(std::string_view name) {
  const NodeView root_node = node(root());
  for (std::size_t i = 0; i < root_node.count(); ++i) {
    if (as_text(root_node.leaf(i).key) == name) return load_le<std::uint64_t>(root_node.leaf(i).value.data());
  }
  return 0;
}

}  // namespace lifeboat::bbolt
