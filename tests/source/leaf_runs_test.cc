// Leaves that come in any order are given back in revision order, of each no more than its elements use.
#include "source/etcd/leaf_runs.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>

#include "io/memory_file_system.h"

namespace lifeboat::source {
namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kNodes = 60'000;  // several runs

struct TestWorld {
  io::MemoryFileSystem files;
  std::unique_ptr<io::Clock> clock = io::system_clock();
  std::unique_ptr<io::Random> random = io::system_random();
  std::unique_ptr<io::Process> processes = io::system_process();
  io::World world{files, *clock, *random, *processes};
};

std::size_t node_bytes(bbolt::Pgid id) { return id % 7 == 0 ? 3 * kPage : kPage; }
std::size_t used_bytes(bbolt::Pgid id) { return bbolt::kPageHeaderBytes + id % 1'500; }

Bytes used_part(bbolt::Pgid id) {
  Bytes out(used_bytes(id), static_cast<std::byte>(id));
  bbolt::write_header(out, id, bbolt::PageType::kLeaf, 1, static_cast<std::uint32_t>(node_bytes(id) / kPage - 1));
  return out;
}

Status add(LeafRuns& runs, bbolt::Pgid id, std::int64_t revision) {
  const Bytes node = used_part(id);
  const auto slot = TRY(runs.reserve(id, {revision, 0}, node.size(), node_bytes(id)));
  std::copy(node.begin(), node.end(), slot.bytes);
  return runs.filled(slot);
}

// The id of the node at each revision, the first of which is 0.
std::vector<bbolt::Pgid> scrambled_ids() {
  std::vector<bbolt::Pgid> ids(kNodes);
  std::iota(ids.begin(), ids.end(), bbolt::Pgid{2});
  std::shuffle(ids.begin(), ids.end(), std::mt19937(1));
  return ids;
}

void expect_in_order(LeafRuns& runs, const std::vector<bbolt::Pgid>& ids) {
  for (const bbolt::Pgid id : ids) {
    ASSERT_TRUE(runs.has(id));
    const auto node = runs.node(id);
    ASSERT_TRUE(node) << node.error().to_string();
    ASSERT_EQ(node->size(), node_bytes(id));
    ASSERT_TRUE(equal(node->first(used_bytes(id)), used_part(id))) << id;
  }
}

void fill_and_read(std::uint64_t memory_bytes) {
  TestWorld world;
  const auto spool = io::Spool::create(world.world, "/").value();
  LeafRuns runs(*spool, kNodes * kPage, memory_bytes);
  const auto ids = scrambled_ids();
  std::vector<std::int64_t> revisions(kNodes);
  for (std::size_t i = 0; i < kNodes; ++i) revisions[ids[i] - 2] = static_cast<std::int64_t>(i);
  std::uint64_t used = 0;
  for (bbolt::Pgid id = 2; id < kNodes + 2; ++id) {
    ASSERT_TRUE(add(runs, id, revisions[id - 2]));
    used += used_bytes(id);
  }
  ASSERT_TRUE(runs.finish());
  EXPECT_LT(spool->file_bytes(), used + used / 10);
  EXPECT_FALSE(runs.has(kNodes + 2));
  expect_in_order(runs, ids);
  expect_in_order(runs, ids);  // from the front again
}

TEST(LeafRuns, GiveBackWholeNodesOfWhichOnlyTheUsedBytesWereKept) { fill_and_read(LeafRuns::kMemoryBytes); }

// Runs of a megabyte, of most of which nothing can be read ahead.
TEST(LeafRuns, DoTheSameInLittleMemory) { fill_and_read(std::uint64_t{2} << 20); }

}  // namespace
}  // namespace lifeboat::source
