// bench_text REPO KEYFILE: zstd and CRC-32C over the text of a repo's newest point on one core, the yardstick for
// `verify --level 3`. Prints the text's bytes and the seconds.
#include <chrono>

#include <fmt/format.h>

#include "crypto/compress.h"
#include "crypto/crc32c.h"
#include "io/world.h"
#include "repository/catalogue/catalogue.h"
#include "repository/store/segments.h"
#include "storage/local_store.h"

namespace lifeboat {
namespace {

struct Packed {
  Bytes bytes;
  std::size_t plain_bytes = 0;
};

// The blocks as zstd frames in memory, without the encryption around them.
Result<std::vector<Packed>> pack_blocks(const repository::Repository& repo, const manifest::Manifest& manifest) {
  std::vector<Packed> out;
  auto blocks = TRY(repository::read_blocks(repo, manifest.segments, {}));
  crypto::Compressor compressor;
  repository::DecodedBlock block;
  while (TRY(blocks->next(block))) {
    Bytes packed(crypto::Compressor::bound(block.text.size()));
    packed.resize(TRY(compressor.compress(block.text.view(), packed, 1)));
    packed.shrink_to_fit();
    out.push_back({std::move(packed), block.text.size()});
  }
  return out;
}

Status run(const std::string& root, const std::string& key_file) {
  auto files = io::posix_file_system();
  auto store = storage::local_store(*files, root);
  repository::Credential credential{object::RecipientKind::kKeyFile, {}};
  Bytes key = TRY(io::read_whole(*files, key_file, 4096));
  while (!key.empty() && key.back() == std::byte{'\n'}) key.pop_back();
  credential.secret = crypto::Secret(key);
  auto repo = TRY(repository::Repository::open(*store, credential));
  const auto catalogue = TRY(repository::Catalogue::load(*repo));
  if (catalogue.points().empty()) return fail(ErrorCode::kPointNotFound, "the repo holds no point");
  const auto packed = TRY(pack_blocks(*repo, catalogue.points().back().manifest));

  crypto::Decompressor decompressor;
  Bytes text(object::kMaxFramePlainBytes);
  std::uint64_t bytes = 0;
  std::uint32_t crc = 0;
  const auto began = std::chrono::steady_clock::now();
  for (const auto& block : packed) {
    const MutableByteView plain = MutableByteView(text).first(block.plain_bytes);
    TRY(decompressor.decompress(block.bytes, plain));
    crc = crypto::crc32c(crc, plain);
    bytes += plain.size();
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  fmt::print("{} {:.4f} {:08x}\n", bytes, seconds, crc);
  return {};
}

}  // namespace
}  // namespace lifeboat

int main(int argc, char** argv) {
  if (argc != 3) {
    fmt::print(stderr, "usage: bench_text REPO KEYFILE\n");
    return 2;
  }
  const auto done = lifeboat::run(argv[1], argv[2]);
  if (done) return 0;
  fmt::print(stderr, "{}\n", done.error().to_string());
  return 1;
}
