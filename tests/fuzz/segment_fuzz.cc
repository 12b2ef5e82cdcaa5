// Fuzz target: blocks, revision lists and footers of segments. What is accepted must be written and
// read again as the same.
#include <algorithm>
#include <cstdint>

#include "format/segment/keyed_block.h"
#include "format/segment/revision_list.h"
#include "format/segment/segment.h"

namespace {

using namespace lifeboat;
using namespace lifeboat::segment;

void read_block(ByteView input) {
  auto reader = BlockReader::open(input);
  if (!reader) return;
  BlockBuilder builder;
  etcd::Record record;
  std::uint32_t records = 0;
  for (etcd::Revision before; reader->next(record); before = record.key.revision) {
    if (records++ != 0 && record.key.revision <= before) __builtin_trap();
    if (!record.value.empty() &&
        (record.value.data() < input.data() || record.value.data() + record.value.size() > input.data() + input.size()))
      __builtin_trap();
    builder.add(record);
  }
  if (records != reader->records()) __builtin_trap();
  const auto block = builder.take();
  auto again = BlockReader::open(block.text);
  auto first = BlockReader::open(input);
  for (etcd::Record copy; again->next(copy);) {
    if (!first->next(record) || record.key != copy.key || !equal(record.value, copy.value)) __builtin_trap();
  }
}

// Heads and values, cut where the first bytes say. What reads as a text is ordered again.
void read_keyed(ByteView input) {
  if (input.size() < 2) return;
  const std::size_t cut = std::to_integer<std::size_t>(input[0]) << 8 | std::to_integer<std::size_t>(input[1]);
  input = input.subspan(2);
  const ByteView heads = input.first(std::min(cut, input.size()));
  const auto list = HeadList::decode(heads);
  Buffer text;
  if (!KeyedReader().read_text(heads, input.subspan(heads.size()), text)) return;
  if (!list) __builtin_trap();
  const auto whole = HeadList::of_text(text.view());
  if (!whole || whole->heads().size() != list->heads().size()) __builtin_trap();
  for (std::size_t i = 0; i < list->heads().size(); ++i) {
    const Head& a = list->heads()[i];
    const Head& b = whole->heads()[i];
    if (a.key != b.key || !equal(a.user_key, b.user_key) || a.version != b.version || a.lease != b.lease ||
        a.create_revision != b.create_revision || a.value_bytes != b.value_bytes)
      __builtin_trap();
  }
  const auto again = order_by_key(text.view());
  Buffer same;
  if (again && (!KeyedReader().read_text(again->heads(), again->values(), same) || !equal(same.view(), text.view())))
    __builtin_trap();
}

void read_revisions(ByteView input) {
  const auto revisions = RevisionList::decode(input);
  if (revisions && RevisionList::decode(revisions->encode()).value() != *revisions) __builtin_trap();
}

void read_footer(ByteView input) {
  const auto footer = decode_footer(input);
  if (footer && decode_footer(encode_footer(*footer)).value() != *footer) __builtin_trap();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const ByteView input{reinterpret_cast<const std::byte*>(data) + 1, size - 1};
  switch (data[0] % 4) {
    case 0:
      read_block(input);
      break;
    case 1:
      read_revisions(input);
      break;
    case 2:
      read_footer(input);
      break;
    case 3:
      read_keyed(input);
      break;
  }
  return 0;
}
