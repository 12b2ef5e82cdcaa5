#include "format/bbolt/node_reader.h"

namespace lifeboat::bbolt {

std::unexpected<Error> damaged_page(Pgid id, std::string why) {
  return fail(ErrorCode::kDatabaseDamaged, "page " + std::to_string(id), std::move(why));
}

Result<ByteView> NodeReader::take(Pgid id) {
  if (id < kFirstDataPage || id >= meta_.high_water) {
    return damaged_page(id, "referenced, but not below the high-water mark " + std::to_string(meta_.high_water));
  }
  const ByteView node = TRY(source_.node(id));
  if (node.size() < kPageHeaderBytes) return damaged_page(id, "shorter than a page header");
  const std::uint64_t pages = std::uint64_t{1} + read_header(node).overflow;
  if (pages > meta_.high_water - id) return damaged_page(id, "its overflow passes the high-water mark");
  if (node.size() != pages * meta_.page_size) return damaged_page(id, "its overflow pages are not there");
  for (Pgid page = id; page < id + pages; ++page) {
    if (!reached_.insert(page)) return damaged_page(page, "reached twice");
  }
  reached_pages_ += pages;
  return node;
}

}  // namespace lifeboat::bbolt
