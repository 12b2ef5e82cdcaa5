#include "source/etcd/packed_nodes.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"

namespace lifeboat::source {
namespace {
constexpr std::size_t kChunk = io::Spool::kChunkBytes;
constexpr std::uint64_t kAssembledMax = std::uint64_t{512} << 20;
}  // namespace

Status PackedNodes::add(bbolt::Pgid id, ByteView node) {
  if (open_.capacity() == 0) open_ = Buffer(kChunk);
  if (open_.room() < node.size()) TRY(flush_small());
  small_[id] = {static_cast<std::uint32_t>(chunks_.size()), static_cast<std::uint32_t>(open_.size()),
                static_cast<std::uint32_t>(node.size())};
  open_.append(node);
  return {};
}

Status PackedNodes::flush_small() {
  if (open_.empty()) return {};
  chunks_.push_back(TRY(spool_.append(open_)));
  open_.clear();
  return {};
}

PackedNodes::Large PackedNodes::begin_large(bbolt::Pgid id, std::uint64_t bytes) {
  Large node;
  node.id = id;
  node.bytes = bytes;
  node.open = Buffer(kChunk);
  return node;
}

Status PackedNodes::append(Large& node, ByteView page) {
  node.received += page.size();
  while (!page.empty()) {
    const std::size_t piece = std::min(page.size(), node.open.room());
    node.open.append(page.first(piece));
    page = page.subspan(piece);
    if (node.open.room() != 0) continue;
    node.chunks.push_back(TRY(spool_.append(node.open)));
    node.open.clear();
  }
  return {};
}

Status PackedNodes::end(Large node) {
  if (!node.open.empty()) node.chunks.push_back(TRY(spool_.append(node.open)));
  large_[node.id] = {std::move(node.chunks), node.bytes};
  return {};
}

Status PackedNodes::finish() {
  TRY(flush_small());
  open_ = Buffer();
  return {};
}

Result<ByteView> PackedNodes::node(bbolt::Pgid id) {
  if (const auto found = small_.find(id); found != small_.end()) {
    const Place& place = found->second;
    if (loaded_index_ != place.chunk) {
      loaded_index_ = SIZE_MAX;
      if (loaded_.capacity() < kChunk) loaded_ = Buffer(kChunk);
      TRY(spool_.read(chunks_[place.chunk], loaded_.whole().first(kChunk)));
      loaded_index_ = place.chunk;
    }
    return ByteView(loaded_.data() + place.offset, place.bytes);
  }
  const Extent& extent = large_.at(id);
  if (extent.bytes > kAssembledMax)
    return fail(ErrorCode::kUnsupportedContent, fmt::format("page {} holds a value of {}", id, size_text(extent.bytes)),
                fmt::format("values above {} are not supported", size_text(kAssembledMax)));
  loaded_index_ = SIZE_MAX;
  loaded_ = Buffer(extent.chunks.size() * kChunk);
  for (std::size_t i = 0; i < extent.chunks.size(); ++i)
    TRY(spool_.read(extent.chunks[i], loaded_.whole().subspan(i * kChunk, kChunk)));
  return ByteView(loaded_.data(), extent.bytes);
}

}  // namespace lifeboat::source
