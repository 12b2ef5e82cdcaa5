// What the tests of this level share: a repo in memory, fixed random bytes, a clock that stands
// still.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <vector>

#include "io/memory_file_system.h"
#include "repository/catalogue/catalogue.h"
#include "storage/memory_store.h"

namespace lifeboat::repository::testing {

// The same bytes for the same seed, so that a failure repeats.
class SeededRandom final : public io::Random {
 public:
  explicit SeededRandom(std::uint64_t seed = 1) : engine_(seed) {}
  void fill(MutableByteView out) override {
    const std::lock_guard lock(mutex_);
    for (std::byte& byte : out) byte = static_cast<std::byte>(engine_());
  }

 private:
  std::mutex mutex_;
  std::mt19937_64 engine_;
};

class StoppedClock final : public io::Clock {
 public:
  Timestamp now() override { return time; }
  std::chrono::nanoseconds monotonic() override { return std::chrono::nanoseconds(time.ns); }
  void sleep(std::chrono::nanoseconds span) override { time.ns += span.count(); }
  Timestamp time{1'800'000'000'000'000'000};
};

// Repositories start nothing.
class NoProcess final : public io::Process {
 public:
  Result<std::unique_ptr<io::ChildProcess>> start(const io::ProcessSpec&) override {
    return fail(ErrorCode::kInternal, "no process is started in these tests");
  }
  std::optional<std::string> find_on_path(const std::string&) override { return std::nullopt; }
};

struct TestWorld {
  explicit TestWorld(std::uint64_t seed = 1) : random(seed) {}
  io::MemoryFileSystem files;
  StoppedClock clock;
  SeededRandom random;
  NoProcess processes;
  io::World world{files, clock, random, processes};
};

// Cheap on purpose: the cost of a passphrase is not what these tests are about.
inline constexpr crypto::Argon2Cost kCheapCost{.passes = 1, .memory_bytes = 1u << 20};

inline Credential passphrase(std::string_view text) {
  return {object::RecipientKind::kPassphrase, crypto::Secret(as_bytes(text))};
}
inline Credential key_file(std::string_view text) {
  return {object::RecipientKind::kKeyFile, crypto::Secret(as_bytes(text))};
}
inline constexpr std::string_view kKeyFileText = "0123456789abcdef0123456789abcdef";

inline std::vector<Credential> credentials_of(Credential only) {
  std::vector<Credential> list;
  list.push_back(std::move(only));
  return list;
}
inline std::vector<Credential> two_credentials() {
  std::vector<Credential> list = credentials_of(passphrase("correct horse"));
  list.push_back(key_file(kKeyFileText));
  return list;
}

// Text of the error, for messages of assertions.
template <typename T>
std::string why_not(const Result<T>& result) {
  return result ? std::string("it succeeded") : result.error().to_string();
}

inline std::vector<std::string> names_in(storage::ObjectStore& store) {
  std::vector<std::string> names;
  const auto listed = store.list("");
  if (!listed) return names;
  for (const auto& object : *listed) names.push_back(object.name);
  return names;
}

// A repo with one key file, opened.
struct TestRepo {
  TestRepo() {
    const auto made = Repository::init(store, world.world, credentials_of(key_file(kKeyFileText)), kCheapCost);
    if (!made) throw std::runtime_error(made.error().to_string());
    auto opened = Repository::open(store, key_file(kKeyFileText));
    if (!opened) throw std::runtime_error(opened.error().to_string());
    repo = std::move(*opened);
  }
  TestWorld world;
  storage::MemoryStore store;
  std::unique_ptr<Repository> repo;
};

inline LineageId lineage_id(unsigned number) {
  LineageId id;
  id.bytes.back() = static_cast<std::byte>(number);
  id.bytes.front() = std::byte{0xee};
  return id;
}

// A segment as a manifest names it; it need not exist.
inline manifest::SegmentRef segment_ref(const LineageId& lineage, std::int64_t lo, std::int64_t hi,
                                        std::int64_t complete_from, std::uint64_t stored_bytes = 100) {
  manifest::SegmentRef ref;
  ref.object = "s/" + lineage.text() + "/0/" + std::to_string(lo) + "-" + std::to_string(hi) + "-" +
               std::to_string(complete_from);
  ref.lo = lo;
  ref.hi = hi;
  ref.complete_from = complete_from;
  ref.records = 1;
  ref.stored_bytes = stored_bytes;
  ref.plain_bytes = 2 * stored_bytes;
  ref.digest = std::string(32, '0');
  return ref;
}

inline constexpr std::int64_t kMinute = 60'000'000'000;
inline Timestamp at_minute(std::int64_t minute) { return {1'800'000'000'000'000'000 + minute * kMinute}; }

// A manifest whose state was current within the given minute.
inline manifest::Manifest manifest_of(const LineageId& lineage, std::int64_t minute, manifest::SegmentList segments,
                                      std::string cluster = "prod") {
  manifest::Manifest m;
  m.lineage.id = lineage;
  m.lineage.reason = "first backup";
  m.source.kind = "snapshot";
  m.source.cluster = std::move(cluster);
  m.revision = segments.empty() ? 1 : segments.back().hi;
  m.earliest = at_minute(minute);
  m.latest = Timestamp{at_minute(minute).ns + kMinute / 2};
  m.segments = std::move(segments);
  m.writer_version = "0.1.0";
  m.writer = "test";
  return m;
}

inline StoredManifest stored(const manifest::Manifest& m, std::uint64_t bytes = 10) {
  Sha256 sha;
  sha.bytes.front() = static_cast<std::byte>(m.sequence);
  sha.bytes.back() = static_cast<std::byte>(m.latest.ns / kMinute);
  StoredManifest out;
  out.object = "m/" + m.lineage.id.text() + "/" + std::to_string(m.revision) + "-" + sha.text();
  out.stored_bytes = bytes;
  out.manifest = m;
  return out;
}

inline Catalogue catalogue_of(const std::vector<manifest::Manifest>& manifests,
                              std::vector<manifest::Attestation> attestations = {}) {
  std::vector<StoredManifest> all;
  for (const auto& m : manifests) all.push_back(stored(m));
  return Catalogue::build(std::move(all), std::move(attestations));
}

// A hash of one member at (compaction, revision), and what the log gave.
inline manifest::Attestation proof_at(std::int64_t compaction, std::int64_t revision, std::uint32_t live = 7,
                                      std::uint32_t computed = 7) {
  manifest::Attestation a;
  a.lineage = lineage_id(1);
  a.revision = revision;
  a.kind = "hashkv";
  a.agreed = live == computed;
  a.members = {{"1", "http://a", compaction, live, computed}};
  return a;
}

}  // namespace lifeboat::repository::testing
