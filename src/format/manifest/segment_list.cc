#include "format/manifest/segment_list.h"

#include <algorithm>
#include <functional>
#include <string_view>

namespace lifeboat::manifest {

SegmentList::SegmentList(std::initializer_list<SegmentRef> refs) {
  refs_.reserve(refs.size());
  for (const SegmentRef& ref : refs) push_back(ref);
}

SegmentList SegmentList::from(std::size_t index) const {
  SegmentList rest;
  rest.refs_.assign(refs_.begin() + static_cast<std::ptrdiff_t>(index), refs_.end());
  return rest;
}

bool SegmentList::operator==(const SegmentList& other) const {
  return std::ranges::equal(refs_, other.refs_, [](const Shared& a, const Shared& b) { return a == b || *a == *b; });
}

std::size_t SegmentPool::Hash::operator()(const SegmentList::Shared& ref) const {
  // One name with many contents, of a damaged repo, is to cost no more than many names.
  std::size_t hash = std::hash<std::string_view>()(ref->object);
  for (const auto number : {ref->lo, ref->hi, ref->complete_from}) hash = hash * 31 + static_cast<std::size_t>(number);
  return hash * 31 + std::hash<std::string_view>()(ref->digest);
}

std::size_t SegmentPool::share(SegmentList& list) {
  std::size_t fresh = 0;
  for (SegmentList::Shared& ref : list.refs_) {
    const auto [known, is_new] = refs_.insert(ref);
    if (is_new) ++fresh;
    ref = *known;
  }
  list.refs_.shrink_to_fit();
  return fresh;
}

void SegmentPool::drop_unused() {
  std::erase_if(refs_, [](const SegmentList::Shared& ref) { return ref.use_count() == 1; });
}

}  // namespace lifeboat::manifest
