// What the tests of restores share: a small world in memory, a point made by hand, and what etcd would find in a
// target.
#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include <string>
#include <vector>

#include "format/bbolt/writer.h"
#include "format/etcd/hash_kv.h"
#include "format/etcd/record.h"
#include "format/wal/wal.h"
#include "io/fault_file_system.h"
#include "io/memory_file_system.h"
#include "io/world.h"
#include "operation/database/database_sidecar.h"
#include "operation/restore/restore_run.h"
#include "operation/target/member_directory.h"

namespace lifeboat::operation::restore_testing {

class FakeClock final : public io::Clock {
 public:
  Timestamp now() override { return {1'795'000'000'000'000'000 + monotonic_.count()}; }
  std::chrono::nanoseconds monotonic() override { return monotonic_; }
  void sleep(std::chrono::nanoseconds time) override { monotonic_ += time; }

 private:
  std::chrono::nanoseconds monotonic_{0};
};

// Different bytes at every call, the same ones in every run.
class CountingRandom final : public io::Random {
 public:
  void fill(MutableByteView out) override {
    for (std::byte& byte : out)
      byte = static_cast<std::byte>((state_ = state_ * 6364136223846793005u + 1442695040888963407u) >> 56);
  }

 private:
  std::uint64_t state_ = 1;
};

// Files in memory behind a fault; nothing else of the world is used by a restore.
struct MemoryWorld {
  io::MemoryFileSystem memory;
  io::FaultFileSystem files{memory};
  FakeClock clock;
  CountingRandom random;
  std::unique_ptr<io::Process> processes = io::system_process();
  io::World world{files, clock, random, *processes};
};

struct SampleKey {
  std::string key, value;
  std::int64_t revision = 2;
  std::int64_t lease = 0;
};

inline void write_sidecar(bbolt::BulkLoader& loader, const etcd::Sidecar& sidecar, Status& status) {
  for (const etcd::BucketRows& bucket : sidecar.buckets) {
    if (status) status = loader.begin_bucket(bucket.name);
    for (const etcd::BucketRow& row : bucket.rows) {
      if (status) status = loader.add(row.key, row.value);
    }
    if (status) status = loader.end_bucket();
  }
}

// Writes the keys as records, the bump, then the sidecar it is given: what the repo's builder does, without a repo.
inline Result<BuiltDatabase> build_sample(const std::vector<SampleKey>& keys, const BuildOptions& options,
                                          const SidecarFor& sidecar_for, bbolt::PageSink& sink) {
  bbolt::BulkLoader loader(sink, options.page_bytes);
  BuiltDatabase built;
  built.last_revision = options.revision + options.bump;
  built.compact_revision = built.last_revision;
  etcd::HashKv hash(built.compact_revision, built.last_revision), point_hash(options.revision, options.revision);
  Status status = loader.begin_bucket("key");
  const auto add = [&](std::int64_t revision, ByteView value) {
    const etcd::RevisionKey name{{revision, 0}, false};
    std::byte raw[etcd::kTombstoneKeyBytes];
    const std::size_t size = etcd::write_revision_key(name, raw);
    if (status) status = loader.add({raw, size}, value);
    hash.add({name, value}, true, true);
    if (revision <= options.revision) point_hash.add({name, value}, true, true);
    ++built.records;
  };
  for (const SampleKey& key : keys) {
    const Bytes value =
        etcd::encode_key_value({as_bytes(key.key), key.revision, key.revision, 1, as_bytes(key.value), key.lease});
    add(key.revision, value);
    ++built.live_keys;
    if (key.lease != 0) built.lease_ids_in_use.push_back(key.lease);
  }
  if (options.bump > 0) add(built.last_revision, {});
  if (status) status = loader.end_bucket();
  built.hash = hash.value(true);
  built.point_hash = point_hash.value(true);
  std::ranges::sort(built.lease_ids_in_use);
  const etcd::Sidecar sidecar = TRY(sidecar_for(built));
  write_sidecar(loader, sidecar, status);
  TRY(std::move(status));
  built.file = TRY(loader.finish());
  return built;
}

inline RestoreSource sample_source(std::vector<SampleKey> keys, std::int64_t revision) {
  RestoreSource source;
  source.facts.repo.bytes[0] = std::byte{7};
  source.facts.lineage.bytes[0] = std::byte{9};
  source.facts.point = "0123456789ab";
  source.facts.object = "m/09/17";
  source.facts.point_revision = source.facts.revision = source.facts.known_revision = revision;
  source.facts.source_version = etcd::Minor{3, 6};
  source.facts.database_bytes = 64 * 1024;
  for (const char* name :
       {"alarm", "auth", "authRoles", "authUsers", "cluster", "lease", "members", "members_removed", "meta"}) {
    source.sidecar.get_or_add(name);
  }
  source.sidecar.set("cluster", "clusterVersion", as_bytes("3.6.0"));
  source.proof_reason = "made by hand";
  source.build = [keys = std::move(keys)](const BuildOptions& options, const SidecarFor& sidecar_for,
                                          bbolt::PageSink& sink,
                                          Progress&) { return build_sample(keys, options, sidecar_for, sink); };
  return source;
}

inline RestoreSource small_source() { return sample_source({{"/a", "first", 2, 0}, {"/b", "second", 3, 0x55}}, 3); }

// What an etcd started on these folders would find.
struct View {
  enum class Kind { kNothing, kRefuses, kWhole, kMixture } kind = Kind::kNothing;
  std::uint64_t cluster_id = 0;
  std::uint64_t member_id = 0;
  std::string why;  // of a mixture

  std::string text() const {
    switch (kind) {
      case Kind::kNothing:
        return "nothing";
      case Kind::kRefuses:
        return "refuses to start";
      case Kind::kWhole:
        return fmt::format("cluster {:x}", cluster_id);
      case Kind::kMixture:
        return "MIXTURE: " + why;
    }
    return "";
  }
};

inline std::vector<io::DirEntry> entries(io::FileSystem& files, const std::string& folder) {
  return files.list(folder).value();
}

inline View mixture(std::string why) { return {View::Kind::kMixture, 0, 0, std::move(why)}; }

inline View look(io::FileSystem& files, const MemberLayout& layout) {
  if (!io::exists(files, layout.member()).value()) {
    bool wal_alone = false;  // etcd looks for names ending in .wal
    if (layout.wal_is_elsewhere() && io::exists(files, layout.wal()).value()) {
      for (const io::DirEntry& entry : entries(files, layout.wal())) wal_alone |= entry.name.ends_with(".wal");
    }
    return wal_alone ? mixture("a WAL without a database") : View{};
  }
  if (gate_is_closed(files, layout).value()) return {View::Kind::kRefuses, 0, 0, ""};
  const auto file = files.open(io::join(layout.snap(), "db"), {});
  if (!file) return mixture(file.error().to_string());
  const auto sidecar = read_database_sidecar(**file);
  if (!sidecar) return mixture(sidecar.error().to_string());
  const auto wal_bytes = io::read_whole(files, io::join(layout.wal(), wal::wal_file_name(0, 0)), 1 << 20);
  if (!wal_bytes) return mixture(wal_bytes.error().to_string());
  const auto wal = wal::summarise_wal(*wal_bytes);
  if (!wal) return mixture(wal.error().to_string());
  for (const io::DirEntry& entry : entries(files, layout.snap())) {
    if (!entry.name.ends_with(".snap")) continue;
    const auto snap_bytes = io::read_whole(files, io::join(layout.snap(), entry.name), 1 << 20);
    if (!snap_bytes) return mixture(snap_bytes.error().to_string());
    const auto snap = wal::read_snap(*snap_bytes);
    if (!snap) return mixture(snap.error().to_string());
    const auto sentences = wal::disagreements(*sidecar, *wal, entry.name, *snap);
    if (!sentences.empty()) return mixture(fmt::format("{}", fmt::join(sentences, "; ")));
    return {View::Kind::kWhole, wal->cluster_id, wal->node_id, ""};
  }
  return mixture("no .snap");
}

// Names in a folder that a finished restore may not leave.
inline std::vector<std::string> leftovers(io::FileSystem& files, const std::string& folder) {
  std::vector<std::string> names;
  if (!io::exists(files, folder).value()) return names;
  for (const io::DirEntry& entry : entries(files, folder)) {
    const bool kept_from_us =
        entry.name.find("lifeboat-tmp-") != std::string::npos || entry.name == ".lifeboat-swap.json";
    if (kept_from_us) names.push_back(entry.name);
  }
  return names;
}

}  // namespace lifeboat::operation::restore_testing
