// OneHistory: could one history have given all of these snapshots? Every history of each key is tried.
#pragma once

#include <optional>
#include <set>

#include "operation/cluster_model.h"

namespace lifeboat::operation::history_testing {

// What counts as a contradiction.
enum class Evidence {
  kAll,
  // Not what is shown by a version, a create revision or a deletion alone: that its key lived before.
  kStates,
};

// A history H gives a snapshot (revision R, compacted at C, records D) when
//  - D is part of H, and has every record of H in (C, R],
//  - D has of each key the last records up to R: compaction takes a key's records from the oldest on,
//  - the last record at or below C of each key is among them, unless it deletes the key.
// In H every revision from 2 on has a record, versions and create revisions count on, what is deleted lived before, and
// a key changes once in a revision, or is put and then deleted.
//
// Only these rules bind the records that no snapshot has. They find room in each revision that no snapshot has whole,
// and a revision of which nothing is known may have a key of its own, put and deleted. So keys can be looked at one by
// one. (A compaction goes through all keys in the order of revisions; that is not looked at.)
class OneHistory {
 public:
  OneHistory(const std::vector<const Snapshot*>& snapshots, Evidence evidence)
      : snapshots_(snapshots), counts_(evidence == Evidence::kAll) {}

  bool is_possible() {
    for (const Snapshot* snapshot : snapshots_) {
      end_ = std::max(end_, snapshot->revision);
      for (const auto& [at, record] : snapshot->records) {
        const auto& known = known_.emplace(at, record).first->second;
        if (known.key != record.key || known.value != record.value) return false;
        keys_.insert(record.user_key);
      }
    }
    for (const auto& [at, record] : known_)
      if (!is_where_it_must_be(record)) return false;
    return std::ranges::all_of(keys_, [&](const std::string& key) { return has_history(key); });
  }

 private:
  // A key behind some revision.
  struct State {
    std::int64_t created = 0, version = 0;  // 0: it does not live
    std::optional<etcd::Revision> last;     // record, where a snapshot has it
    auto operator<=>(const State&) const = default;
  };

  const etcd::Revision* first_of(const Snapshot& snapshot, const std::string& key) const {
    for (const auto& [at, record] : snapshot.records)
      if (record.user_key == key && (counts_ || !record.key.tombstone)) return &at;
    return nullptr;
  }

  bool is_where_it_must_be(const ModelRecord& record) const {
    const etcd::Revision& at = record.key.revision;
    return std::ranges::all_of(snapshots_, [&](const Snapshot* snapshot) {
      if (at.main > snapshot->revision || snapshot->records.contains(at)) return true;
      if (snapshot->is_whole_at(at.main)) return false;
      const ModelRecord* const before = last_before(*snapshot, record);
      return before == nullptr || (!counts_ && before->key.tombstone);
    });
  }
  static const ModelRecord* last_before(const Snapshot& snapshot, const ModelRecord& record) {
    const ModelRecord* last = nullptr;
    for (const auto& [at, other] : snapshot.records)
      if (at < record.key.revision && other.user_key == record.user_key) last = &other;
    return last;
  }
  // Whether the key may have a record in a revision, before what is known of it there, that no snapshot has.
  bool may_hide(const std::string& key, std::int64_t main) const {
    return std::ranges::all_of(snapshots_, [&](const Snapshot* snapshot) {
      if (main > snapshot->revision) return true;
      const etcd::Revision* first = first_of(*snapshot, key);
      return !snapshot->is_whole_at(main) && (first == nullptr || main <= first->main);
    });
  }

  bool has_history(const std::string& key) const {
    std::set<State> states{State{}};
    for (std::int64_t main = 2; main <= end_ && !states.empty(); ++main) {
      std::set<State> next;
      for (const State& state : states) add_next(key, main, state, next);
      std::erase_if(next, [&](const State& state) { return !is_kept(state, main); });
      states = std::move(next);
    }
    return !states.empty();
  }

  void add_next(const std::string& key, std::int64_t main, const State& state, std::set<State>& next) const {
    std::vector<const ModelRecord*> known;
    for (auto at = known_.lower_bound({main, 0}); at != known_.end() && at->first.main == main; ++at)
      if (at->second.user_key == key) known.push_back(&at->second);
    add_known(state, known, next);
    if (!may_hide(key, main) || (!known.empty() && !known.front()->key.tombstone)) return;
    const State put = after_put(state, main);
    if (!known.empty()) {
      if (has_room_below(known.front()->key.revision)) add_known(put, known, next);
      return;
    }
    next.insert(put);
    next.insert(State{});  // deleted, perhaps after a put
  }
  void add_known(State state, const std::vector<const ModelRecord*>& known, std::set<State>& next) const {
    for (const ModelRecord* record : known) {
      if (record->key.tombstone) {
        if (counts_ && state.version == 0) return;
        state = {};
        continue;
      }
      const auto kv = etcd::parse_key_value(record->value);
      state = after_put(state, record->key.revision.main);
      if (counts_ && (kv->version != state.version || kv->create_revision != state.created)) return;
      state = {kv->create_revision, kv->version, record->key.revision};
    }
    next.insert(state);
  }
  static State after_put(const State& state, std::int64_t main) {
    return {state.version == 0 ? main : state.created, state.version + 1, std::nullopt};
  }
  bool has_room_below(const etcd::Revision& at) const {
    for (std::int64_t sub = 0; sub < at.sub; ++sub)
      if (!known_.contains({at.main, sub})) return true;
    return false;
  }

  // Whoever is compacted here has what lives.
  bool is_kept(const State& state, std::int64_t main) const {
    if (state.version == 0) return true;
    return std::ranges::all_of(snapshots_, [&](const Snapshot* snapshot) {
      return snapshot->compacted != main || (state.last && snapshot->records.contains(*state.last));
    });
  }

  const std::vector<const Snapshot*> snapshots_;
  const bool counts_;
  std::int64_t end_ = 1;
  RecordMap known_;
  std::set<std::string> keys_;
};

inline bool are_of_one_history(const std::vector<const Snapshot*>& snapshots, Evidence evidence = Evidence::kAll) {
  return OneHistory(snapshots, evidence).is_possible();
}

}  // namespace lifeboat::operation::history_testing
