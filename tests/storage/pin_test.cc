// Pins of a local store: what a dead writer put goes, what a living one put stays.
#include "storage/pin.h"

#include <gtest/gtest.h>

#include <optional>
#include <set>

#include "io/fault_file_system.h"
#include "io/memory_file_system.h"
#include "storage/local_store.h"

namespace lifeboat::storage {
namespace {

const std::vector<std::string> kObjects = {"s/lineage/4/0-1", "s/lineage/4/1-2"};

IsNamed named(std::set<std::string> names) {
  return [names = std::move(names)](const std::string& object) -> Result<bool> { return names.contains(object); };
}

std::vector<std::string> objects_in(ObjectStore& store) {
  const auto found = store.list("").value();
  std::vector<std::string> names;
  for (const ObjectInfo& object : found) names.push_back(object.name);
  return names;
}

void be_machine(io::FileSystem& files, std::string_view id) {
  ASSERT_TRUE(io::remove_tree(files, "/etc"));
  ASSERT_TRUE(io::make_directories(files, "/etc", 0700));
  ASSERT_TRUE(io::publish_file(files, "/etc/machine-id", as_bytes(id), 0600));
}

class Pins : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(create_local_root(memory, "/repo"));
    be_machine(memory, "one");
  }
  void put_all(const std::vector<std::string>& objects) {
    for (const std::string& object : objects) ASSERT_TRUE(put(*store, object, as_bytes(object)));
  }
  std::vector<std::string> objects() { return objects_in(*store); }
  std::vector<std::string> files() {
    std::vector<std::string> names;
    const auto entries = memory.list("/repo").value();
    for (const io::DirEntry& entry : entries)
      if (entry.kind == io::FileKind::kFile) names.push_back(entry.name);
    return names;
  }

  io::MemoryFileSystem memory;
  std::unique_ptr<ObjectStore> store = local_store(memory, "/repo");
};

TEST_F(Pins, KeepWhatALivingWriterPut) {
  const auto pin = store->pin(kObjects).value();
  put_all(kObjects);
  const auto other = local_store(memory, "/repo");
  EXPECT_TRUE(other->sweep(named({})));
  EXPECT_EQ(objects(), kObjects);
}

TEST_F(Pins, LetWhatADeadWriterPutGoAndKeepWhatSomethingNames) {
  auto pin = store->pin(kObjects).value();
  put_all(kObjects);
  put_all({"s/other/4/0-1"});  // nobody pinned it
  pin.reset();
  EXPECT_EQ(files().size(), 1U);
  EXPECT_TRUE(store->sweep(named({kObjects[1]})));
  EXPECT_EQ(objects(), (std::vector<std::string>{kObjects[1], "s/other/4/0-1"}));
  EXPECT_TRUE(files().empty()) << "and the pin with it";
}

TEST_F(Pins, ThatWereReleasedLeaveNothingAndRemoveNothing) {
  store->pin(kObjects).value()->release();
  put_all(kObjects);
  EXPECT_TRUE(files().empty());
  EXPECT_TRUE(store->sweep(named({})));
  EXPECT_EQ(objects(), kObjects);
}

TEST_F(Pins, AreNoObjects) {
  const auto pin = store->pin(kObjects).value();
  EXPECT_TRUE(objects().empty());
  EXPECT_EQ(store->head(files().front()).error().code(), ErrorCode::kObjectDamaged);
}

TEST_F(Pins, StayWhileItIsNotKnownWhatIsNamed) {
  store->pin(kObjects).value().reset();
  put_all(kObjects);
  const IsNamed unknown = [](const std::string&) -> Result<bool> {
    return fail(ErrorCode::kObjectDamaged, "a manifest");
  };
  EXPECT_EQ(store->sweep(unknown).error().code(), ErrorCode::kObjectDamaged);
  EXPECT_EQ(objects(), kObjects);
  EXPECT_TRUE(store->sweep(named({})));
  EXPECT_TRUE(objects().empty());
}

// What a writer named just before it ended is seen: nobody asks before every pin of the sweep is known to be dead.
TEST_F(Pins, AreAllDeadBeforeTheFirstQuestion) {
  const std::vector<std::string> first = {"s/a/4/0-1"};
  const std::vector<std::string> second = {"s/b/4/0-1"};
  std::vector<std::unique_ptr<Pin>> living;
  living.push_back(store->pin(first).value());
  living.push_back(store->pin(second).value());
  put_all(first);
  put_all(second);
  living.erase(living.begin());
  std::vector<std::string> asked;
  const IsNamed at_the_first_question = [&](const std::string& object) -> Result<bool> {
    living.clear();  // the other writer ends now, too late for this sweep
    asked.push_back(object);
    return false;
  };
  EXPECT_TRUE(store->sweep(at_the_first_question));
  EXPECT_EQ(asked, first);
  EXPECT_EQ(objects(), second);
}

TEST(PinsThatAreEdited, RemoveNothingButObjects) {
  io::MemoryFileSystem memory;
  ASSERT_TRUE(create_local_root(memory, "/repo"));
  be_machine(memory, "one");
  const auto store = local_store(memory, "/repo");
  ASSERT_TRUE(io::publish_file(memory, "/kept", as_bytes("x"), 0600));
  store->pin({"../kept", "/kept", "", ".lifeboat-pin-x", "s/./a", std::string(3, '\0')}).value().reset();
  std::vector<std::string> asked;
  EXPECT_TRUE(store->sweep([&](const std::string& object) -> Result<bool> {
    asked.push_back(object);
    return false;
  }));
  EXPECT_TRUE(asked.empty()) << asked.front();
  EXPECT_TRUE(io::exists(memory, "/kept").value());
  EXPECT_TRUE(memory.list("/repo").value().empty());
}

// A lock may not reach over a network file system.
TEST(PinsOfAnotherMachine, Stay) {
  io::MemoryFileSystem memory;
  ASSERT_TRUE(create_local_root(memory, "/repo"));
  const auto store = local_store(memory, "/repo");
  be_machine(memory, "one");
  store->pin(kObjects).value().reset();
  for (const std::string& object : kObjects) ASSERT_TRUE(put(*store, object, as_bytes(object)));
  be_machine(memory, "another");
  EXPECT_TRUE(store->sweep(named({})));
  EXPECT_EQ(objects_in(*store), kObjects);
  be_machine(memory, "one");
  EXPECT_TRUE(store->sweep(named({})));
  EXPECT_TRUE(objects_in(*store).empty());
}

TEST(PinsOfAMachineWithoutAnId, Stay) {
  io::MemoryFileSystem memory;
  ASSERT_TRUE(create_local_root(memory, "/repo"));
  const auto store = local_store(memory, "/repo");
  store->pin(kObjects).value().reset();
  for (const std::string& object : kObjects) ASSERT_TRUE(put(*store, object, as_bytes(object)));
  EXPECT_TRUE(store->sweep(named({})));
  EXPECT_EQ(objects_in(*store), kObjects) << "it may be another machine without one";
}

// Wherever the writer dies: the next sweep leaves what it found, and nothing of the writer's.
TEST(PinsThatAreCut, LeaveNothingBehindTheNextSweep) {
  const std::string root = "/backup/repo";
  for (std::uint64_t at = 0;; ++at) {
    for (const io::CrashMode mode : io::kCrashModes) {
      io::MemoryFileSystem memory;
      io::FaultFileSystem faulty(memory);
      ASSERT_TRUE(create_local_root(memory, root));
      be_machine(memory, "one");
      ASSERT_TRUE(put(*local_store(memory, root), "s/lineage/4/earlier", as_bytes("earlier")));
      faulty.arm({.at = at});
      {
        const auto store = local_store(faulty, root);
        const auto pin = store->pin(kObjects);
        for (const std::string& object : kObjects)
          if (pin) static_cast<void>(put(*store, object, as_bytes(object)));
      }
      if (!faulty.fault_happened()) return;
      memory.crash(mode, at);
      const auto store = local_store(memory, root);
      ASSERT_TRUE(store->sweep(named({}))) << faulty.describe(at);
      EXPECT_EQ(objects_in(*store), std::vector<std::string>{"s/lineage/4/earlier"}) << faulty.describe(at);
      EXPECT_EQ(memory.list(root).value().size(), 1U) << faulty.describe(at);
    }
  }
}

}  // namespace
}  // namespace lifeboat::storage
