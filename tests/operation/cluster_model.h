// ClusterModel: a small random cluster, and every database that a member of it may have.
#pragma once

#include <algorithm>
#include <random>
#include <vector>

#include "repository/mvcc_model.h"

namespace lifeboat::operation::history_testing {

using testing_model::ModelRecord;
using testing_model::MvccModel;
using testing_model::RecordMap;

// A database: what compactions left of a history up to its revision.
struct Snapshot {
  std::int64_t revision = 1;
  std::int64_t compacted = 0;  // or about to be: everything above it is there
  RecordMap records;

  Bytes file() const {
    MvccModel out;
    out.revision = revision;
    out.compacted = compacted;
    out.database = records;
    out.index = 1000 + static_cast<std::uint64_t>(revision);  // a fork has the same: its records must show it
    return out.snapshot_file();
  }
  bool is_whole_at(std::int64_t main) const { return compacted < main && main <= revision; }
  // At a revision in [compacted, revision].
  RecordMap state_at(std::int64_t at) const {
    MvccModel out;
    out.history = records;
    return out.latest_live(at);
  }
  // Compacted to the end, at `at` at least.
  Snapshot swept(std::int64_t at) const {
    Snapshot out{revision, std::max(compacted, at), records};
    const RecordMap kept = state_at(out.compacted);
    std::erase_if(out.records,
                  [&](const auto& entry) { return entry.first.main <= out.compacted && !kept.contains(entry.first); });
    return out;
  }
};

class ClusterModel {
 public:
  explicit ClusterModel(unsigned keys) : keys_(keys) { history_.put("/anchor", "1"); }

  const MvccModel& history() const { return history_; }

  // A transaction. A nested one may put a key and delete it.
  void write(std::mt19937& random) {
    const std::int64_t before = history_.revision;
    while (history_.revision == before) {
      std::vector<MvccModel::Op> ops;
      for (unsigned key = 0; key < keys_; ++key) {
        const std::string name = {'/', static_cast<char>('a' + key)};
        const std::string value(1, random() % 2 == 0 ? '1' : '2');
        const auto kind = random() % (2 * keys_ + 1);
        if (kind < 3) ops.push_back({name, value, false, kind == 2 ? std::int64_t{7} : 0});
        if (kind == 0 || kind == 3) ops.push_back({name, "", true});
      }
      std::ranges::shuffle(ops, random);
      if (may_be_in_one_revision(ops)) history_.txn(ops);
    }
  }

  void compact(std::mt19937& random) {
    const std::int64_t last = compactions_.empty() ? 1 : compactions_.back();
    if (last == history_.revision) return;
    compactions_.push_back(last + 1 +
                           static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(history_.revision - last)));
  }

  // Of some member: its compactions are done, or the last ones are only begun, or not even that.
  Snapshot snapshot(std::mt19937& random) const {
    Snapshot out{history_.revision, compactions_.empty() ? 0 : compactions_.back(), history_.history};
    const bool keeps_deletions = random() % 2 == 0;
    const std::size_t undone = random() % 2 == 0 ? 0 : random() % 3;
    const std::size_t done = compactions_.size() - std::min(undone, compactions_.size());
    for (std::size_t i = 0; i < compactions_.size(); ++i) {
      const std::int64_t at = compactions_[i];
      // One that is begun ends before the next begins, unless the member is started again meanwhile.
      if (i > done && random() % 2 == 0) break;
      sweep(out.records, at, i < done ? at : static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(at + 1)),
            keeps_deletions);
    }
    return out;
  }

 private:
  static bool may_be_in_one_revision(const std::vector<MvccModel::Op>& ops) {
    for (std::size_t i = 0; i < ops.size(); ++i)
      for (std::size_t j = i + 1; j < ops.size(); ++j)
        if (ops[i].key == ops[j].key && ops[i].erase) return false;
    return true;
  }

  // What a compaction removes, in the order of revisions, as far as `until`. Of a deletion at the very revision it
  // keeps the record from 3.4.34 and 3.5.16 on. [etcd v3.6 server/storage/mvcc/key_index.go, kvstore_compaction.go]
  void sweep(RecordMap& records, std::int64_t at, std::int64_t until, bool keeps_deletions) const {
    std::map<std::string, etcd::RevisionKey> last;
    for (const auto& [revision, record] : history_.history)
      if (revision.main <= at) last[record.user_key] = record.key;
    std::erase_if(records, [&](const auto& entry) {
      const ModelRecord& record = entry.second;
      if (entry.first.main > until) return false;
      if (last[record.user_key] != record.key) return true;
      return record.key.tombstone && !(keeps_deletions && entry.first.main == at);
    });
  }

  const unsigned keys_;
  MvccModel history_;
  std::vector<std::int64_t> compactions_;
};

}  // namespace lifeboat::operation::history_testing
