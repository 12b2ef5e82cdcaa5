// A plan file that several hosts share, while the repo that they restore from goes on.
#include "operation/backup_support.h"
#include "operation/database/database_sidecar.h"
#include "operation/restore/plan_file.h"
#include "operation/restore/restore_etcd.h"
#include "repository/captured_support.h"
#include "repository/store/manifest_store.h"

namespace lifeboat::operation {
namespace {

using namespace backup_testing;
using repository::testing::commit_of;

constexpr const char* kPlan = "/share/plan.json";
constexpr const char* kThree = "m1=http://10.0.0.1:2380,m2=http://10.0.0.2:2380,m3=http://10.0.0.3:2380";

class SharedPlanFile : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(w.init());
    go_on();
    const auto report = w.import_model(model);
    ASSERT_TRUE(report) << why_not(report);
    lineage = report->lineage;
  }
  void go_on() { write_some(model, random, 12, 5); }

  // A lease is granted while the store stands still.
  void capture(std::int64_t lo, std::int64_t lease) {
    manifest::CaptureCommit commit = commit_of(lineage, lo, model.revision);
    const Bytes value = etcd::encode_lease({.id = lease, .ttl_seconds = 60});
    commit.changes = {{model.revision, model.revision, "lease", etcd::lease_key(lease), value}};
    ASSERT_TRUE(repository::testing::publish(*w.repo, w.world, model, commit));
  }

  Catalogue::Target resolve(const Catalogue& catalogue, const std::string& name) {
    const auto target = catalogue.resolve(name, "", w.clock.time);
    EXPECT_TRUE(target) << why_not(target);
    return *target;
  }
  Result<RestoreReport> restore(const std::string& host, const std::string& to) {
    RestoreOptions options;
    options.data_dir = "/" + host;
    options.name = host;
    options.initial_cluster = kThree;
    options.plan_file = kPlan;
    options.limits.spool_directory = "/";
    options.limits.threads = 1;
    const Catalogue catalogue = w.catalogue();
    return restore_etcd(*w.repo, w.world, resolve(catalogue, to), options, w.progress);
  }
  std::vector<etcd::Lease> leases_of(const std::string& host) {
    const auto file = w.files.open("/" + host + "/member/snap/db", {}).value();
    return read_database_sidecar(*file)->leases().value();
  }

  RepoWorld w;
  MvccModel model;
  std::mt19937 random{11};
  LineageId lineage;
};

TEST_F(SharedPlanFile, DecidesWhatLatestMeansOnceItIsThere) {
  const auto first = restore("m1", "latest");
  ASSERT_TRUE(first) << why_not(first);
  const std::int64_t revision = model.revision;
  go_on();
  ASSERT_TRUE(w.import_model(model));

  const Catalogue catalogue = w.catalogue();
  const Catalogue::Target latest = resolve(catalogue, "latest");
  ASSERT_EQ(latest.revision, model.revision);
  const auto planned = planned_target(*w.repo, w.world, catalogue, latest, kPlan);
  ASSERT_TRUE(planned) << why_not(planned);
  ASSERT_TRUE(*planned);
  EXPECT_EQ((*planned)->target.revision, revision);
  EXPECT_EQ((*planned)->target.point->id, first->point);
  for (const std::string& named : {first->point, latest.point->id, std::to_string(revision), std::string(kPlan)})
    EXPECT_NE((*planned)->sentence.find(named), std::string::npos) << (*planned)->sentence;
}

TEST_F(SharedPlanFile, LeavesATargetAsItIsNamedWithoutAPlanOrInAnotherHistory) {
  const auto planned_for = [&](const Catalogue::Target& named) {
    return planned_target(*w.repo, w.world, w.catalogue(), named, kPlan).value().has_value();
  };
  EXPECT_FALSE(planned_for(resolve(w.catalogue(), "latest"))) << "there is no plan yet";
  ASSERT_TRUE(restore("m1", "latest"));
  EXPECT_FALSE(planned_for(resolve(w.catalogue(), "latest"))) << "it says the same";

  // What was restored lives on in a lineage of its own.
  MvccModel other;
  std::mt19937 else_random{77};
  write_some(other, else_random, 40, 5);
  ASSERT_TRUE(w.import_model(other));
  const Catalogue catalogue = w.catalogue();
  const Catalogue::Target latest = resolve(catalogue, "latest");
  ASSERT_NE(latest.point->manifest.lineage.id, lineage);
  EXPECT_FALSE(planned_for(latest));
}

// The quorum of the first two hosts runs and is backed up before the third is restored.
TEST_F(SharedPlanFile, DecidesAlsoOnceTheClusterThatItFoundedIsBackedUp) {
  const auto first = restore("m1", "latest");
  ASSERT_TRUE(first) << why_not(first);
  ASSERT_TRUE(restore("m2", "latest"));
  manifest::Manifest founded = w.catalogue().newest_of(lineage)->manifest;
  const std::int64_t revision = founded.revision;
  founded.lineage = {};
  founded.lineage.id.bytes[0] = std::byte{0x77};
  founded.lineage.reason = "the cluster id changed";
  founded.source.kind = "snapshot";
  founded.source.cluster_id = etcd::id_text(first->cluster_id);
  founded.earliest = founded.latest = Timestamp{w.clock.time.ns + 1};
  const auto sidecar = repository::read_sidecar(*w.repo, w.catalogue().newest_of(lineage)->object);
  const auto publish = [&] { ASSERT_TRUE(repository::publish_manifest(*w.repo, w.world, founded, sidecar->encode())); };
  publish();  // by the id alone
  const auto planned_for_latest = [&] {
    const Catalogue catalogue = w.catalogue();
    const Catalogue::Target latest = resolve(catalogue, "latest");
    EXPECT_EQ(latest.point->manifest.lineage.id, founded.lineage.id);
    const auto planned = planned_target(*w.repo, w.world, catalogue, latest, kPlan);
    EXPECT_TRUE(planned) << why_not(planned);
    return planned && *planned ? (*planned)->target.point->id : std::string("nothing is planned");
  };
  EXPECT_EQ(planned_for_latest(), first->point);

  founded.lineage.id.bytes[0] = std::byte{0x78};
  founded.lineage.parent = lineage;
  founded.lineage.parent_revision = revision;
  founded.source.cluster_id = "1234";
  founded.latest.ns += 1;
  publish();  // by descent alone
  EXPECT_EQ(planned_for_latest(), first->point);
}

// Writes a file at the first random bytes that are drawn: a plan file that another host was quicker with.
class OvertakingRandom final : public io::Random {
 public:
  OvertakingRandom(RepoWorld& w, std::function<void()> work) : w_(w), work_(std::move(work)) {}
  void fill(MutableByteView out) override {
    if (work_) std::exchange(work_, {})();
    w_.random.fill(out);
  }

 private:
  RepoWorld& w_;
  std::function<void()> work_;
};

TEST_F(SharedPlanFile, OfAHostThatWasQuickerIsTakenByTheOther) {
  const auto first = restore("m1", "latest");
  ASSERT_TRUE(first) << why_not(first);
  const Bytes plan = io::read_whole(w.files, kPlan, 1 << 20).value();
  ASSERT_TRUE(w.memory.remove_file(kPlan));
  OvertakingRandom drawn(w, [&] { w.place(kPlan, plan); });
  io::World world{w.files, w.clock, drawn, w.processes};
  RestoreOptions options;
  options.data_dir = "/m2";
  options.name = "m2";
  options.initial_cluster = kThree;
  options.plan_file = kPlan;
  options.limits.spool_directory = "/";
  options.limits.threads = 1;
  const Catalogue catalogue = w.catalogue();
  const auto second = restore_etcd(*w.repo, world, resolve(catalogue, "latest"), options, w.progress);
  ASSERT_TRUE(second) << why_not(second);
  EXPECT_EQ(second->cluster_id, first->cluster_id);
  EXPECT_EQ(second->token, first->token);
}

TEST_F(SharedPlanFile, RefusesAHostThatWouldGetOtherLeases) {
  const std::int64_t lo = model.revision;
  go_on();
  capture(lo, 0x11);
  ASSERT_TRUE(restore("m1", "latest"));
  EXPECT_EQ(leases_of("m1"), (std::vector<etcd::Lease>{{0x11, 60, 0}}));
  ASSERT_TRUE(restore("m2", "latest"));

  capture(model.revision, 0x22);
  const auto third = restore("m3", "latest");
  ASSERT_FALSE(third) << leases_of("m3").size() << " leases";
  EXPECT_EQ(third.error().code(), ErrorCode::kPlanMismatch);
  EXPECT_NE(third.error().fix().find("--member all"), std::string::npos) << third.error().fix();
  EXPECT_FALSE(io::exists(w.files, "/m3").value());
}

TEST_F(SharedPlanFile, OfAnEarlierVersionPinsNoLeases) {
  const std::int64_t lo = model.revision;
  go_on();
  capture(lo, 0x11);
  ASSERT_TRUE(restore("m1", "latest"));
  SharedPlan plan = *read_plan_file(w.files, kPlan).value();
  EXPECT_EQ(plan.sidecar.size(), 64u);
  plan.sidecar.clear();
  w.place(kPlan, encode_plan(plan));
  capture(model.revision, 0x22);
  ASSERT_TRUE(restore("m2", "latest"));
  EXPECT_EQ(leases_of("m2").size(), 2u) << "not those of m1";
}

}  // namespace
}  // namespace lifeboat::operation
