#include "operation/restore/restore_in_place.h"
#include "operation/restore/undo_in_place.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "operation/restore/restore_etcd.h"
#include "operation/restore_support.h"
#include "operation/target/in_place_swap.h"
#include "support/recording_progress.h"
#include "support/temp_dir.h"

namespace lifeboat::operation {
namespace {

using restore_testing::entries;
using restore_testing::leftovers;
using restore_testing::look;
using restore_testing::MemoryWorld;
using restore_testing::sample_source;
using restore_testing::small_source;
using restore_testing::View;

constexpr const char* kDataDir = "/srv/etcd";

RestoreOptions options_for(bool wal_elsewhere) {
  RestoreOptions options;
  options.data_dir = kDataDir;
  if (wal_elsewhere) options.wal_dir = "/fast/wal";
  return options;
}

MemberLayout layout_for(bool wal_elsewhere) { return {kDataDir, wal_elsewhere ? "/fast/wal" : ""}; }

RestoreSource other_source() { return sample_source({{"/c", "third", 7, 0}}, 7); }

// A member named n1 that ran before and is stopped now; the id of its cluster.
std::uint64_t make_old_member(MemoryWorld& m, bool wal_elsewhere) {
  NoProgress progress;
  RestoreOptions options = options_for(wal_elsewhere);
  options.name = "n1";
  options.initial_cluster = "n1=http://10.0.0.1:2380";
  options.initial_advertise_peer_urls = "http://10.0.0.1:2380";
  options.initial_cluster_token = "old";
  options.owner = {42, 43};
  return restore_fresh(m.world, small_source(), options, progress).value().cluster_id;
}

std::vector<std::string> kept_trees(MemoryWorld& m) {
  std::vector<std::string> trees;
  for (const io::DirEntry& entry : entries(m.files, "/srv")) {
    if (entry.name.starts_with("etcd.lifeboat-")) trees.push_back("/srv/" + entry.name);
  }
  return trees;
}

class RestoreInPlace : public ::testing::TestWithParam<bool> {
 protected:
  Result<RestoreReport> run(RestoreOptions options) {
    NoProgress progress;
    return restore_in_place(m.world, other_source(), std::move(options), progress);
  }
  RestoreOptions options() const { return options_for(GetParam()); }
  View view() { return look(m.files, layout_for(GetParam())); }

  MemoryWorld m;
  std::uint64_t old_cluster = make_old_member(m, GetParam());
};

// Of a log inside there is nothing to ask: it is swapped with its member.
class LogElsewhere : public RestoreInPlace {};

TEST_P(RestoreInPlace, SwapsTheDataAndKeepsTheOldTree) {
  const auto report = run(options());
  ASSERT_TRUE(report) << report.error().to_string();
  EXPECT_EQ(view().text(), fmt::format("cluster {:x}", report->cluster_id));
  EXPECT_NE(report->cluster_id, old_cluster);
  const auto record = decode_record(*read_mark(m.files, layout_for(GetParam())).value());
  ASSERT_TRUE(record);
  EXPECT_EQ(report->replaced_dir, record->kept_path(kDataDir));
  EXPECT_EQ(look(m.files, trees_of(kDataDir, *record).kept).cluster_id, old_cluster);
  EXPECT_TRUE(report->replaced_dir.starts_with("/srv/etcd.lifeboat-2026")) << report->replaced_dir;
  EXPECT_EQ(leftovers(m.files, "/srv"), std::vector<std::string>{});
  EXPECT_EQ(leftovers(m.files, kDataDir), std::vector<std::string>{});
}

TEST_P(RestoreInPlace, TakesNameUrlsAndOwnerFromTheMember) {
  const auto report = run(options());
  ASSERT_TRUE(report);
  EXPECT_EQ(report->members.at(0).name, "n1");
  EXPECT_EQ(m.files.stat("/srv/etcd/member/snap/db")->uid, 42u);
  const auto file = m.files.open("/srv/etcd/member/snap/db", {}).value();
  const auto members = read_database_sidecar(*file)->members().value();
  ASSERT_EQ(members.size(), 1u);
  EXPECT_EQ(members[0].peer_urls, std::vector<std::string>{"http://10.0.0.1:2380"});
}

TEST_P(RestoreInPlace, SaysWhenTheDataWasThatOfAMemberOfAnotherName) {
  RestoreOptions named = options();
  named.initial_cluster = "n1=http://10.0.0.1:2380,n2=http://10.0.0.2:2380";
  named.initial_cluster_token = "shared";
  named.dry_run = true;
  const auto warns = [&](const std::string& name, const std::string& url) {
    named.name = name;
    named.initial_advertise_peer_urls = url;
    const auto report = run(named);
    EXPECT_TRUE(report) << report.error().to_string();
    return report && std::ranges::any_of(report->warnings, [](const std::string& warning) {
             return warning.find("was that of member n1, and n2") != std::string::npos;
           });
  };
  EXPECT_TRUE(warns("n2", "http://10.0.0.2:2380"));
  EXPECT_FALSE(warns("n1", "http://10.0.0.1:2380"));
}

TEST_P(RestoreInPlace, IsUndoneAndKeepsTheRestoredTreeThen) {
  const auto report = run(options());
  ASSERT_TRUE(report);
  const auto undone = undo_in_place(m.world, kDataDir, options().wal_dir);
  ASSERT_TRUE(undone) << undone.error().to_string();
  EXPECT_EQ(view().cluster_id, old_cluster) << view().text();
  ASSERT_EQ(kept_trees(m).size(), 1u);
  const std::string kept_wal = GetParam() ? "/fast/wal" + kept_trees(m)[0].substr(9) : "";
  EXPECT_EQ(look(m.files, {kept_trees(m)[0], kept_wal}).cluster_id, report->cluster_id);
  const auto again = undo_in_place(m.world, kDataDir, options().wal_dir);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code(), ErrorCode::kNothingToUndo);
}

TEST_P(RestoreInPlace, SaysThatAnInterruptedRestoreHadBeenComplete) {
  m.files.arm({});
  ASSERT_TRUE(run(options()));
  const auto changes = m.files.trace();
  const auto removal = std::ranges::find_if(changes, [](const io::FaultTraceEntry& change) {
    return change.operation == "remove" && change.path == journal_path(kDataDir);
  });
  ASSERT_NE(removal, changes.end());
  MemoryWorld other;
  make_old_member(other, GetParam());
  lifeboat::testing::RecordingProgress progress;
  const auto restore = [&] { return restore_in_place(other.world, other_source(), options(), progress); };
  other.files.arm({.at = static_cast<std::uint64_t>(removal - changes.begin())});  // cut there
  static_cast<void>(restore());
  ASSERT_TRUE(other.files.fault_happened());
  other.files.arm({});
  EXPECT_THAT(progress.sentences, ::testing::IsEmpty());
  ASSERT_TRUE(restore());
  EXPECT_THAT(progress.sentences, ::testing::Contains(::testing::HasSubstr(
                                      "had been complete, and keeps what it replaced in /srv/etcd.lifeboat-")));
  EXPECT_EQ(kept_trees(other).size(), 2u);
}

TEST_P(RestoreInPlace, UndoesTwoSwapsOneAfterTheOther) {
  ASSERT_TRUE(run(options()));
  const std::uint64_t first = view().cluster_id;
  ASSERT_TRUE(run(options()));
  EXPECT_NE(view().cluster_id, first);
  ASSERT_TRUE(undo_in_place(m.world, kDataDir, options().wal_dir));
  EXPECT_EQ(view().cluster_id, first);
  ASSERT_TRUE(undo_in_place(m.world, kDataDir, options().wal_dir));
  EXPECT_EQ(view().cluster_id, old_cluster);
}

TEST_P(RestoreInPlace, ContinuesAboveWhatTheOldDatabaseHad) {
  const auto first = run(options());
  ASSERT_TRUE(first);
  const auto second = run(options());
  ASSERT_TRUE(second);
  EXPECT_EQ(second->bumped_to, first->bumped_to + 1'000'000'000);
}

TEST_P(RestoreInPlace, RefusesWhileAnEtcdHoldsTheDatabase) {
  const auto database = m.files.open("/srv/etcd/member/snap/db", {}).value();
  ASSERT_TRUE(database->try_lock().value());
  m.files.arm({});
  const auto report = run(options());
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code(), ErrorCode::kEtcdRunning);
  EXPECT_EQ(m.files.changes(), 0u);
}

TEST_P(RestoreInPlace, RefusesWhenTheWalIsNotWhereItIsSaidToBe) {
  RestoreOptions options = options_for(!GetParam());
  const auto report = run(options);
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code(), ErrorCode::kUsage);
  EXPECT_EQ(view().cluster_id, old_cluster);
}

// Another stopped member, whose WAL lies elsewhere too.
void make_other_member(MemoryWorld& m) {
  NoProgress progress;
  RestoreOptions options;
  options.data_dir = "/srv/other";
  options.wal_dir = "/fast/other";
  options.name = "n9";
  options.initial_cluster = "n9=http://10.0.0.9:2380";
  options.initial_advertise_peer_urls = "http://10.0.0.9:2380";
  ASSERT_TRUE(restore_fresh(m.world, small_source(), options, progress));
}

TEST_P(RestoreInPlace, RefusesTheWriteAheadLogOfAnotherMember) {
  make_other_member(m);
  RestoreOptions wrong = options();
  wrong.wal_dir = "/fast/other";
  m.files.arm({});
  const auto report = run(wrong);
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code(), ErrorCode::kForeignWal) << report.error().to_string();
  EXPECT_NE(report.error().why().find("and the members known here are"), std::string::npos);
  EXPECT_EQ(m.files.changes(), 0u);
}

TEST_P(RestoreInPlace, TakesTheMemberIdsOfRaftsSnapshotWhereTheDatabaseIsDamaged) {
  make_other_member(m);
  const std::string database = "/srv/etcd/member/snap/db";
  ASSERT_TRUE(m.memory.remove_file(database));
  ASSERT_TRUE(io::publish_file(m.memory, database, as_bytes("no database"), 0600));
  RestoreOptions named = options();
  named.name = "n1";
  named.initial_cluster = "n1=http://10.0.0.1:2380";
  named.initial_advertise_peer_urls = "http://10.0.0.1:2380";
  named.wal_dir = "/fast/other";
  const auto foreign = run(named);
  ASSERT_FALSE(foreign);
  EXPECT_EQ(foreign.error().code(), ErrorCode::kForeignWal) << foreign.error().to_string();
  named.wal_dir = options().wal_dir;
  const auto own = run(named);
  ASSERT_TRUE(own) << own.error().to_string();
}

TEST_P(LogElsewhere, WarnsWhereNothingTellsWhoseLogItIs) {
  ASSERT_TRUE(io::remove_tree(m.memory, "/srv/etcd/member/snap"));
  RestoreOptions named = options();
  named.name = "n1";
  named.initial_cluster = "n1=http://10.0.0.1:2380";
  named.initial_advertise_peer_urls = "http://10.0.0.1:2380";
  named.dry_run = true;
  const auto report = run(named);
  ASSERT_TRUE(report) << report.error().to_string();
  ASSERT_FALSE(report->warnings.empty());
  EXPECT_NE(report->warnings.front().find("whether /fast/wal is its write-ahead log"), std::string::npos);
}

TEST_P(LogElsewhere, RefusesALogElsewhereThatCannotBeRead) {
  for (const io::DirEntry& entry : entries(m.files, "/fast/wal")) {
    const std::string path = "/fast/wal/" + entry.name;
    ASSERT_TRUE(m.memory.remove_file(path));
    ASSERT_TRUE(io::publish_file(m.memory, path, Bytes(4096, std::byte{0x5a}), 0600));
  }
  const auto report = run(options());
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code(), ErrorCode::kForeignWal) << report.error().to_string();
}

// Where a database or its folder is a link, etcd runs on what it leads to.
TEST(RestoreInPlaceLinks, AreRefusedBeforeAnythingIsWritten) {
  for (const std::string linked : {"member/snap/db", "member/snap"}) {
    const lifeboat::testing::TempDir directory;
    const auto files = io::posix_file_system();
    const auto processes = io::system_process();
    restore_testing::FakeClock clock;
    restore_testing::CountingRandom random;
    io::World world{*files, clock, random, *processes};
    NoProgress progress;
    RestoreOptions options;
    options.data_dir = directory / "etcd";
    ASSERT_TRUE(restore_fresh(world, small_source(), options, progress));
    const std::string place = options.data_dir + "/" + linked;
    std::filesystem::rename(place, directory / "real");
    std::filesystem::create_symlink("../../" + std::string(linked == "member/snap" ? "" : "../") + "real", place);
    const auto before = files->list(options.data_dir).value().size();
    const auto report = restore_in_place(world, other_source(), options, progress);
    ASSERT_FALSE(report) << linked;
    EXPECT_EQ(report.error().code(), ErrorCode::kUsage);
    EXPECT_NE(report.error().why().find(place + " is a symbolic link"), std::string::npos) << report.error().why();
    EXPECT_TRUE(std::filesystem::is_symlink(place));
    EXPECT_EQ(files->list(options.data_dir).value().size(), before);
    EXPECT_EQ(files->list(directory.path().string()).value().size(), 2u) << "nothing is kept beside it";
  }
}

TEST_P(RestoreInPlace, WritesNothingInADryRun) {
  RestoreOptions dry = options();
  dry.dry_run = true;
  m.files.arm({});
  const auto report = run(dry);
  ASSERT_TRUE(report);
  EXPECT_EQ(m.files.changes(), 0u);
  EXPECT_TRUE(report->plan.back().starts_with("Exchange the member folder"));
}

TEST_P(RestoreInPlace, TakesBackWhatItBeganWhenOneStepFails) {
  std::size_t failed = 0;
  for (std::uint64_t at = 0;; ++at) {
    MemoryWorld one;
    const std::uint64_t old_id = make_old_member(one, GetParam());
    NoProgress progress;
    one.files.arm({.at = at, .and_all_later = false});
    const auto report = restore_in_place(one.world, other_source(), options(), progress);
    if (!one.files.fault_happened()) break;
    const std::string where = one.files.describe(at);
    const View now = look(one.files, layout_for(GetParam()));
    failed += !report;
    if (!report) {
      ASSERT_TRUE(now.kind == View::Kind::kWhole || now.kind == View::Kind::kRefuses) << where << ": " << now.text();
    } else {
      ASSERT_EQ(now.cluster_id, report->cluster_id) << where << ": " << now.text();
    }
    one.files.arm({});
    const auto again = restore_in_place(one.world, other_source(), options(), progress);
    ASSERT_TRUE(again) << where << ": " << again.error().to_string();
    ASSERT_NE(look(one.files, layout_for(GetParam())).cluster_id, old_id) << where;
  }
  EXPECT_GT(failed, 10u);
}

// ---- crashes ----

struct Cut {
  std::string where;
  View view;
};

// Runs `body` on a fresh old member (restored over when `restored`), cut at every change in every crash mode; `then`
// sees the world after the crash.
void cut_everywhere(bool wal_elsewhere, bool restored, const std::function<Status(MemoryWorld&)>& body,
                    const std::function<void(MemoryWorld&, const Cut&, std::uint64_t, std::uint64_t)>& then) {
  NoProgress progress;
  for (std::uint64_t at = 0;; ++at) {
    bool cut_happened = true;
    for (const io::CrashMode mode : io::kCrashModes) {
      MemoryWorld m;
      const std::uint64_t old_id = make_old_member(m, wal_elsewhere);
      std::uint64_t new_id = 0;
      if (restored) {
        new_id = restore_in_place(m.world, other_source(), options_for(wal_elsewhere), progress).value().cluster_id;
      }
      m.files.arm({.at = at});
      static_cast<void>(body(m));
      cut_happened = m.files.fault_happened();
      if (!cut_happened) break;
      const std::string where = fmt::format("cut at {}, crash mode {}", m.files.describe(at), static_cast<int>(mode));
      m.files.arm({});
      m.memory.crash(mode, at * 31 + 7);
      then(m, {where, look(m.files, layout_for(wal_elsewhere))}, old_id, new_id);
      if (::testing::Test::HasFatalFailure()) return;
    }
    if (!cut_happened) {
      ASSERT_GT(at, 5u);
      return;
    }
  }
}

class InPlaceCrash : public ::testing::TestWithParam<bool> {
 protected:
  static Status restore(MemoryWorld& m) {
    NoProgress progress;
    const auto report = restore_in_place(m.world, other_source(), options_for(GetParam()), progress);
    if (!report) return std::unexpected(report.error());
    return {};
  }
  static Status undo(MemoryWorld& m) {
    const auto report = undo_in_place(m.world, kDataDir, options_for(GetParam()).wal_dir);
    if (!report) return std::unexpected(report.error());
    return {};
  }
  static View view(MemoryWorld& m) { return look(m.files, layout_for(GetParam())); }
  // The old data is live or kept, whole.
  static bool has_tree(MemoryWorld& m, std::uint64_t cluster) {
    if (view(m).cluster_id == cluster) return true;
    for (const std::string& tree : kept_trees(m)) {
      const std::string wal = GetParam() ? "/fast/wal" + tree.substr(9) : "";
      if (look(m.files, {tree, wal}).cluster_id == cluster) return true;
    }
    return false;
  }
  static void expect_clean(MemoryWorld& m, const std::string& where) {
    for (const char* folder : {"/srv", kDataDir, "/fast"}) {
      ASSERT_EQ(leftovers(m.files, folder), std::vector<std::string>{}) << where << " in " << folder;
    }
  }
};

TEST_P(InPlaceCrash, OfARestoreLeavesOneWholeStateOrARefusalAndRunsAgain) {
  std::size_t refused = 0;
  cut_everywhere(GetParam(), false, restore, [&](MemoryWorld& m, const Cut& cut, std::uint64_t old_id, std::uint64_t) {
    ASSERT_NE(cut.view.kind, View::Kind::kMixture) << cut.where << ": " << cut.view.text();
    ASSERT_NE(cut.view.kind, View::Kind::kNothing) << cut.where;
    ASSERT_TRUE(cut.view.kind == View::Kind::kWhole || GetParam()) << cut.where;
    refused += cut.view.kind == View::Kind::kRefuses;
    const Status again = restore(m);
    ASSERT_TRUE(again) << cut.where << ": " << again.error().to_string();
    ASSERT_EQ(view(m).kind, View::Kind::kWhole) << cut.where << ": " << view(m).text();
    ASSERT_NE(view(m).cluster_id, old_id) << cut.where;
    ASSERT_TRUE(has_tree(m, old_id)) << cut.where;
    expect_clean(m, cut.where);
  });
  EXPECT_EQ(refused > 0, GetParam());
}

TEST_P(InPlaceCrash, OfARestoreCanBeUndoneToTheOldData) {
  cut_everywhere(GetParam(), false, restore, [&](MemoryWorld& m, const Cut& cut, std::uint64_t old_id, std::uint64_t) {
    const Status undone = undo(m);
    if (!undone) {
      ASSERT_EQ(undone.error().code(), ErrorCode::kNothingToUndo) << cut.where << ": " << undone.error().to_string();
    }
    ASSERT_EQ(view(m).cluster_id, old_id) << cut.where << ": " << view(m).text();
  });
}

TEST_P(InPlaceCrash, OfAnUndoLeavesOneWholeStateOrARefusalAndRunsAgain) {
  std::size_t refused = 0;
  cut_everywhere(GetParam(), true, undo,
                 [&](MemoryWorld& m, const Cut& cut, std::uint64_t old_id, std::uint64_t new_id) {
                   ASSERT_NE(cut.view.kind, View::Kind::kMixture) << cut.where << ": " << cut.view.text();
                   ASSERT_NE(cut.view.kind, View::Kind::kNothing) << cut.where;
                   ASSERT_TRUE(cut.view.kind == View::Kind::kWhole || GetParam()) << cut.where;
                   refused += cut.view.kind == View::Kind::kRefuses;
                   const Status again = undo(m);
                   if (!again) {
                     ASSERT_EQ(again.error().code(), ErrorCode::kNothingToUndo) << cut.where;
                   }
                   ASSERT_EQ(view(m).cluster_id, old_id) << cut.where << ": " << view(m).text();
                   ASSERT_TRUE(has_tree(m, new_id)) << cut.where;
                   expect_clean(m, cut.where);
                 });
  EXPECT_EQ(refused > 0, GetParam());
}

INSTANTIATE_TEST_SUITE_P(Wal, RestoreInPlace, ::testing::Bool(),
                         [](const auto& elsewhere) { return elsewhere.param ? "Elsewhere" : "Inside"; });
INSTANTIATE_TEST_SUITE_P(Wal, LogElsewhere, ::testing::Values(true));
INSTANTIATE_TEST_SUITE_P(Wal, InPlaceCrash, ::testing::Bool(),
                         [](const auto& elsewhere) { return elsewhere.param ? "Elsewhere" : "Inside"; });

}  // namespace
}  // namespace lifeboat::operation
