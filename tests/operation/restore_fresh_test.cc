#include <gtest/gtest.h>

#include "operation/restore/restore_run.h"
#include "operation/restore_support.h"
#include "operation/target/workspace.h"

namespace lifeboat::operation {
namespace {

using restore_testing::entries;
using restore_testing::leftovers;
using restore_testing::look;
using restore_testing::MemoryWorld;
using restore_testing::sample_source;
using restore_testing::small_source;
using restore_testing::View;

constexpr const char* kThree = "m1=http://10.0.0.1:2380,m2=http://10.0.0.2:2380,m3=http://10.0.0.3:2380";

RestoreOptions options_for(const std::string& data_dir, const std::string& wal_dir = "") {
  RestoreOptions options;
  options.data_dir = data_dir;
  options.wal_dir = wal_dir;
  return options;
}

class RestoreFresh : public ::testing::Test {
 protected:
  Result<RestoreReport> run(const RestoreOptions& options) {
    NoProgress progress;
    return restore_fresh(m.world, source, options, progress);
  }
  MemoryWorld m;
  RestoreSource source = small_source();
};

TEST_F(RestoreFresh, BuildsAMemberThatAgreesWithItself) {
  const auto report = run(options_for("/srv/etcd"));
  ASSERT_TRUE(report) << report.error().to_string();
  const View view = look(m.files, {"/srv/etcd", ""});
  EXPECT_EQ(view.text(), fmt::format("cluster {:x}", report->cluster_id));
  EXPECT_EQ(view.member_id, report->members.at(0).id);
  EXPECT_EQ(report->live_keys, 2u);
  EXPECT_EQ(report->bumped_to, 1'000'000'003);
  EXPECT_EQ(leftovers(m.files, "/srv"), std::vector<std::string>{});
}

TEST_F(RestoreFresh, GivesFoldersAndFilesToTheirOwnerAlone) {
  ASSERT_TRUE(run(options_for("/srv/etcd", "/wal")));
  for (const char* folder : {"/srv/etcd", "/srv/etcd/member", "/srv/etcd/member/snap", "/wal"}) {
    EXPECT_EQ(m.files.stat(folder)->mode, 0700u) << folder;
  }
  for (const char* folder : {"/srv/etcd/member/snap", "/wal"}) {
    for (const io::DirEntry& entry : entries(m.files, folder)) {
      EXPECT_EQ(m.files.stat(io::join(folder, entry.name))->mode, 0600u) << entry.name;
    }
  }
}

TEST_F(RestoreFresh, GivesTheWholeTreeToTheOwnerThatIsAskedFor) {
  RestoreOptions options = options_for("/srv/etcd", "/wal");
  options.owner = {1001, 1002};
  ASSERT_TRUE(run(options));
  for (const char* path : {"/srv/etcd", "/srv/etcd/member", "/srv/etcd/member/snap/db", "/wal"}) {
    EXPECT_EQ(m.files.stat(path)->uid, 1001u) << path;
    EXPECT_EQ(m.files.stat(path)->gid, 1002u) << path;
  }
}

TEST_F(RestoreFresh, GivesTheFoldersAboveTheMembersToTheirOwnerToo) {
  ASSERT_TRUE(m.files.make_directory("/srv", 0755));
  RestoreOptions options = options_for("/srv/new/all", "/fast/new/wals");
  options.all_members = true;
  options.initial_cluster = kThree;
  options.owner = {1001, 1002};
  ASSERT_TRUE(run(options));
  for (const char* path : {"/srv/new", "/srv/new/all", "/srv/new/all/m1.etcd", "/fast", "/fast/new", "/fast/new/wals",
                           "/fast/new/wals/m3.wal"}) {
    EXPECT_EQ(m.files.stat(path)->uid, 1001u) << path;
    EXPECT_EQ(m.files.stat(path)->gid, 1002u) << path;
  }
  EXPECT_EQ(m.files.stat("/srv")->uid, 0u) << "it was there before";
}

TEST_F(RestoreFresh, GivesEmptyFoldersThatAreThereToTheOwnerThatIsAskedFor) {
  ASSERT_TRUE(m.files.make_directory("/etcd", 0700));
  ASSERT_TRUE(m.files.make_directory("/wal", 0700));
  RestoreOptions options = options_for("/etcd", "/wal");
  options.owner = {1001, 1002};
  ASSERT_TRUE(run(options));
  for (const char* path : {"/etcd", "/etcd/member", "/wal"}) EXPECT_EQ(m.files.stat(path)->uid, 1001u) << path;
}

TEST_F(RestoreFresh, KeepsTheOwnerOfAnEmptyFolderThatIsThere) {
  ASSERT_TRUE(m.files.make_directory("/etcd", 0755));
  ASSERT_TRUE(m.files.set_owner("/etcd", 33, 34));
  ASSERT_TRUE(run(options_for("/etcd")));
  EXPECT_EQ(m.files.stat("/etcd/member/snap/db")->uid, 33u);
  EXPECT_EQ(m.files.stat("/etcd")->mode, 0755u);
  EXPECT_EQ(look(m.files, {"/etcd", ""}).kind, View::Kind::kWhole);
  EXPECT_EQ(m.files.list("/etcd")->size(), 1u);
}

TEST_F(RestoreFresh, LeavesNoMarksWhenTheWalLiesElsewhere) {
  ASSERT_TRUE(run(options_for("/srv/etcd", "/wal/etcd")));
  EXPECT_EQ(look(m.files, {"/srv/etcd", "/wal/etcd"}).kind, View::Kind::kWhole);
  EXPECT_EQ(m.files.list("/srv/etcd/member")->size(), 1u);  // snap
  EXPECT_EQ(m.files.list("/wal/etcd")->size(), 1u);
  EXPECT_EQ(leftovers(m.files, "/wal"), std::vector<std::string>{});
}

TEST_F(RestoreFresh, TakesTheUsualWalFolderForNone) {
  const auto report = run(options_for("/srv/etcd", "/srv/etcd/member/wal"));
  ASSERT_TRUE(report) << report.error().to_string();
  EXPECT_EQ(look(m.files, {"/srv/etcd", ""}).kind, View::Kind::kWhole);
  EXPECT_EQ(report->members.at(0).wal_dir, "/srv/etcd/member/wal");
  EXPECT_EQ(m.files.list("/srv/etcd/member")->size(), 2u);  // snap, wal
}

TEST_F(RestoreFresh, RefusesFoldersThatCannotBothAppearBeforeItWrites) {
  struct Pair {
    const char *data, *wal;
  };
  for (const Pair& pair : {Pair{"/srv/etcd", "/srv/etcd"}, Pair{"/srv/etcd", "/srv"}, Pair{"/srv/etcd", "/"},
                           Pair{"/srv/etcd", "/srv/etcd/member"}, Pair{"/srv/etcd", "/srv/etcd/member/other"},
                           Pair{"/srv/etcd", "/srv/etcd/deep/wal"}}) {
    const auto report = run(options_for(pair.data, pair.wal));
    ASSERT_FALSE(report) << pair.wal;
    EXPECT_EQ(report.error().code(), ErrorCode::kUsage) << pair.wal;
    EXPECT_EQ(m.files.list("/")->size(), 0u) << pair.wal;
  }
  RestoreOptions options = options_for("/srv/all", "/srv/all/m1.etcd");
  options.all_members = true;
  options.initial_cluster = kThree;
  EXPECT_EQ(run(options).error().code(), ErrorCode::kUsage);
  EXPECT_EQ(m.files.list("/")->size(), 0u);
}

TEST_F(RestoreFresh, PutsAllWalsAndAllMembersIntoOneFolder) {
  RestoreOptions options = options_for("/srv/all", "/srv/all");
  options.all_members = true;
  options.initial_cluster = kThree;
  const auto report = run(options);
  ASSERT_TRUE(report) << report.error().to_string();
  for (const char* name : {"m1", "m2", "m3"}) {
    const MemberLayout layout(fmt::format("/srv/all/{}.etcd", name), fmt::format("/srv/all/{}.wal", name));
    EXPECT_EQ(look(m.files, layout).kind, View::Kind::kWhole) << name;
  }
}

TEST_F(RestoreFresh, BuildsAllMembersOfOneClusterFromOneDatabase) {
  RestoreOptions options = options_for("/srv/all");
  options.all_members = true;
  options.initial_cluster = kThree;
  const auto report = run(options);
  ASSERT_TRUE(report) << report.error().to_string();
  ASSERT_EQ(report->members.size(), 3u);
  const Bytes first = io::read_whole(m.files, "/srv/all/m1.etcd/member/snap/db", 1 << 20).value();
  for (const RestoredMember& member : report->members) {
    const View view = look(m.files, {member.data_dir, ""});
    EXPECT_EQ(view.cluster_id, report->cluster_id) << view.text();
    EXPECT_EQ(view.member_id, member.id);
    EXPECT_TRUE(equal(first, io::read_whole(m.files, io::join(member.data_dir, "member/snap/db"), 1 << 20).value()));
  }
}

TEST_F(RestoreFresh, FormsOneClusterFromThreeHostsByAPlanFile) {
  std::vector<std::uint64_t> clusters;
  for (const char* name : {"m1", "m2", "m3"}) {
    RestoreOptions options = options_for(std::string("/host-") + name + "/etcd");
    options.name = name;
    options.plan_file = "/share/plan.json";
    if (clusters.empty()) {
      options.initial_cluster = kThree;
      options.initial_advertise_peer_urls = "http://10.0.0.1:2380";
    }
    const auto report = run(options);
    ASSERT_TRUE(report) << report.error().to_string();
    clusters.push_back(report->cluster_id);
    EXPECT_EQ(look(m.files, {options.data_dir, ""}).member_id, report->members.at(0).id);
  }
  EXPECT_EQ(clusters, std::vector<std::uint64_t>(3, clusters.front()));
  const auto db = [&](const char* host) {
    return io::read_whole(m.files, std::string(host) + "/etcd/member/snap/db", 1 << 20).value();
  };
  EXPECT_TRUE(equal(db("/host-m1"), db("/host-m2")));
  EXPECT_TRUE(equal(db("/host-m1"), db("/host-m3")));
}

TEST_F(RestoreFresh, RefusesATargetThatHoldsSomething) {
  ASSERT_TRUE(m.files.make_directory("/etcd", 0700));
  ASSERT_TRUE(io::publish_file(m.files, "/etcd/precious", as_bytes("x"), 0600));
  const auto report = run(options_for("/etcd"));
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code(), ErrorCode::kTargetNotEmpty);
  EXPECT_NE(report.error().why().find("precious"), std::string::npos);
  EXPECT_EQ(m.files.list("/")->size(), 1u);
}

TEST_F(RestoreFresh, RefusesAWalFolderThatHoldsSomethingBeforeItWrites) {
  ASSERT_TRUE(m.files.make_directory("/wal", 0700));
  ASSERT_TRUE(io::publish_file(m.files, "/wal/0000000000000000-0000000000000000.wal", as_bytes("x"), 0600));
  const auto report = run(options_for("/etcd", "/wal"));
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code(), ErrorCode::kTargetNotEmpty);
  EXPECT_FALSE(io::exists(m.files, "/etcd").value());
}

TEST_F(RestoreFresh, SaysThatAnEtcdRunsOnTheTarget) {
  ASSERT_TRUE(run(options_for("/etcd")));
  const auto database = m.files.open("/etcd/member/snap/db", {}).value();
  ASSERT_TRUE(database->try_lock().value());
  const auto report = run(options_for("/etcd"));
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code(), ErrorCode::kEtcdRunning);
}

TEST_F(RestoreFresh, SaysHowMuchSpaceIsNeededAndHowMuchIsFree) {
  m.memory.set_capacity(1'000'000);
  source.facts.database_bytes = 5'000'000;
  const auto report = run(options_for("/etcd"));
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code(), ErrorCode::kNotEnoughSpace);
  EXPECT_NE(report.error().why().find("(1000000 bytes) are free"), std::string::npos) << report.error().why();
  EXPECT_FALSE(io::exists(m.files, "/etcd").value());
}

TEST_F(RestoreFresh, WritesNothingInADryRun) {
  RestoreOptions options = options_for("/srv/etcd");
  options.dry_run = true;
  options.plan_file = "/plan.json";
  m.files.arm({});
  RestoreOptions second = options;
  second.name = "m2";
  second.initial_cluster.reset();
  const auto alone = run(second);
  ASSERT_FALSE(alone) << "a host without the plan, which does not name the others";
  EXPECT_EQ(alone.error().code(), ErrorCode::kUsage);
  options.initial_cluster = "default=http://10.0.0.1:2380,m2=http://10.0.0.2:2380";
  const auto report = run(options);
  ASSERT_TRUE(report) << report.error().to_string();
  EXPECT_EQ(report->cluster_id, 0u) << "the real run draws another token";
  EXPECT_EQ(report->token, "");
  EXPECT_EQ(m.files.changes(), 0u);
  EXPECT_TRUE(report->dry_run);
  EXPECT_GE(report->plan.size(), 6u);
}

TEST_F(RestoreFresh, RefusesRecordsWhoseHashIsNotTheProvenOne) {
  source.restore_hash = 1;
  const auto report = run(options_for("/etcd"));
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code(), ErrorCode::kProofMismatch);
  EXPECT_EQ(m.files.list("/")->size(), 0u);
}

TEST_F(RestoreFresh, SynthesizesLeasesThatWereNotCaptured) {
  const auto report = run(options_for("/etcd"));
  ASSERT_TRUE(report);
  ASSERT_EQ(report->synthesized_leases.size(), 1u);
  EXPECT_NE(report->synthesized_leases[0].find("Lease 55 "), std::string::npos);
  const auto file = m.files.open("/etcd/member/snap/db", {}).value();
  const auto leases = read_database_sidecar(*file)->leases().value();
  EXPECT_EQ(leases, (std::vector<etcd::Lease>{{0x55, 3600, 0}}));
}

TEST_F(RestoreFresh, MarksBothCompactRevisionsAtTheRevisionWithoutABump) {
  RestoreOptions options = options_for("/etcd");
  options.bump = false;
  ASSERT_TRUE(run(options));
  const auto file = m.files.open("/etcd/member/snap/db", {}).value();
  const auto sidecar = read_database_sidecar(*file).value();
  EXPECT_EQ(sidecar.scheduled_compact_revision(), 3);
  EXPECT_EQ(sidecar.finished_compact_revision(), 3);
}

TEST_F(RestoreFresh, MarksTheBumpedRevisionAsCompactedSoThatEtcdNeedNotScanAtItsStart) {
  RestoreOptions options = options_for("/etcd");
  options.bump_revision = 100;
  ASSERT_TRUE(run(options));
  const auto file = m.files.open("/etcd/member/snap/db", {}).value();
  const auto sidecar = read_database_sidecar(*file).value();
  EXPECT_EQ(sidecar.scheduled_compact_revision(), 103);
  EXPECT_EQ(sidecar.finished_compact_revision(), 103);
}

TEST_F(RestoreFresh, WaitsForNobodyElsesWorkspace) {
  const Workspace other = Workspace::create(m.world, "/", workspace_prefix_beside("/etcd")).value();
  const auto report = run(options_for("/etcd"));
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code(), ErrorCode::kTargetNotEmpty);
  EXPECT_TRUE(io::exists(m.files, other.path()).value());
}

// ---- crashes ----

struct Shape {
  std::string name;
  std::string wal_dir;  // empty: where etcd looks by itself
  bool empty_folders, all_members;
  bool two_steps = false;  // data directory and WAL cannot appear at once: etcd refuses to start in between
};

class RestoreFreshCrash : public ::testing::TestWithParam<Shape> {
 protected:
  static void prepare(MemoryWorld& m) {
    ASSERT_TRUE(io::make_directories(m.memory, "/srv", 0700));
    ASSERT_TRUE(io::make_directories(m.memory, "/fast", 0700));
    if (!GetParam().empty_folders) return;
    ASSERT_TRUE(io::make_directories(m.memory, "/srv/etcd", 0700));
    ASSERT_TRUE(io::make_directories(m.memory, "/fast/wal", 0700));
  }
  static RestoreOptions options() {
    RestoreOptions options = options_for("/srv/etcd", GetParam().wal_dir);
    options.all_members = GetParam().all_members;
    if (options.all_members) options.initial_cluster = kThree;
    return options;
  }
  static std::vector<MemberLayout> members() {
    const std::string wal = options().wal_dir;
    if (!GetParam().all_members) return {{"/srv/etcd", wal}};
    std::vector<MemberLayout> layouts;
    for (const char* name : {"m1", "m2", "m3"}) {
      layouts.emplace_back(fmt::format("/srv/etcd/{}.etcd", name),
                           wal.empty() ? "" : fmt::format("{}/{}.wal", wal, name));
    }
    return layouts;
  }
};

TEST_P(RestoreFreshCrash, LeavesNothingOrARefusalOrTheWholeAndCanBeRunAgain) {
  const RestoreSource source = small_source();
  NoProgress progress;
  std::uint64_t changes = 0;
  {
    MemoryWorld m;
    prepare(m);
    m.files.arm({});
    ASSERT_TRUE(restore_fresh(m.world, source, options(), progress));
    changes = m.files.changes();
  }
  ASSERT_GT(changes, 20u);
  std::size_t refused = 0, whole = 0;
  for (std::uint64_t at = 0; at < changes; ++at) {
    for (const io::CrashMode mode : io::kCrashModes) {
      MemoryWorld m;
      prepare(m);
      m.files.arm({.at = at});
      ASSERT_FALSE(restore_fresh(m.world, source, options(), progress)) << at;
      const std::string where = fmt::format("cut at {}, crash mode {}", m.files.describe(at), static_cast<int>(mode));
      m.files.arm({});
      m.memory.crash(mode, at);
      bool any_whole = false;
      for (const MemberLayout& layout : members()) {
        const View view = look(m.files, layout);
        ASSERT_NE(view.kind, View::Kind::kMixture) << where << ": " << view.text();
        ASSERT_TRUE(view.kind != View::Kind::kRefuses || GetParam().two_steps) << where;
        any_whole = any_whole || view.kind == View::Kind::kWhole;
        refused += view.kind == View::Kind::kRefuses;
      }
      whole += any_whole;
      const auto again = restore_fresh(m.world, source, options(), progress);
      ASSERT_EQ(again.has_value(), !any_whole) << where << (again ? "" : ": " + again.error().to_string());
      if (!again) {
        ASSERT_EQ(again.error().code(), ErrorCode::kTargetNotEmpty) << where;
      }
      for (const MemberLayout& layout : members()) {
        ASSERT_EQ(look(m.files, layout).kind, View::Kind::kWhole) << where << ": " << look(m.files, layout).text();
      }
      for (const char* folder : {"/srv", "/srv/etcd", "/fast", "/fast/wal"}) {
        ASSERT_EQ(leftovers(m.files, folder), std::vector<std::string>{}) << where << " in " << folder;
      }
    }
  }
  EXPECT_EQ(refused > 0, GetParam().two_steps);
  EXPECT_GT(whole, 0u);
}

INSTANTIATE_TEST_SUITE_P(Shapes, RestoreFreshCrash,
                         ::testing::Values(Shape{"NewFolder", "", false, false}, Shape{"EmptyFolder", "", true, false},
                                           Shape{"WalElsewhere", "/fast/wal", false, false, true},
                                           Shape{"EmptyFoldersAndWalElsewhere", "/fast/wal", true, false, true},
                                           Shape{"WalInTheNewFolder", "/srv/etcd/wal", false, false},
                                           Shape{"WalInTheEmptyFolder", "/srv/etcd/wal", true, false, true},
                                           Shape{"AllMembers", "", false, true},
                                           Shape{"AllMembersInAnEmptyFolder", "", true, true},
                                           Shape{"AllMembersAndWalElsewhere", "/fast/wal", false, true, true},
                                           Shape{"AllMembersAndWalsInOneFolder", "/srv/etcd/wal", true, true}),
                         [](const auto& shape) { return shape.param.name; });

}  // namespace
}  // namespace lifeboat::operation
