// How fast records become sealed frames and come back, on one core: the codecs between etcd and the
// disk.
#include <benchmark/benchmark.h>

#include <array>
#include <random>
#include <string>

#include "crypto/hash.h"
#include "format/etcd/record.h"
#include "format/object_support.h"
#include "format/segment/segment.h"

namespace lifeboat {
namespace {

// Values like those of a cluster: a protobuf envelope around names that repeat, ids that do not.
const std::vector<Bytes>& pod_values() {
  static const std::vector<Bytes> values = [] {
    std::mt19937_64 random(1);
    const auto uid = [&] {
      std::array<std::byte, 16> raw;
      for (std::byte& b : raw) b = static_cast<std::byte>(random());
      return hex(raw);
    };
    std::vector<Bytes> out;
    for (int i = 0; i < 4000; ++i) {
      const std::string name = "web-" + std::to_string(random() % 400) + "-" + uid().substr(0, 10);
      std::string text = "k8s\n\x0a\x09\x0a\x02v1\x12\x03Pod\x12\xbf\x10\x0a" + name +
                         "\x12\x00\x1a\x07"
                         "default\"\x00*$" +
                         uid() +
                         "2\x008\x00"
                         "B\x08\x08";
      for (int field = 0; field < 12; ++field)
        text += "f:metadata f:labels app.kubernetes.io/name=" + name.substr(0, 7) +
                " f:spec f:containers k:{\"name\":\"web\"} image: registry.example.com/team/web:v1." +
                std::to_string(random() % 30) + " " + uid().substr(0, 12) +
                " resources limits cpu 500m memory 512Mi nodeName: node-" + std::to_string(random() % 50);
      text += "10.244." + std::to_string(random() % 256) + "." + std::to_string(random() % 256) + uid();
      out.push_back(to_bytes(text));
    }
    return out;
  }();
  return values;
}

segment::BlockBuilder::Block one_block() {
  segment::BlockBuilder builder;
  for (std::int64_t main = 1; !builder.full(); ++main)
    builder.add({{{main, 0}, false}, pod_values()[static_cast<std::size_t>(main) % pod_values().size()]});
  return builder.take();
}

void seal_block(benchmark::State& state) {
  const auto block = one_block();
  const object::Sealer sealer = object::Sealer::make(object::fixed_keys(), object::ObjectType::kSegment,
                                                     object::KeyScope::kContent, object::salt_of(1))
                                    .value();
  object::Codec codec(sealer);
  std::uint32_t number = 0;
  std::size_t stored = 0;
  for (auto _ : state) {
    const auto frame = sealer.seal(codec, number++, block.text, false, static_cast<int>(state.range(0)));
    if (!frame) state.SkipWithError(frame.error().to_string().c_str());
    stored = frame->bytes.size();
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(block.text.size()));
  state.counters["ratio"] = static_cast<double>(block.text.size()) / static_cast<double>(stored);
}
BENCHMARK(seal_block)->Arg(-1)->Arg(1)->Arg(3)->Unit(benchmark::kMicrosecond);

void open_block(benchmark::State& state) {
  const auto block = one_block();
  const object::RepoKeys keys = object::fixed_keys();
  const object::Sealer sealer =
      object::Sealer::make(keys, object::ObjectType::kSegment, object::KeyScope::kContent, object::salt_of(1)).value();
  object::Codec sealing(sealer);
  const Bytes frame = sealer.seal(sealing, 0, block.text, true, 1).value().bytes;
  const object::Opener opener = object::Opener::make(keys, sealer.header(), object::ObjectType::kSegment).value();
  object::Codec codec(opener);
  Buffer out;
  for (auto _ : state) {
    out.clear();
    const auto opened = opener.open(codec, 0, frame, out);
    if (!opened) state.SkipWithError(opened.error().to_string().c_str());
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(block.text.size()));
}
BENCHMARK(open_block)->Unit(benchmark::kMicrosecond);

void build_block(benchmark::State& state) {
  std::size_t bytes = 0;
  for (auto _ : state) {
    auto block = one_block();
    bytes = block.text.size();
    benchmark::DoNotOptimize(block);
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(bytes));
}
BENCHMARK(build_block)->Unit(benchmark::kMicrosecond);

// Argument: bytes of a value.
void read_block(benchmark::State& state) {
  segment::BlockBuilder builder;
  const Bytes value(static_cast<std::size_t>(state.range(0)), std::byte{'v'});
  for (std::int64_t main = 1; !builder.full(); ++main) builder.add({{{main, 0}, false}, value});
  const auto block = builder.take();
  for (auto _ : state) {
    auto reader = segment::BlockReader::open(block.text);
    etcd::Record record;
    std::uint64_t sum = 0;
    while (reader->next(record)) sum += record.value.size();
    benchmark::DoNotOptimize(sum);
  }
  state.SetItemsProcessed(state.iterations() * block.records);
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(block.text.size()));
}
BENCHMARK(read_block)->Arg(20)->Arg(2048)->Unit(benchmark::kMicrosecond);

void digest_records(benchmark::State& state) {
  const Bytes value = object::random_bytes(static_cast<std::size_t>(state.range(0)), 1);
  crypto::ContentDigest digest;
  std::uint64_t main = 0;
  for (auto _ : state) {
    digest.add(++main, 0, false, value);
    benchmark::DoNotOptimize(digest);
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(digest_records)->Arg(60)->Arg(2048);

void hash_keys(benchmark::State& state) {
  const Bytes key = to_bytes("/registry/pods/default/web-1234567890-abcde");
  const std::array<std::byte, 16> seed{};
  for (auto _ : state) benchmark::DoNotOptimize(crypto::key_hash(key, seed));
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(hash_keys);

void hash_sha256(benchmark::State& state) {
  const Bytes data(1u << 20);
  for (auto _ : state) benchmark::DoNotOptimize(crypto::sha256(data));
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(data.size()));
}
BENCHMARK(hash_sha256)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace lifeboat
