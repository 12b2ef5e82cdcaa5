// SnapshotCase: a random cluster, or two that were one once, and what a repo makes of their snapshots.
#pragma once

#include <fmt/format.h>

#include <map>
#include <ranges>

#include "operation/backup_support.h"
#include "operation/cluster_model.h"
#include "operation/one_history.h"
#include "repository/captured_support.h"

namespace lifeboat::operation::history_testing {

using namespace backup_testing;

// Required of each: snapshots of one history are of one lineage, and those of which the repo has a contradiction are
// not; whatever was taken for what, each revision that is covered reads as some snapshot of its lineage has it, and
// each point as its own.
class SnapshotCase {
 public:
  explicit SnapshotCase(unsigned seed) : random_(seed), cluster_(2 + some(3)) { EXPECT_TRUE(w_.init()); }

  // Snapshots of one cluster, in any order.
  void import_one() {
    auto files = live(cluster_, 2 + some(5));
    std::ranges::shuffle(files, random_);
    for (const Snapshot& file : files) import(file);
    EXPECT_EQ(lineages_.size(), 1u) << story_;
    expect_states();
  }

  // A second cluster goes on from the first at some point.
  void import_two() {
    auto files = live(cluster_, some(3));
    ClusterModel other = cluster_;
    for (ClusterModel* each : {&cluster_, &other})
      std::ranges::copy(live(*each, 1 + some(3)), std::back_inserter(files));
    if (some(2) == 0) std::ranges::shuffle(files, random_);
    for (const Snapshot& file : files) import(file);
    expect_states();
  }

  // The first is captured meanwhile, and some of the snapshots come late.
  void import_while_captured() {
    std::vector<Snapshot> late = live(cluster_, 1);
    import(late.front());
    ClusterModel other = cluster_;
    std::ranges::copy(live(other, 1 + some(2)), std::back_inserter(late));
    for (unsigned i = 2 + some(3); i > 0; --i) {
      const Snapshot file = live(cluster_, 1).front();
      if (some(3) != 0) capture();
      some(2) == 0 ? import(file) : late.push_back(file);
    }
    std::ranges::shuffle(late, random_);
    for (const Snapshot& file : late) import(file);
    expect_states();
  }

 private:
  // What the repo knows of a lineage by one base.
  struct Chain {
    std::int64_t revision = 0;
    std::vector<const Snapshot*> known;
  };
  struct LineageModel {
    std::vector<const Snapshot*> accepted;
    std::vector<Chain> chains;

    Chain& newest() {
      const auto latest_first = std::views::reverse(chains);
      return *std::ranges::max_element(latest_first, {}, &Chain::revision);
    }
  };

  unsigned some(unsigned below) { return static_cast<unsigned>(random_() % below); }
  const Snapshot& keep(Snapshot snapshot) {
    return *kept_.emplace_back(std::make_unique<Snapshot>(std::move(snapshot)));
  }

  // Writes, compacts, and takes so many snapshots on the way.
  std::vector<Snapshot> live(ClusterModel& cluster, unsigned snapshots) {
    std::vector<Snapshot> out;
    while (out.size() < snapshots) {
      for (unsigned i = some(4); i > 0; --i) cluster.write(random_);
      if (some(2) == 0) cluster.compact(random_);
      if (some(3) != 0) out.push_back(cluster.snapshot(random_));
    }
    return out;
  }

  void import(const Snapshot& file) {
    const Snapshot& snapshot = keep(file);
    ImportOptions options = w_.options();
    options.prove = some(4) == 0;
    options.addition_zstd = 1;
    if (some(4) == 0) options.chain_max = 1 + some(2);
    const auto report = w_.import_bytes(snapshot.file(), options);
    ASSERT_TRUE(report) << why_not(report) << story_;
    tell(snapshot, fmt::format("{} {}", hex(report->lineage.bytes).substr(0, 4), report->lineage_reason));
    report->new_lineage ? expect_reason(snapshot) : expect_no_contradiction(snapshot, *report);
    add(snapshot, *report);
    const auto points = w_.catalogue();
    for (const auto& point : points.points())
      if (point.id == report->point) expect_state(point, snapshot);
  }

  // As an agent would, what follows the newest point of the first lineage.
  void capture() {
    const auto& [id, lineage] = *lineages_.begin();
    const std::int64_t lo = lineages_.begin()->second.newest().revision, hi = cluster_.history().revision;
    if (lineages_.size() != 1 || lo >= hi) return;
    const auto commit = repository::testing::commit_of(id, lo, hi);
    ASSERT_TRUE(repository::testing::publish(*w_.repo, w_.world, cluster_.history(), commit));
    const Snapshot& known = keep(Snapshot{hi, lo, cluster_.history().after_compaction(lo)});
    tell(known, "captured");
    LineageModel& model = lineages_.begin()->second;
    model.accepted.push_back(&known);
    model.newest().known.push_back(&known);
    model.newest().revision = hi;
  }

  void expect_reason(const Snapshot& snapshot) {
    for (const auto& [id, lineage] : lineages_) {
      auto all = lineage.accepted;
      all.push_back(&snapshot);
      EXPECT_FALSE(are_of_one_history(all)) << "a fork without a reason" << story_;
    }
  }
  // Of other chains than the newest, what a compaction that is not done has left does not count.
  void expect_no_contradiction(const Snapshot& snapshot, const BackupReport& report) {
    LineageModel& lineage = lineages_[report.lineage];
    std::vector<const Snapshot*> known{&snapshot};
    known.insert(known.end(), lineage.newest().known.begin(), lineage.newest().known.end());
    EXPECT_TRUE(are_of_one_history(known, Evidence::kStates)) << "a missed fork" << story_;
    std::vector<Snapshot> swept{snapshot.swept(0)};
    for (const Chain& chain : lineage.chains)
      for (const Snapshot* each : chain.known) swept.push_back(each->swept(0));
    known.clear();
    for (const Snapshot& each : swept) known.push_back(&each);
    EXPECT_TRUE(are_of_one_history(known, Evidence::kStates)) << "a fork missed beside the newest chain" << story_;
  }

  // A point that goes on with a chain adds what is new in it, one within a chain nothing.
  void add(const Snapshot& snapshot, const BackupReport& report) {
    LineageModel& lineage = lineages_[report.lineage];
    lineage.accepted.push_back(&snapshot);
    if (report.new_records == snapshot.records.size()) {
      lineage.chains.push_back({snapshot.revision, {&snapshot}});
    } else if (snapshot.revision > report.previous_revision) {
      lineage.newest().known.push_back(&keep(snapshot.swept(report.previous_revision)));
      lineage.newest().revision = snapshot.revision;
    }
  }

  void expect_states() {
    const auto points = w_.catalogue();
    for (const auto& info : points.lineages()) {
      for (const auto& range : info.coverage)
        for (std::int64_t at = range.from; at <= range.to; ++at) expect_state_of_some(points, info, at);
    }
    for (const auto& point : points.points())
      for (const Snapshot* snapshot : lineages_[point.manifest.lineage.id].accepted)
        if (snapshot->revision == point.manifest.revision) expect_state(point, *snapshot);
    const auto verified = w_.verify(3);
    ASSERT_TRUE(verified) << why_not(verified) << story_;
    EXPECT_TRUE(verified->clean()) << verified->findings.front().sentence << story_;
  }
  void expect_state_of_some(const Catalogue& points, const repository::LineageInfo& info, std::int64_t at) {
    const auto target = points.target_in(info.lineage.id, at);
    ASSERT_TRUE(target) << at << story_;
    const auto read = read_target(w_, *target);
    ASSERT_TRUE(read) << at << ": " << why_not(read) << story_;
    const auto has_it = [&](const Snapshot* snapshot) {
      return snapshot->compacted <= at && at <= snapshot->revision && same_records(*read, snapshot->state_at(at));
    };
    EXPECT_TRUE(std::ranges::any_of(lineages_[info.lineage.id].accepted, has_it)) << "revision " << at << story_;
  }
  void expect_state(const repository::Point& point, const Snapshot& snapshot) {
    const auto read = read_target(w_, repository::target_of(point));
    ASSERT_TRUE(read) << why_not(read) << story_;
    EXPECT_TRUE(same_records(*read, snapshot.state_at(snapshot.revision))) << "point " << snapshot.revision << story_;
  }

  void tell(const Snapshot& snapshot, const std::string& outcome) {
    story_ += fmt::format("\n  revision {} compacted {}:", snapshot.revision, snapshot.compacted);
    for (const auto& [at, record] : snapshot.records) {
      const auto kv = etcd::parse_key_value(record.value);
      story_ += fmt::format(" {}.{}{}", at.main, at.sub, record.user_key);
      story_ += record.key.tombstone
                    ? " deleted"
                    : fmt::format("={} (version {} of {})", to_string(kv->value), kv->version, kv->create_revision);
    }
    story_ += " -> " + outcome;
  }

  std::mt19937 random_;
  RepoWorld w_;
  ClusterModel cluster_;
  std::vector<std::unique_ptr<Snapshot>> kept_;
  std::map<LineageId, LineageModel> lineages_;
  std::string story_;
};

inline void run_snapshot_cases(unsigned seed) {
  for (const auto run : {&SnapshotCase::import_one, &SnapshotCase::import_two, &SnapshotCase::import_while_captured}) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    (SnapshotCase(seed).*run)();
  }
}

}  // namespace lifeboat::operation::history_testing
