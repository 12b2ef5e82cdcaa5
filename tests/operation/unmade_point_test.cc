// What is left of a point that could not be made: nothing.
#include <gmock/gmock.h>

#include "operation/backup_support.h"
#include "storage/forwarding_store.h"

namespace lifeboat::operation {
namespace {

using namespace backup_testing;

// Fails once, at the write of that number.
class FailingWrites final : public storage::ForwardingStore {
 public:
  using ForwardingStore::ForwardingStore;
  std::size_t at = 0, calls = 0;

 protected:
  Status before(const storage::StoreCall& call) override {
    using enum storage::StoreOperation;
    const bool writes = call.operation == kStage || call.operation == kAppend || call.operation == kPublish;
    if (!writes || calls++ != at) return {};
    return fail(ErrorCode::kStorageFull, "the store takes nothing");
  }
};

// A segment that no point names would stay for ever.
TEST(UnmadePoint, LeavesNoSegmentWhicheverWriteFails) {
  RepoWorld w;
  ASSERT_TRUE(w.init());
  MvccModel model;
  std::mt19937 random{11};
  write_some(model, random, 60, 8);
  ASSERT_TRUE(w.import_model(model));
  write_some(model, random, 60, 8);
  w.place("/snapshot", model.snapshot_file());
  const auto before = names_in(*w.store);
  FailingWrites store(*w.store);
  const auto repo = Repository::open(store, key_file(kKeyFileText)).value();
  bool done = false;
  std::size_t failed = 0;
  for (std::size_t at = 0; !done; ++at) {
    store.at = at;
    store.calls = 0;
    done = import_snapshot(*repo, w.world, "/snapshot", w.options(), w.progress).has_value();
    if (done) break;
    ++failed;
    EXPECT_EQ(names_in(*w.store), before) << "call " << at;
  }
  EXPECT_GT(failed, 5u);
}

}  // namespace
}  // namespace lifeboat::operation
