#include "storage/object_store.h"

#include <gtest/gtest.h>

#include "io/memory_file_system.h"
#include "storage/fault_store.h"
#include "storage/local_store.h"
#include "storage/memory_store.h"
#include "storage/object_store_conformance.h"
#include "storage/trace_store.h"
#include "support/temp_dir.h"

namespace lifeboat::storage {
namespace {

class LocalSubject final : public ObjectStoreSubject {
 public:
  explicit LocalSubject(bool unnamed_files) : files_(io::posix_file_system(unnamed_files)) {
    EXPECT_TRUE(create_local_root(*files_, directory_ / "repo"));
    store_ = local_store(*files_, directory_ / "repo/");
  }
  ObjectStore& store() override { return *store_; }

 private:
  testing::TempDir directory_;
  std::unique_ptr<io::FileSystem> files_;
  std::unique_ptr<ObjectStore> store_;
};

class LocalInMemorySubject final : public ObjectStoreSubject {
 public:
  LocalInMemorySubject() {
    files_.set_time({1});
    EXPECT_TRUE(create_local_root(files_, "/repo"));
    store_ = local_store(files_, "/repo");
  }
  ObjectStore& store() override { return *store_; }

 private:
  io::MemoryFileSystem files_;
  std::unique_ptr<ObjectStore> store_;
};

class MemorySubject final : public ObjectStoreSubject {
 public:
  ObjectStore& store() override { return store_; }

 private:
  MemoryStore store_;
};

template <typename Decorator>
class DecoratedSubject final : public ObjectStoreSubject {
 public:
  ObjectStore& store() override { return store_; }

 private:
  MemoryStore inner_;
  Decorator store_{inner_};
};

INSTANTIATE_TEST_SUITE_P(
    All, ObjectStoreConformance,
    ::testing::Values(ObjectStoreMaker{"Local", [] { return std::make_unique<LocalSubject>(true); }},
                      ObjectStoreMaker{"LocalWithoutUnnamedFiles",
                                       [] { return std::make_unique<LocalSubject>(false); }},
                      ObjectStoreMaker{"LocalInMemory", [] { return std::make_unique<LocalInMemorySubject>(); }},
                      ObjectStoreMaker{"Memory", [] { return std::make_unique<MemorySubject>(); }},
                      ObjectStoreMaker{"Trace", [] { return std::make_unique<DecoratedSubject<TraceStore>>(); }},
                      ObjectStoreMaker{"Fault", [] { return std::make_unique<DecoratedSubject<FaultStore>>(); }}),
    [](const auto& maker) { return maker.param.name; });

TEST(TraceStore, RecordsCallsWithTheirNamesAndSizes) {
  MemoryStore memory;
  TraceStore store(memory);
  ASSERT_TRUE(put(store, "a", as_bytes("12345")));
  Bytes out(3);
  ASSERT_TRUE(store.read_at("a", 0, out));
  const auto calls = store.calls();
  ASSERT_EQ(calls.size(), 4U);
  EXPECT_EQ(calls[0].operation, StoreOperation::kStage);
  EXPECT_EQ(calls[1].operation, StoreOperation::kAppend);
  EXPECT_EQ(calls[1].bytes, 5U);
  EXPECT_EQ(calls[2].name, "a");
  EXPECT_EQ(store.count(StoreOperation::kRead), 1U);
  store.forget();
  EXPECT_TRUE(store.calls().empty());
}

TEST(FaultStore, FailsOneCallOrAllFromOneOn) {
  MemoryStore memory;
  FaultStore store(memory);
  store.arm({.at = 1});
  EXPECT_TRUE(store.list(""));
  EXPECT_EQ(store.list("").error().code(), ErrorCode::kStorageFailed);
  EXPECT_TRUE(store.list(""));
  store.arm({.at = 1, .and_all_later = true, .code = ErrorCode::kStorageFull});
  EXPECT_TRUE(store.list(""));
  EXPECT_EQ(store.list("").error().code(), ErrorCode::kStorageFull);
  EXPECT_EQ(store.list("").error().code(), ErrorCode::kStorageFull);
  EXPECT_EQ(store.calls(), 3U);
}

TEST(FaultStore, LeavesNothingOfAPutThatWasCutAnywhere) {
  for (std::uint64_t at = 0; at < 3; ++at) {
    MemoryStore memory;
    FaultStore store(memory);
    store.arm({.at = at, .and_all_later = true});
    EXPECT_FALSE(put(store, "a", as_bytes("x"))) << at;
    EXPECT_TRUE(memory.list("").value().empty()) << at;
  }
}

TEST(MemoryStore, CanBeDamagedByTests) {
  MemoryStore store;
  ASSERT_TRUE(put(store, "a", as_bytes("good")));
  store.overwrite("a", to_bytes("bad!"));
  EXPECT_EQ(to_string(get(store, "a", 10).value()), "bad!");
}

}  // namespace
}  // namespace lifeboat::storage
