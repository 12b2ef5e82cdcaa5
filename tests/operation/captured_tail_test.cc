// A repo behind a tail, as another host sees it: each point there can be restored there.
#include "capture_support.h"
#include "operation/backup/backup_etcd.h"
#include "repository/store/tail_store.h"
#include "storage/forwarding_store.h"

namespace lifeboat::operation {
namespace {

using namespace capture_testing;

// Takes everything but captured segments while `slow`.
class SlowStore final : public storage::ForwardingStore {
 public:
  using ForwardingStore::ForwardingStore;
  std::atomic<bool> slow = false;

 protected:
  Status before(const storage::StoreCall& call) override {
    const bool is_flush = call.name.starts_with("s/") && call.name.find("/0/") != std::string::npos;
    if (!slow || call.operation != storage::StoreOperation::kPublish || !is_flush) return {};
    return fail(ErrorCode::kStorageFailed, "cannot put a segment", "it is slow");
  }
};

struct TailedRepo : CaptureRepo {
  TailedRepo() {
    auto through = std::make_unique<SlowStore>(*store);
    beneath = through.get();
    tail = std::make_unique<repository::TailStore>(
        std::move(through), files, lifeboat::testing::real_clock(),
        repository::TailOptions{.directory = "/tail", .retry = std::chrono::milliseconds(1)});
    EXPECT_TRUE(tail->begin([](ByteView) -> Status { return {}; }));
    using namespace repository::testing;
    repo = repository::Repository::open(*tail, key_file(kKeyFileText)).value();
  }
  // What a host without the tail reads at `latest`.
  Result<std::size_t> keys_elsewhere() {
    using namespace repository::testing;
    const auto there = TRY(repository::Repository::open(*store, key_file(kKeyFileText)));
    const auto all = TRY(repository::Catalogue::load(*there));
    const auto target = TRY(all.resolve("latest", "", clock->now()));
    auto log = TRY(repository::LogReader::open(*there, world, target.point->manifest,
                                               {.revision = target.revision,
                                                .compaction = -1,
                                                .limits = {.threads = 1, .spool_directory = "/"},
                                                .check = false},
                                               progress));
    std::size_t keys = 0;
    repository::SeenRecord seen;
    while (TRY(log->next(seen))) keys += seen.visible && !seen.record.key.tombstone;
    return keys;
  }

  SlowStore* beneath = nullptr;
  std::unique_ptr<repository::TailStore> tail;
};

TEST(CapturedTail, ASnapshotOverSegmentsThatWaitIsNoPointBeforeTheyAreInTheRepo) {
  EtcdCluster cluster;
  cluster.start();
  cluster.etcdctl_ok({"put", "first", "x"});
  TailedRepo r;
  const auto client = source::Client::make(options_of(cluster), lifeboat::testing::real_clock()).value();
  CaptureRun run(r, cluster);
  ASSERT_TRUE(run.wait_for(Kind::kFollowing)) << run.story();
  ASSERT_TRUE(r.tail->wait_empty(std::chrono::seconds(20)));
  r.beneath->slow = true;
  cluster.etcdctl_ok({"put", "second", "x"});
  ASSERT_TRUE(run.wait_durable(current_revision(cluster))) << run.story();
  ASSERT_EQ(r.tail->state().segments, 1u);

  BackupOptions audit = capture_options().backup;
  audit.full = true;
  const auto refused = backup_etcd(*r.repo, r.world, *client, audit, r.progress);
  const auto before = r.keys_elsewhere();
  ASSERT_TRUE(before) << before.error().to_string();
  EXPECT_EQ(*before, 1u);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().why(), "it is slow");

  cluster.etcdctl_ok({"put", "third", "x"});
  ASSERT_TRUE(run.wait_durable(current_revision(cluster))) << "capture goes on: " << run.story();
  r.beneath->slow = false;
  const auto stored = backup_etcd(*r.repo, r.world, *client, audit, r.progress);
  ASSERT_TRUE(stored) << stored.error().to_string();
  const auto after = r.keys_elsewhere();
  ASSERT_TRUE(after) << after.error().to_string();
  EXPECT_EQ(*after, 3u);
}

}  // namespace
}  // namespace lifeboat::operation
