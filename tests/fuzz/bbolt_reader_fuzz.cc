// Fuzz target: the bbolt reader over any bytes, with a mutator that keeps the metas and page ids
// right, so that mutations reach the trees.
#include <algorithm>
#include <cstdint>
#include <random>

#include "format/bbolt/reader.h"

namespace {

using namespace lifeboat;
using namespace lifeboat::bbolt;

constexpr std::size_t kSeedPageBytes = 1024;

// Reads every byte of every element, so that a view outside the input is seen.
std::uint64_t touch(const LeafElement& element) {
  std::uint64_t sum = element.flags;
  for (const std::byte b : element.key) sum += std::to_integer<std::uint64_t>(b);
  for (const std::byte b : element.value) sum += std::to_integer<std::uint64_t>(b);
  return sum;
}

Result<std::uint64_t> read_all(ByteView file) {
  const std::size_t page_size = TRY(find_page_size(file));
  const Meta meta = TRY(choose_meta(file, page_size));
  MemorySource source(file, page_size);
  Database database = TRY(Database::open(source, meta, file.size()));
  std::uint64_t sum = 0;
  bool sound = true;
  for (const BucketRef& bucket : database.buckets()) {
    Database::Cursor cursor = TRY(database.walk(bucket));
    for (LeafElement element;;) {
      const auto more = cursor.next(element);
      sound = sound && more.has_value();
      if (!more || !*more) break;  // the other buckets are read all the same
      sum += touch(element);
    }
  }
  const auto coverage = database.finish();
  if (coverage && !sound) __builtin_trap();  // never vouches for what it found damaged
  return sum + (coverage ? coverage->reached_pages : 0);
}

std::uint16_t flags_of(std::mt19937& random) { return random() % 2 == 0 ? 1 : 2; }

// One page over another, or another type, or a link to a page that is there.
void mutate_pages(MutableByteView file, std::mt19937& random) {
  const std::size_t pages = file.size() / kSeedPageBytes;
  const auto page = [&] { return file.data() + random() % pages * kSeedPageBytes; };
  std::byte* const at = page();
  switch (random() % 4) {
    case 0:
      std::memmove(at, page(), kSeedPageBytes);
      break;
    case 1:
      store_le(at + 8, flags_of(random));
      break;
    case 2:
      store_le(at + 10, static_cast<std::uint16_t>(random() % 70));
      break;
    case 3:
      store_le(at + 16 + random() % 60 * 8, std::uint64_t{random() % (pages + 1)});
      break;
  }
}

void repair(MutableByteView file, std::mt19937& random) {
  const std::size_t pages = file.size() / kSeedPageBytes;
  for (Pgid id = 2; id < pages; ++id) store_le(file.data() + id * kSeedPageBytes, id);
  Meta meta;
  meta.page_size = kSeedPageBytes;
  meta.root = load_le<std::uint64_t>(file.data() + 32) % pages;
  meta.freelist = load_le<std::uint64_t>(file.data() + 48);
  if (meta.freelist != kNoFreelist) meta.freelist %= pages;
  meta.high_water = pages - (random() % 16 == 0 ? 1 : 0);
  meta.txid = 2;
  write_meta(meta, 0, file.first(kSeedPageBytes));
  meta.txid = 1;
  write_meta(meta, 1, file.subspan(kSeedPageBytes, kSeedPageBytes));
}

}  // namespace

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  (void)read_all({reinterpret_cast<const std::byte*>(data), size});
  return 0;
}

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size,
                                               unsigned seed) {
  std::mt19937 random(seed);
  const bool keep_size = random() % 4 != 0;
  size = LLVMFuzzerMutate(data, size, keep_size ? std::max<std::size_t>(size, 1) : max_size);
  const bool raw = random() % 16 == 0;
  if (raw || max_size < 4 * kSeedPageBytes) return size;
  const std::size_t pages = std::clamp<std::size_t>(size / kSeedPageBytes, 4, max_size / kSeedPageBytes);
  const std::size_t whole = pages * kSeedPageBytes;
  if (whole > size) std::fill(data + size, data + whole, std::uint8_t{0});
  const MutableByteView file{reinterpret_cast<std::byte*>(data), whole};
  if (random() % 2 == 0) mutate_pages(file, random);
  repair(file, random);
  return whole;
}
