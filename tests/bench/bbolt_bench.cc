// How fast the bbolt codecs are: the writer into a sink that forgets, the reader over memory.
#include <benchmark/benchmark.h>

#include "format/bbolt_support.h"

namespace lifeboat::bbolt {
namespace {

class NullSink final : public PageSink {
 public:
  Status append(ByteView pages) override {
    benchmark::DoNotOptimize(pages.data());
    return {};
  }
  Status write_front(ByteView) override { return {}; }
};

// Ascending 17-byte keys, made in place.
class KeyCounter {
 public:
  ByteView next() {
    store_be(key_, ++main_);
    return key_;
  }

 private:
  std::uint64_t main_ = 0;
  std::byte key_[17] = {};
};

void check(benchmark::State& state, const Status& status) {
  if (!status) state.SkipWithError(status.error().to_string().c_str());
}

// Arguments: bytes of a value, records of a database.
void write_records(benchmark::State& state) {
  const Bytes value(static_cast<std::size_t>(state.range(0)), std::byte{'v'});
  for (auto _ : state) {
    NullSink sink;
    BulkLoader loader(sink, 4096);
    KeyCounter keys;
    check(state, loader.begin_bucket("key"));
    for (std::int64_t i = 0; i < state.range(1); ++i) {
      if (const Status added = loader.add(keys.next(), value); !added) check(state, added);
    }
    check(state, loader.end_bucket());
    if (!loader.finish()) state.SkipWithError("finish");
  }
  state.SetItemsProcessed(state.iterations() * state.range(1));
  state.SetBytesProcessed(state.iterations() * state.range(1) * state.range(0));
}
BENCHMARK(write_records)
    ->Args({2048, 100'000})
    ->Args({20, 1'000'000})
    ->Args({1 << 20, 500})
    ->Unit(benchmark::kMillisecond);

void read_records(benchmark::State& state) {
  MemorySink sink;
  {
    const Bytes value(static_cast<std::size_t>(state.range(0)), std::byte{'v'});
    BulkLoader loader(sink, 4096);
    KeyCounter keys;
    check(state, loader.begin_bucket("key"));
    for (std::int64_t i = 0; i < state.range(1); ++i) check(state, loader.add(keys.next(), value));
    check(state, loader.end_bucket());
    if (!loader.finish()) state.SkipWithError("finish");
  }
  const Bytes file = sink.take();
  for (auto _ : state) {
    MemorySource source(file, 4096);
    auto database = Database::open(source, *choose_meta(file, 4096), file.size());
    auto cursor = database->walk(database->buckets()[0]);
    std::size_t bytes = 0;
    for (LeafElement element; *cursor->next(element);) bytes += element.value.size();
    benchmark::DoNotOptimize(bytes);
    if (!database->finish()) state.SkipWithError("finish");
  }
  state.SetItemsProcessed(state.iterations() * state.range(1));
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(file.size()));
}
BENCHMARK(read_records)->Args({2048, 100'000})->Args({20, 1'000'000})->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace lifeboat::bbolt
