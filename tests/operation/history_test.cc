// The history of keys against a model of the cluster: over several points, a compaction and a gap.
#include "operation/inspect/history.h"

#include "base/text.h"
#include "operation/backup_support.h"
#include "repository/captured_support.h"

namespace lifeboat::operation {
namespace {

using namespace backup_testing;

class History : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(w.init()); }

  void import() {
    const auto report = w.import_model(model);
    ASSERT_TRUE(report) << why_not(report);
  }
  HistoryOptions options(std::size_t limit = 100000) const {
    HistoryOptions out;
    out.limits.spool_directory = "/";
    out.limits.threads = 1;
    out.limit = limit;
    return out;
  }
  HistoryReport history_of(std::string_view prefix, const HistoryOptions& how, const std::string& to = "latest") {
    const auto points = w.catalogue();
    const auto target = points.resolve(to, "", w.clock.time);
    EXPECT_TRUE(target) << why_not(target);
    auto report = history(*w.repo, points, *target, as_bytes(prefix), how, w.progress);
    EXPECT_TRUE(report) << why_not(report);
    return report ? *std::move(report) : HistoryReport{};
  }
  Result<std::int64_t> before_delete(const std::string& text) {
    const auto points = w.catalogue();
    const auto target = TRY(find_target(*w.repo, points, text, "", w.clock.time, options().limits, w.progress));
    return target.revision;
  }
  // Newest first, as a history tells them.
  std::vector<testing_model::ModelRecord> told_by_model(std::string_view prefix, std::int64_t to) const {
    std::vector<testing_model::ModelRecord> out;
    for (const auto& [at, record] : model.history)
      if (at.main <= to && record.user_key.starts_with(prefix)) out.insert(out.begin(), record);
    return out;
  }

  RepoWorld w;
  MvccModel model;
  std::mt19937 random{5};
};

// Whether a line of progress is drawn.
class Drawn final : public Progress {
 public:
  void stage(std::string_view, std::uint64_t) override { ++stages, is_drawn = true; }
  void end_stage() override { is_drawn = false; }
  void advance(std::uint64_t) override {}
  void note(std::string_view) override {}
  int stages = 0;
  bool is_drawn = false;
};

TEST_F(History, LeavesTheLineToTheQuestionThatFollows) {
  write_some(model, random, 60, 12);
  import();
  const auto points = w.catalogue();
  Drawn progress;
  static_cast<void>(find_target(*w.repo, points, "before-delete:/k/1", "", w.clock.time, options().limits, progress));
  EXPECT_GT(progress.stages, 0);
  EXPECT_FALSE(progress.is_drawn);
}

TEST_F(History, TellsEveryRevisionOfEveryKeyNewestFirst) {
  for (int round = 0; round < 3; ++round) {
    write_some(model, random, 60, 12);
    import();
  }
  for (const std::string prefix : {"/k/", "/k/1", "/k/7", "/none"}) {
    const auto expected = told_by_model(prefix, model.revision);
    const auto told = history_of(prefix, options());
    ASSERT_EQ(told.entries.size(), expected.size()) << prefix;
    EXPECT_EQ(told.total, told.puts + told.deletes);
    EXPECT_TRUE(told.gaps.empty());
    for (std::size_t i = 0; i < expected.size(); ++i) {
      const HistoryEntry& entry = told.entries[i];
      EXPECT_EQ(entry.revision, expected[i].key.revision);
      EXPECT_EQ(entry.deleted, expected[i].key.tombstone);
      EXPECT_EQ(as_text(entry.key), expected[i].user_key);
      EXPECT_LE(entry.after, entry.by);
      const std::size_t value_bytes = etcd::parse_key_value(expected[i].value)->value.size();
      EXPECT_EQ(entry.value_bytes, entry.deleted ? 0 : value_bytes);
    }
  }
}

TEST_F(History, KeepsTheNewestWithinTheLimitAndCountsTheRest) {
  write_some(model, random, 80, 4);
  import();
  const auto all = history_of("/k/", options());
  const auto some = history_of("/k/", options(5));
  ASSERT_EQ(some.entries.size(), 5u);
  EXPECT_EQ(some.total, all.total);
  for (std::size_t i = 0; i < 5; ++i) EXPECT_EQ(some.entries[i].revision, all.entries[i].revision);

  HistoryOptions deletes = options();
  deletes.deletes_only = true;
  EXPECT_EQ(history_of("/k/", deletes).total, all.deletes);
  HistoryOptions late = options();
  late.after = all.entries[10].revision.main;
  for (const auto& entry : history_of("/k/", late).entries) EXPECT_GT(entry.revision.main, late.after);
}

TEST_F(History, StopsAtThePointAndNamesWhatIsNotStored) {
  write_some(model, random, 30, 100);
  import();
  const std::int64_t first = model.revision;
  write_some(model, random, 40, 100);
  model.compact(model.revision - 10);
  import();
  const auto told = history_of("/k/", options());
  ASSERT_EQ(told.gaps.size(), 1u);
  EXPECT_EQ(told.gaps.front(), (repository::Coverage{first + 1, model.revision - 11}));
  const auto early = history_of("/k/", options(), "rev:" + std::to_string(first));
  EXPECT_TRUE(early.gaps.empty());
  ASSERT_FALSE(early.entries.empty());
  EXPECT_EQ(early.entries.front().revision.main, first);
}

TEST_F(History, FindsTheRevisionBeforeADeletion) {
  model.put("/app#7", "one");
  model.erase("/app#7");
  const std::int64_t first_delete = model.revision;
  model.put("/app#7", "two");
  write_some(model, random, 10, 3);
  model.erase("/app#7");
  const std::int64_t last_delete = model.revision;
  write_some(model, random, 10, 3);
  import();

  EXPECT_FALSE(before_delete("before-delete:/app#7")) << "it asks for the seventh last deletion of /app";
  EXPECT_EQ(before_delete("before-delete:/app#7#1").value(), last_delete - 1);
  EXPECT_EQ(before_delete("before-delete:/app#7#2").value(), first_delete - 1);
  const auto third = before_delete("before-delete:/app#7#3");
  ASSERT_FALSE(third);
  EXPECT_EQ(third.error().code(), ErrorCode::kKeyNotFound);
  EXPECT_EQ(before_delete("rev:3").value(), 3);
  for (const std::string bad : {"before-delete:", "before-delete:\\xZZ"}) {
    const auto refused = before_delete(bad);
    ASSERT_FALSE(refused) << bad;
    EXPECT_EQ(refused.error().code(), ErrorCode::kUsage) << bad;
  }
}

TEST_F(History, SaysThatADeletionMayHideWhereNothingIsStored) {
  model.put("/stays", "so that a history is shared");
  model.put("/app", "one");
  import();
  model.erase("/app");
  write_some(model, random, 10, 3);
  model.compact(model.revision);
  import();
  const auto hidden = before_delete("before-delete:/app");
  ASSERT_FALSE(hidden);
  EXPECT_EQ(hidden.error().code(), ErrorCode::kKeyNotFound);
  EXPECT_NE(hidden.error().why().find("may hide"), std::string::npos) << hidden.error().why();
}

// A base that needs nothing before it, taken while the history went on being captured.
class HistoryOverABase : public History {
 protected:
  void capture(std::int64_t lo, std::int64_t hi) {
    const LineageId lineage = w.catalogue().points().front().manifest.lineage.id;
    repository::testing::HistoryStream records(model, lo, hi);
    const auto commit = repository::testing::commit_of(lineage, lo, hi);
    const auto published = repository::publish_captured(*w.repo, w.world, repository::kFlushLevel, commit, records, 1);
    ASSERT_TRUE(published) << why_not(published);
  }
  // Of a database that has only its newest revision.
  void import_lone_base() {
    model.put("/base", "taken");
    model.compact(model.revision);
    ImportOptions how = w.options();
    how.chain_max = 0;
    const auto report = w.import_bytes(model.snapshot_file(), how);
    ASSERT_TRUE(report) << why_not(report);
    ASSERT_FALSE(report->new_lineage);
  }
};

TEST_F(HistoryOverABase, TellsWhatWasCapturedBeforeTheBase) {
  model.put("/app", "one");
  import();
  const std::int64_t first = model.revision;
  model.erase("/app");
  const std::int64_t deleted = model.revision;
  model.put("/other", "x");
  capture(first, model.revision);
  import_lone_base();
  const std::int64_t third = model.revision;
  model.put("/other", "y");
  capture(third, model.revision);

  const auto told = history_of("/", options());
  EXPECT_TRUE(told.gaps.empty());
  EXPECT_EQ(told.total, told_by_model("/", model.revision).size());
  EXPECT_EQ(before_delete("before-delete:/app").value_or(-1), deleted - 1);
}

TEST_F(HistoryOverABase, TellsWhatWasCapturedBeforeAGap) {
  model.put("/stays", "so that a history is shared");
  model.put("/app", "one");
  import();
  const std::int64_t first = model.revision;
  model.erase("/app");
  capture(first, model.revision);
  const std::int64_t deleted = model.revision;
  model.put("/lost", "x");
  model.put("/lost", "y");
  import_lone_base();

  const auto told = history_of("/", options());
  ASSERT_EQ(told.gaps.size(), 1u);
  EXPECT_EQ(told.gaps.front(), (repository::Coverage{deleted + 1, model.revision - 1}));
  EXPECT_EQ(told.deletes, 1u);
  EXPECT_EQ(before_delete("before-delete:/app").value_or(-1), deleted - 1);
}

// The keys that differ, as the model has them.
DifferenceReport expected_difference(const MvccModel& model, std::int64_t a, std::int64_t b) {
  std::map<std::string, const testing_model::ModelRecord*> before, after;
  const RecordMap at_a = model.latest_live(a), at_b = model.latest_live(b);
  for (const auto& [at, record] : at_a) before[record.user_key] = &record;
  for (const auto& [at, record] : at_b) after[record.user_key] = &record;
  DifferenceReport out;
  for (const auto& [key, record] : before) {
    const auto same = after.find(key);
    if (same == after.end()) {
      ++out.removed;
    } else if (same->second->key != record->key) {
      ++out.changed;
    }
  }
  for (const auto& [key, record] : after) out.added += before.contains(key) ? 0 : 1;
  return out;
}

TEST_F(History, DifferencesAreTheModelsBetweenAnyTwoRevisions) {
  for (int round = 0; round < 3; ++round) {
    write_some(model, random, 25, 15);
    import();
  }
  const auto points = w.catalogue();
  for (int i = 0; i < 120; ++i) {
    std::int64_t a = 2 + static_cast<std::int64_t>(random() % static_cast<unsigned>(model.revision - 1));
    std::int64_t b = 2 + static_cast<std::int64_t>(random() % static_cast<unsigned>(model.revision - 1));
    const auto from = points.resolve("rev:" + std::to_string(a), "", w.clock.time);
    const auto to = points.resolve("rev:" + std::to_string(b), "", w.clock.time);
    ASSERT_TRUE(from && to);
    const auto expected = expected_difference(model, a, b);
    for (const std::size_t limit : {0u, 1000u}) {
      const auto found = diff(*w.repo, w.world, *from, *to, {}, limit, options().limits, w.progress);
      ASSERT_TRUE(found) << why_not(found);
      EXPECT_EQ(found->added, expected.added) << a << " to " << b;
      EXPECT_EQ(found->changed, expected.changed) << a << " to " << b;
      EXPECT_EQ(found->removed, expected.removed) << a << " to " << b;
      for (const auto& key : found->keys) {
        EXPECT_EQ(key.mod_revision_a > 0, key.change != Change::kAdded) << printable(key.key);
        EXPECT_EQ(key.mod_revision_b > 0, key.change != Change::kRemoved) << printable(key.key);
      }
    }
  }
}

}  // namespace
}  // namespace lifeboat::operation
