// Imports against a model of the cluster: what is stored, which lineage it joins, what is refused.
#include <gmock/gmock.h>
#include <zlib.h>
#include <zstd.h>

#include <filesystem>
#include <thread>

#include "operation/backup_support.h"
#include "operation/inspect/history.h"
#include "support/temp_dir.h"

namespace lifeboat::operation {
namespace {

using namespace backup_testing;

class Backup : public ImportTest {
 protected:
  ErrorCode refusal(ByteView bytes, const ImportOptions& options) {
    const auto before = names_in(*w.store);
    const auto report = w.import_bytes(bytes, options);
    EXPECT_EQ(names_in(*w.store), before) << "something was left behind";
    return report ? ErrorCode::kInternal : report.error().code();
  }
};

TEST_F(Backup, TheFirstImportBeginsALineageAndCoversFromItsCompaction) {
  write_some(model, random, 30, 8);
  model.compact(12);
  const auto report = import(model);
  EXPECT_TRUE(report.new_lineage);
  EXPECT_EQ(report.revision, model.revision);
  EXPECT_EQ(report.complete_from, 12);
  EXPECT_EQ(report.new_records, model.database.size());
  EXPECT_EQ(report.live_keys, model.latest_live(model.revision).size());
  EXPECT_TRUE(report.warnings.empty());
  expect_history(w, report.lineage, model);
  expect_clean();
}

TEST_F(Backup, ASecondImportStoresOnlyWhatIsNew) {
  write_some(model, random, 200, 20);
  const auto first = import(model);
  const std::size_t before = model.database.size();
  write_some(model, random, 10, 20);
  const auto second = import(model);
  EXPECT_FALSE(second.new_lineage);
  EXPECT_EQ(second.lineage, first.lineage);
  EXPECT_EQ(second.previous_revision, first.revision);
  EXPECT_EQ(second.new_records, model.database.size() - before);
  EXPECT_FALSE(second.gap);
  EXPECT_EQ(count_under(w, "s/"), 2u);
  expect_history(w, second.lineage, model);
  expect_clean();
}

TEST_F(Backup, ALongChainIsEndedByABaseThatNeedsNoOther) {
  ImportOptions options = w.options();
  options.chain_max = 3;
  std::vector<std::size_t> listed;
  LineageId lineage;
  for (int round = 0; round < 10; ++round) {
    write_some(model, random, 20, 60);
    if (round == 4 || round == 6) model.compact(model.revision - 5);
    const auto report = w.import_bytes(model.snapshot_file(), options);
    ASSERT_TRUE(report) << why_not(report);
    EXPECT_EQ(report->new_lineage, round == 0) << report->lineage_reason;
    lineage = report->lineage;
    const auto points = w.catalogue();
    listed.push_back(points.newest_of(lineage)->manifest.segments.size());
  }
  EXPECT_EQ(listed, (std::vector<std::size_t>{1, 2, 3, 4, 1, 2, 3, 4, 1, 2}));
  expect_history(w, lineage, model);
  expect_clean();
  const auto again = w.import_bytes(model.snapshot_file(), options);
  ASSERT_TRUE(again) << why_not(again);
  EXPECT_EQ(again->new_records, 0u);
}

TEST_F(Backup, ALongChainIsEndedAlsoWhileIdle) {
  write_some(model, random, 20, 8);
  import(model);
  write_some(model, random, 20, 8);
  const auto newest = import(model);
  ImportOptions options = w.options();
  options.chain_max = 1;
  const auto base = w.import_bytes(model.snapshot_file(), options);
  ASSERT_TRUE(base) << why_not(base);
  EXPECT_EQ(base->point, newest.point);
  EXPECT_EQ(base->new_records, model.database.size());
  EXPECT_EQ(w.catalogue().newest_of(newest.lineage)->manifest.segments.size(), 1u);
  const auto again = w.import_bytes(model.snapshot_file(), options);
  ASSERT_TRUE(again) << why_not(again);
  EXPECT_EQ(again->new_records, 0u);
  expect_history(w, newest.lineage, model);
  expect_clean();
}

TEST_F(Backup, RepeatedWhileIdleItStaysOnePoint) {
  write_some(model, random, 20, 8);
  const auto first = import(model);
  model.index += 3;
  const auto second = import(model);
  EXPECT_EQ(second.point, first.point);
  EXPECT_EQ(second.new_records, 0u);
  EXPECT_EQ(count_under(w, "s/"), 1u);
  EXPECT_EQ(w.catalogue().points().size(), 1u);
  expect_clean();
}

TEST_F(Backup, KeysDeletedAndCompactedAwayBetweenBackupsStayDead) {
  for (unsigned seed = 1; seed <= 6; ++seed) {
    SCOPED_TRACE(seed);
    RepoWorld fresh(seed);
    ASSERT_TRUE(fresh.init());
    std::mt19937 dice(seed);
    MvccModel cluster;
    cluster.put("/stays", "1");
    LineageId lineage;
    for (int backup = 0; backup < 4; ++backup) {
      write_some(cluster, dice, 12, 6);
      const auto span = static_cast<unsigned>(cluster.revision - cluster.compacted);
      if (dice() % 3 != 0) cluster.compact(cluster.compacted + 1 + static_cast<std::int64_t>(dice() % span));
      const auto report = fresh.import_model(cluster);
      ASSERT_TRUE(report) << why_not(report);
      EXPECT_EQ(report->new_lineage, backup == 0) << report->lineage_reason;
      lineage = report->lineage;
    }
    expect_history(fresh, lineage, cluster);
    const auto verified = fresh.verify(3);
    ASSERT_TRUE(verified) << why_not(verified);
    EXPECT_TRUE(verified->clean()) << verified->findings.front().sentence;
  }
}

TEST_F(Backup, AFileWithNothingInCommonBeginsALineageOfTheNamedCluster) {
  auto options = w.options();
  options.cluster = "prod";
  model.put("/a", "1");
  const auto first = w.import_bytes(model.snapshot_file(), options);
  ASSERT_TRUE(first) << why_not(first);
  model.put("/a", "2");
  model.compact(model.revision);
  const auto second = w.import_bytes(model.snapshot_file(), options);
  ASSERT_TRUE(second) << why_not(second);
  EXPECT_TRUE(second->new_lineage);
  EXPECT_EQ(second->parent, first->lineage);
  EXPECT_NE(second->lineage_reason.find("in common"), std::string::npos) << second->lineage_reason;
}

// One byte of it turned over.
void damage(RepoWorld& w, const std::string& object) {
  const std::string path = std::string(kRoot) + "/" + object;
  Bytes bytes = io::read_whole(w.memory, path, 1u << 30).value();
  bytes[bytes.size() / 2] ^= std::byte{1};
  w.place(path, bytes);
}

class LeftBehind : public Backup, public ::testing::WithParamInterface<bool> {};
INSTANTIATE_TEST_SUITE_P(Backup, LeftBehind, ::testing::Bool(),
                         [](const auto& instance) { return instance.param ? "Missing" : "Damaged"; });

TEST_P(LeftBehind, WhatCannotBeReadAndTheClusterProtectedAnew) {
  const bool missing = GetParam();
  auto options = w.options();
  options.cluster = "prod";
  write_some(model, random, 60, 9);
  const auto first = w.import_bytes(model.snapshot_file(), options);
  ASSERT_TRUE(first) << why_not(first);
  const auto segments = w.store->list("s/").value();
  for (const auto& object : segments) {
    if (missing) {
      ASSERT_TRUE(w.store->remove(object.name));
    } else {
      damage(w, object.name);
    }
  }
  write_some(model, random, 20, 9);
  const auto second = w.import_bytes(model.snapshot_file(), options);
  ASSERT_TRUE(second) << why_not(second);
  EXPECT_TRUE(second->new_lineage);
  EXPECT_EQ(second->parent, first->lineage);
  EXPECT_EQ(second->damage, missing ? ErrorCode::kObjectMissing : ErrorCode::kObjectDamaged);
  ASSERT_FALSE(second->warnings.empty());
  EXPECT_THAT(second->warnings.front(), ::testing::HasSubstr("cannot be read whole"));
  const Catalogue catalogue = w.catalogue();
  const auto latest = catalogue.resolve("latest", "prod", w.clock.time);
  ASSERT_TRUE(latest) << why_not(latest);
  EXPECT_EQ(latest->point->id, second->point);
  EXPECT_TRUE(same_records(read_target(w, *latest).value(), model.latest_live(model.revision)));

  const auto third = w.import_bytes(model.snapshot_file(), options);
  ASSERT_TRUE(third) << why_not(third);
  EXPECT_EQ(third->lineage, second->lineage);
  EXPECT_FALSE(third->damage);
}

TEST_F(Backup, AnOlderPointIsNotTakenForANewestThatCannotBeRead) {
  write_some(model, random, 60, 9);
  const auto first = import(model);
  write_some(model, random, 20, 9);
  const auto before = names_in(*w.store);
  const auto second = import(model);
  const auto manifests = w.store->list("m/").value();
  for (const auto& object : manifests)
    if (std::ranges::find(before, object.name) == before.end()) damage(w, object.name);
  const Catalogue catalogue = w.catalogue();
  ASSERT_EQ(catalogue.damaged().size(), 1u);
  const auto find = [&](const std::string& name) {
    return find_target(*w.repo, catalogue, name, "", w.clock.time, {.spool_directory = "/"}, w.progress);
  };
  for (const std::string name : {"latest", "@-0s"}) {
    const auto found = find(name);
    ASSERT_FALSE(found) << name;
    EXPECT_EQ(found.error().code(), ErrorCode::kObjectDamaged);
    EXPECT_THAT(found.error().fix(), ::testing::HasSubstr(first.point));
  }
  const auto named = find(first.point);
  ASSERT_TRUE(named) << why_not(named);
  EXPECT_EQ(named->revision, first.revision);
  const auto told = status(*w.repo, catalogue, "", w.clock.time);
  ASSERT_TRUE(told) << why_not(told);
  EXPECT_EQ(told->recoverability(), Recoverability::kDoubtful);
  EXPECT_THAT(told->verdict, ::testing::HasSubstr("cannot be read"));

  write_some(model, random, 5, 9);
  const auto third = import(model);
  EXPECT_NE(third.revision, second.revision);
  const auto newest =
      find_target(*w.repo, w.catalogue(), "latest", "", w.clock.time, {.spool_directory = "/"}, w.progress);
  ASSERT_TRUE(newest) << why_not(newest) << ": what is newer can be read";
  EXPECT_EQ(newest->revision, third.revision);
}

TEST_F(Backup, AGapIsReportedAndRefusedWithItsNeighbours) {
  model.put("/a", "1");
  model.put("/a", "2");  // 3
  import(model);
  for (int i = 0; i < 5; ++i) model.put("/b", std::to_string(i));  // 8
  model.compact(8);
  model.put("/c", "1");
  const auto second = import(model);
  ASSERT_TRUE(second.gap);
  EXPECT_EQ(*second.gap, (repository::Coverage{4, 7}));
  const auto points = w.catalogue();
  const auto inside = points.resolve("rev:5", "", w.clock.time);
  ASSERT_FALSE(inside);
  EXPECT_EQ(inside.error().code(), ErrorCode::kRevisionInGap);
  EXPECT_TRUE(points.resolve("rev:8", "", w.clock.time));
}

TEST_F(Backup, AnOlderFileInsideWhatIsCoveredStoresNoSegment) {
  write_some(model, random, 20, 8);
  const MvccModel older = model;
  write_some(model, random, 20, 8);
  const auto newest = import(model);
  const auto second = import(older);
  EXPECT_EQ(second.lineage, newest.lineage);
  EXPECT_EQ(second.revision, older.revision);
  EXPECT_EQ(second.new_records, 0u);
  EXPECT_EQ(count_under(w, "s/"), 1u);
  EXPECT_EQ(w.catalogue().points().size(), 2u);
  EXPECT_EQ(w.catalogue().newest_of(newest.lineage)->manifest.revision, newest.revision);
  expect_history(w, newest.lineage, model);
  expect_clean();
}

TEST_F(Backup, AnOlderFileInsideALongChainStandsAlone) {
  write_some(model, random, 20, 8);
  import(model);
  write_some(model, random, 20, 8);
  import(model);
  const MvccModel older = model;
  write_some(model, random, 20, 8);
  const auto newest = import(model);
  ImportOptions options = w.options();
  options.chain_max = 1;
  const auto second = w.import_bytes(older.snapshot_file(), options);
  ASSERT_TRUE(second) << why_not(second);
  EXPECT_EQ(second->lineage, newest.lineage);
  EXPECT_EQ(second->new_records, older.database.size());
  const auto points = w.catalogue();
  const auto again = points.resolve("rev:" + std::to_string(older.revision), "", w.clock.time);
  ASSERT_TRUE(again) << why_not(again);
  EXPECT_EQ(again->point->manifest.segments.size(), 1u);
  expect_history(w, newest.lineage, model);
  expect_clean();
}

TEST_F(Backup, AnOlderFileBeforeWhatIsCoveredStandsAlone) {
  for (int i = 0; i < 3; ++i) model.put("/stays/" + std::to_string(i), "1");
  write_some(model, random, 15, 8);
  const MvccModel older = model;
  write_some(model, random, 20, 8);
  model.compact(older.revision + 10);
  const auto newest = import(model);
  const auto second = import(older);
  EXPECT_EQ(second.lineage, newest.lineage) << second.lineage_reason;
  EXPECT_EQ(second.new_records, older.database.size());
  expect_history(w, newest.lineage, model);
  expect_clean();
  write_some(model, random, 5, 8);
  EXPECT_EQ(import(model).lineage, newest.lineage);
  expect_history(w, newest.lineage, model);
}

TEST_F(Backup, ADifferentByteIsAForkWithItsParentAndRevision) {
  write_some(model, random, 20, 8);
  MvccModel fork = model;
  const auto first = import(model);
  model.put("/x", "ours");
  const auto head = import(model);
  fork.put("/x", "their");
  const auto forked = import(fork);
  EXPECT_TRUE(forked.new_lineage);
  EXPECT_EQ(forked.parent, first.lineage);
  const auto points = w.catalogue();
  const auto& lineage = points.newest_of(forked.lineage)->manifest.lineage;
  EXPECT_EQ(lineage.fork_revision, first.revision);
  EXPECT_EQ(lineage.parent, first.lineage);
  const auto ambiguous = points.resolve("rev:" + std::to_string(head.revision), "", w.clock.time);
  ASSERT_FALSE(ambiguous);
  EXPECT_EQ(ambiguous.error().code(), ErrorCode::kPointAmbiguous);
  // Each goes on in its own.
  model.put("/y", "1");
  fork.put("/y", "1");
  EXPECT_EQ(import(model).lineage, first.lineage);
  EXPECT_EQ(import(fork).lineage, forked.lineage);
  expect_clean();
}

TEST_F(Backup, ARaftIndexThatWentBackBeginsALineage) {
  write_some(model, random, 20, 8);
  const auto first = import(model);
  MvccModel restored = model;
  restored.index = 1;
  restored.put("/after", "restore");
  const auto second = import(restored);
  EXPECT_TRUE(second.new_lineage);
  EXPECT_EQ(second.parent, first.lineage);
  const auto points = w.catalogue();
  EXPECT_EQ(points.newest_of(second.lineage)->manifest.lineage.fork_revision, first.revision);
  expect_clean();
}

TEST_F(Backup, AnOlderFileWithAHigherRaftIndexIsAnotherHistory) {
  write_some(model, random, 20, 8);
  MvccModel older = model;
  older.index += 1'000;
  write_some(model, random, 10, 8);
  const auto first = import(model);
  EXPECT_NE(import(older).lineage, first.lineage);
}

TEST_F(Backup, TwoUnrelatedClustersKeepTheirLineagesAndNames) {
  MvccModel other;
  other.member_id = 0x77;
  for (int i = 0; i < 4; ++i) other.put("/other/" + std::to_string(i), "v");
  write_some(model, random, 20, 8);
  const auto a = import(model);
  const auto b = import(other);
  EXPECT_TRUE(b.new_lineage);
  EXPECT_TRUE(b.parent.is_zero()) << "two clusters without a record in common are no fork";
  EXPECT_NE(b.cluster, a.cluster);
  for (int round = 0; round < 2; ++round) {
    model.put("/a", std::to_string(round));
    other.put("/b", std::to_string(round));
    const auto next_b = import(other), next_a = import(model);
    EXPECT_EQ(next_a.lineage, a.lineage);
    EXPECT_EQ(next_b.lineage, b.lineage);
    EXPECT_EQ(next_a.cluster, a.cluster);
    EXPECT_EQ(next_b.cluster, b.cluster);
  }
  expect_history(w, a.lineage, model);
  expect_history(w, b.lineage, other);
  expect_clean();
}

TEST_F(Backup, TwoBackupsAtOnceBothMakeTheirPoint) {
  write_some(model, random, 20, 8);
  const auto first = import(model);
  MvccModel later = model;
  later.put("/later", "1");
  // The second begins and ends between the first's reading of the catalogue and its commit: both saw the same head.
  RepoWorld other_writer(99);
  w.place("/a", model.snapshot_file());
  w.place("/b", later.snapshot_file());
  model.put("/now", "1");
  const Timestamp taken{w.clock.time.ns + 120'000'000'000};
  std::jthread at_once([&] {
    io::World world{w.files, other_writer.clock, other_writer.random, other_writer.processes};
    NoProgress quiet;
    ImportOptions options = w.options();
    options.taken = other_writer.clock.time = taken;
    const auto report = import_snapshot(*w.repo, world, "/b", options, quiet);
    EXPECT_TRUE(report) << why_not(report);
  });
  const auto mine = w.import_file("/a", w.options());
  at_once.join();
  ASSERT_TRUE(mine) << why_not(mine);
  EXPECT_EQ(mine->lineage, first.lineage);
  EXPECT_EQ(w.catalogue().newest_of(first.lineage)->manifest.revision, later.revision);
  expect_history(w, first.lineage, later);
  expect_clean();
}

Bytes gzip(ByteView plain) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
  Bytes out(plain.size() + 4096);
  Bytes in = to_bytes(plain);
  stream.next_in = reinterpret_cast<Bytef*>(in.data());
  stream.avail_in = static_cast<uInt>(in.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

Bytes zstd(ByteView plain) {
  Bytes out(ZSTD_compressBound(plain.size()));
  out.resize(ZSTD_compress(out.data(), out.size(), plain.data(), plain.size(), 3));
  return out;
}

TEST_F(Backup, TakesCompressedFilesAndBareDatabases) {
  write_some(model, random, 300, 20);
  const Bytes file = model.snapshot_file(), bare = model.database_file();
  const auto plain = w.import_bytes(file, w.options());
  ASSERT_TRUE(plain) << why_not(plain);
  for (const Bytes& bytes : {gzip(file), zstd(file), bare, gzip(bare)}) {
    const auto report = w.import_bytes(bytes, w.options());
    ASSERT_TRUE(report) << why_not(report);
    EXPECT_EQ(report->point, plain->point);
    EXPECT_EQ(report->received_bytes, bare.size());
  }
  EXPECT_FALSE(w.import_bytes(bare, w.options())->warnings.empty());
  EXPECT_EQ(count_under(w, "s/"), 1u);
}

TEST_F(Backup, RefusesABareDatabaseThatAnEtcdHolds) {
  write_some(model, random, 30, 8);
  w.place("/db", model.database_file());
  auto etcd = w.files.open("/db", {.write = true}).value();
  ASSERT_TRUE(etcd->try_lock().value());
  const auto refused = w.import_file("/db", w.options());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kEtcdRunning);
  EXPECT_NE(refused.error().fix().find("lifeboat backup etcd"), std::string::npos) << refused.error().to_string();
  EXPECT_EQ(count_under(w, "m/"), 0u);

  etcd.reset();
  const auto taken = w.import_file("/db", w.options());
  ASSERT_TRUE(taken) << why_not(taken);
  const auto not_in_it = [](const std::string& warning) {
    return warning.find("write-ahead log") != std::string::npos;
  };
  EXPECT_EQ(std::ranges::count_if(taken->warnings, not_in_it), 1);
  EXPECT_TRUE(w.files.open("/db", {}).value()->try_lock().value()) << "an etcd can start on it again";
}

TEST_F(Backup, TakesASnapshotFileThatSomebodyHolds) {
  write_some(model, random, 30, 8);
  w.place("/snapshot", model.snapshot_file());
  const auto reader = w.files.open("/snapshot", {}).value();
  ASSERT_TRUE(reader->try_lock().value());
  const auto report = w.import_file("/snapshot", w.options());
  ASSERT_TRUE(report) << why_not(report);
}

TEST_F(Backup, RefusesATimeOfTheFutureAndTakesNoneFromAFile) {
  write_some(model, random, 30, 8);
  w.place("/snapshot", model.snapshot_file());
  ImportOptions options = w.options();
  options.taken = Timestamp{w.clock.time.ns + 3'600'000'000'000};
  const auto refused = import_snapshot(*w.repo, w.world, "/snapshot", options, w.progress);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kUsage);
  EXPECT_EQ(count_under(w, "m/"), 0u);

  w.memory.set_time(*options.taken);
  w.place("/snapshot", model.snapshot_file());
  const auto report = import_snapshot(*w.repo, w.world, "/snapshot", w.options(), w.progress);
  ASSERT_TRUE(report) << why_not(report);
  ASSERT_EQ(report->warnings.size(), 1u);
  EXPECT_NE(report->warnings.front().find("lies in the future"), std::string::npos) << report->warnings.front();
  EXPECT_EQ(w.catalogue().points().front().last_seen, w.clock.time);
}

TEST_F(Backup, RefusesBadFilesAndLeavesNothing) {
  write_some(model, random, 100, 20);
  import(model);
  model.put("/new", "1");
  const Bytes file = model.snapshot_file(), bare = model.database_file();
  for (const std::size_t at : {std::size_t{0}, std::size_t{30}, file.size() / 2, file.size() - 33, file.size() - 1}) {
    Bytes edited = file;
    edited[at] ^= std::byte{1};
    const auto code = refusal(edited, w.options());
    EXPECT_TRUE(code == ErrorCode::kSnapshotChecksum || (at < 100 && code == ErrorCode::kNotADatabase)) << at;
  }
  for (const std::size_t bytes : {std::size_t{100}, std::size_t{5'000}, file.size() - 31, file.size() - 1})
    EXPECT_EQ(refusal(ByteView(file).first(bytes), w.options()), ErrorCode::kSnapshotTruncated) << bytes;
  EXPECT_EQ(refusal(ByteView(bare).first(bare.size() - 4096), w.options()), ErrorCode::kSnapshotTruncated);
  EXPECT_EQ(refusal({}, w.options()), ErrorCode::kNotADatabase);
  EXPECT_EQ(refusal(to_bytes(std::string(4096, 'x')), w.options()), ErrorCode::kNotADatabase);
  const Bytes compressed = gzip(file);
  EXPECT_EQ(refusal(ByteView(compressed).first(compressed.size() / 2), w.options()), ErrorCode::kSnapshotTruncated);
  const Bytes zipped = zstd(file);
  EXPECT_EQ(refusal(ByteView(zipped).first(zipped.size() - 5), w.options()), ErrorCode::kSnapshotTruncated);
  for (Bytes damaged : {compressed, zipped}) {
    damaged[damaged.size() / 2] ^= std::byte{1};
    EXPECT_EQ(refusal(damaged, w.options()), ErrorCode::kSnapshotChecksum);
  }
  Bytes longer = compressed;
  append(longer, as_bytes("behind its end"));
  EXPECT_EQ(refusal(longer, w.options()), ErrorCode::kSnapshotChecksum);
  auto no_bare = w.options();
  no_bare.allow_bare_database = false;
  EXPECT_EQ(refusal(bare, no_bare), ErrorCode::kSnapshotTruncated);
  EXPECT_EQ(w.import_file("/absent", w.options()).error().code(), ErrorCode::kFileNotFound);
  EXPECT_EQ(w.import_file("/repo", w.options()).error().code(), ErrorCode::kUnreadableInput);
  expect_clean();
}

TEST_F(Backup, NamesTheFileThatItRefusesAndSaysWhatIsWrong) {
  const auto sentence = [&](ByteView bytes) { return why_not(w.import_bytes(bytes, w.options())); };
  write_some(model, random, 100, 20);
  const Bytes file = model.snapshot_file();
  EXPECT_THAT(sentence(file).substr(0, 12), "it succeeded");
  constexpr const char* kNoDatabase =
      "/snapshot: this is no bbolt database: no meta page stands at its start (LB-E5002)";
  for (const std::size_t size :
       {std::size_t{1'100}, std::size_t{108'123}, std::size_t{110'592}, std::size_t{110'624}, std::size_t{1'000'000}})
    EXPECT_EQ(sentence(to_bytes(std::string(size, 'x'))), kNoDatabase) << size;
  EXPECT_EQ(sentence(gzip(to_bytes(std::string(108'123, 'x')))), kNoDatabase);
  EXPECT_THAT(sentence(ByteView(file).first(file.size() - 5)),
              ::testing::StartsWith("/snapshot: the file is no whole snapshot: its "));
  EXPECT_THAT(sentence(ByteView(model.database_file()).first(8192)),
              ::testing::StartsWith("/snapshot: the database is cut short: "));
  Bytes edited = file;
  edited.back() ^= std::byte{1};
  EXPECT_THAT(sentence(edited), ::testing::StartsWith("/snapshot: the snapshot's checksum does not match: "));
}

// What a progress is told that a stage takes.
struct Stages final : Progress {
  void stage(std::string_view name, std::uint64_t total_bytes) override { bytes.emplace(name, total_bytes); }
  void advance(std::uint64_t) override {}
  void note(std::string_view) override {}
  std::map<std::string, std::uint64_t, std::less<>> bytes;
};

TEST_F(Backup, ALinkIsImportedAsTheFileItLeadsTo) {
  const auto real_files = io::posix_file_system();
  io::World real{*real_files, w.clock, w.random, w.processes};
  const lifeboat::testing::TempDir folder;
  std::filesystem::create_symlink("snapshot", folder / "link");
  auto options = w.options();
  options.limits.spool_directory = folder.path().string();
  const std::function<Bytes(ByteView)> encodings[] = {[](ByteView plain) { return to_bytes(plain); }, gzip, zstd};
  for (const auto& encode : encodings) {
    model.put("/k", "v");
    const Bytes file = encode(model.snapshot_file());
    lifeboat::testing::write_file(folder / "snapshot", to_string(file));
    const auto now = std::filesystem::last_write_time(folder / "snapshot");
    std::filesystem::last_write_time(folder / "snapshot", now - std::chrono::hours(100));
    Stages stages;
    const auto report = import_snapshot(*w.repo, real, folder / "link", options, stages);
    ASSERT_TRUE(report) << why_not(report);
    EXPECT_EQ(stages.bytes["read the file"], file.size());
    EXPECT_EQ(w.catalogue().newest_of(report->lineage)->manifest.latest,
              real_files->stat(folder / "snapshot")->modified);
  }
}

TEST_F(Backup, AFullDiskIsAnErrorAndLeavesTheRepoWhole) {
  write_some(model, random, 100, 20);
  import(model);
  model.put("/new", std::string(3'000'000, 'x'));
  w.place("/snapshot", model.snapshot_file());
  w.memory.set_capacity(4'000'000);
  const auto refused = w.import_file("/snapshot", w.options());
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error().code() == ErrorCode::kNotEnoughSpace ||
              refused.error().code() == ErrorCode::kStorageFull);
  w.memory.set_capacity(std::uint64_t{1} << 40);
  expect_clean();
  EXPECT_FALSE(import(model).new_lineage);
}

TEST_F(Backup, AnExportReadsAsTheClusterItCameFrom) {
  write_some(model, random, 60, 8);
  model.compact(20);
  const auto report = import(model);
  const auto points = w.catalogue();
  for (const std::int64_t at : {std::int64_t{20}, (20 + model.revision) / 2, model.revision}) {
    const auto target = points.resolve("rev:" + std::to_string(at), "", w.clock.time);
    ASSERT_TRUE(target) << why_not(target);
    const std::string path = "/export-" + std::to_string(at);
    const auto exported =
        export_snapshot(*w.repo, w.world, *target, path, {.threads = 1, .spool_directory = "/"}, w.progress);
    ASSERT_TRUE(exported) << why_not(exported);
    const Bytes file = io::read_whole(w.files, path, 1 << 30).value();
    const ByteView database = ByteView(file).first(file.size() - 32);
    EXPECT_TRUE(equal(crypto::sha256(database).bytes, ByteView(file).last(32)));
    const auto read = bbolt::read_database(database);
    ASSERT_TRUE(read) << why_not(read);
    std::size_t rows = 0;
    for (const auto& [revision, record] : model.latest_live(at)) {
      ASSERT_EQ(read->contents.at("key").at(rows).second, to_string(record.value));
      ++rows;
    }
    EXPECT_LE(read->contents.at("key").size() - rows, 1u);  // a tombstone may keep the store's revision
    EXPECT_EQ(read->contents.at("members").size(), 1u);
    const auto again =
        export_snapshot(*w.repo, w.world, *target, path, {.threads = 1, .spool_directory = "/"}, w.progress);
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code(), ErrorCode::kTargetNotEmpty);
  }
  EXPECT_FALSE(w.import_file("/export-" + std::to_string(report.revision), w.options())->new_lineage);
}

TEST_F(Backup, LooksIntoAPointWithoutRestoringIt) {
  model.put("/a/1", "one");
  model.put("/a/2", "two");
  model.put("/b/1", "three");
  const auto first = import(model);
  model.put("/a/1", "ONE");
  model.erase("/b/1");
  model.put("/c", "new");
  import(model);
  const auto points = w.catalogue();
  const io::WorkLimits how{.threads = 1, .spool_directory = "/"};
  const auto old = points.resolve("rev:" + std::to_string(first.revision), "", w.clock.time).value();
  const auto now = points.resolve("latest", "", w.clock.time).value();
  const auto listed = list_keys(*w.repo, w.world, old, as_bytes("/a"), 1, how, w.progress).value();
  EXPECT_EQ(listed.count, 2u);
  ASSERT_EQ(listed.keys.size(), 1u);
  EXPECT_EQ(as_text(listed.keys[0].key), "/a/1");
  EXPECT_EQ(as_text(show_key(*w.repo, w.world, now, as_bytes("/a/1"), how, w.progress).value().value), "ONE");
  EXPECT_EQ(show_key(*w.repo, w.world, now, as_bytes("/b/1"), how, w.progress).error().code(), ErrorCode::kKeyNotFound);
  const auto changes = diff(*w.repo, w.world, old, now, {}, 10, how, w.progress).value();
  EXPECT_EQ(changes.added, 1u);
  EXPECT_EQ(changes.changed, 1u);
  EXPECT_EQ(changes.removed, 1u);
  ASSERT_EQ(changes.keys.size(), 3u);
  EXPECT_EQ(as_text(changes.keys[1].key), "/b/1");
  const auto health = status(*w.repo, points, "", w.clock.time).value();
  EXPECT_EQ(health.recoverability(), Recoverability::kRecoverable);
  EXPECT_EQ(health.points, 2u);
}

}  // namespace
}  // namespace lifeboat::operation
