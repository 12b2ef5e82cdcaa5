// Fuzz target: blocks, revision lists and footers of segments. What is accepted must be written and
// read again as the same.
#include <cstdint>

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
        (record.value.data() < input.data() ||
         record.value.data() + record.value.size() > input.data() + input.size()))
      __builtin_trap();
    builder.add(record);
  }
  if (records != reader->records()) __builtin_trap();
  const auto block = builder.take();
  auto again = BlockReader::open(block.text);
  auto first = BlockReader::open(input);
  for (etcd::Record copy; again->next(copy);) {
    if (!first->next(record) || record.key != copy.key || !equal(record.value, copy.value))
      __builtin_trap();
  }
}

void read_revisions(ByteView input) {
  const auto revisions = decode_revisions(input);
  if (revisions && decode_revisions(encode_revisions(*revisions)).value() != *revisions)
    __builtin_trap();
}

void read_footer(ByteView input) {
  const auto footer = decode_footer(input);
  if (footer && decode_footer(encode_footer(*footer)).value() != *footer) __builtin_trap();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const ByteView input{reinterpret_cast<const std::byte*>(data) + 1, size - 1};
  switch (data[0] % 3) {
    case 0:
      read_block(input);
      break;
    case 1:
      read_revisions(input);
      break;
    case 2:
      read_footer(input);
      break;
  }
  return 0;
}
