#include "format/segment/revision_list.h"

#include <algorithm>
#include <utility>

#include "base/varint.h"
#include "format/segment/revision_step.h"

namespace lifeboat::segment {
namespace {

std::unexpected<Error> damaged(std::string why) {
  return fail(ErrorCode::kObjectDamaged, "a list of revisions is damaged", std::move(why));
}

// False when the bytes end, or give no revision.
bool take_step(ByteView& bytes, etcd::Revision& at) {
  std::uint64_t main_delta = 0, sub = 0;
  return take_varint(bytes, main_delta) && take_varint(bytes, sub) && step_on(at, main_delta, sub);
}

}  // namespace

RevisionList::RevisionList(std::initializer_list<etcd::Revision> ascending) {
  for (const etcd::Revision& revision : ascending) add(revision);
}

void RevisionList::add(const etcd::Revision& revision) {
  if (!steps_) steps_ = std::make_shared<Bytes>();
  if (steps_.use_count() > 1) steps_ = std::make_shared<Bytes>(*steps_);
  append_varint(*steps_, static_cast<std::uint64_t>(revision.main - last_.main));
  append_varint(*steps_, static_cast<std::uint64_t>(revision.sub));
  last_ = revision;
  ++count_;
}

Bytes RevisionList::encode() const {
  Bytes out;
  out.reserve(kMaxVarintBytes + steps().size());
  append_varint(out, count_);
  append(out, steps());
  return out;
}

Result<RevisionList> RevisionList::decode(ByteView bytes) {
  RevisionList out;
  if (!take_varint(bytes, out.count_) || out.count_ > bytes.size() / 2) return damaged("it is cut short");
  ByteView rest = bytes;
  for (std::uint64_t i = 0; i < out.count_; ++i) {
    etcd::Revision next = out.last_;
    if (!take_step(rest, next)) return damaged("it is cut short");
    if (i > 0 && next <= out.last_) return damaged("it does not ascend");
    out.last_ = next;
  }
  if (!rest.empty()) return damaged("it is longer than its count");
  if (out.count_ > 0) out.steps_ = std::make_shared<Bytes>(to_bytes(bytes));
  return out;
}

bool RevisionList::Cursor::next(etcd::Revision& out) {
  if (!take_step(rest_, at_)) return false;
  out = at_;
  return true;
}

RevisionList RevisionList::merge(const std::vector<RevisionList>& lists) {
  if (lists.size() == 1) return lists.front();
  struct Front {
    Cursor cursor;
    etcd::Revision at;
  };
  std::vector<Front> fronts;
  for (const RevisionList& list : lists) {
    Front front{Cursor(list), {}};
    if (front.cursor.next(front.at)) fronts.push_back(std::move(front));
  }
  const auto is_later = [](const Front& a, const Front& b) { return a.at > b.at; };
  std::ranges::make_heap(fronts, is_later);
  RevisionList out;
  while (!fronts.empty()) {
    std::ranges::pop_heap(fronts, is_later);
    Front& least = fronts.back();
    if (out.empty() || out.last_ < least.at) out.add(least.at);
    if (least.cursor.next(least.at))
      std::ranges::push_heap(fronts, is_later);
    else
      fronts.pop_back();
  }
  return out;
}

bool operator==(const RevisionList& a, const RevisionList& b) { return a.encode() == b.encode(); }

}  // namespace lifeboat::segment
