// Whether the database, the WAL and the raft snapshot of one member tell the same story.
#include <fmt/format.h>

#include <algorithm>

#include "format/wal/wal.h"

namespace lifeboat::wal {
namespace {

using Ids = std::vector<std::uint64_t>;

std::string ids_text(const Ids& ids) {
  std::string out = "[";
  for (const std::uint64_t id : ids) {
    if (out.size() > 1) out += ' ';
    out += etcd::id_text(id);
  }
  return out + ']';
}

Ids sorted(Ids ids) {
  std::ranges::sort(ids);
  return ids;
}

Ids ids_of(const std::vector<etcd::Member>& members) {
  Ids ids;
  for (const etcd::Member& member : members) ids.push_back(member.id);
  return sorted(std::move(ids));
}

class Comparison {
 public:
  Comparison(const etcd::Sidecar& sidecar, const WalSummary& wal, const std::string& snap_name, const SnapSummary& snap)
      : sidecar_(sidecar), wal_(wal), snap_name_(snap_name), snap_(snap) {}

  std::vector<std::string> run() {
    compare_position();
    compare_snapshot_marks();
    compare_members();
    compare_downgrade();
    return std::move(found_);
  }

 private:
  void expect_equal(std::string_view a_name, std::uint64_t a, std::string_view b_name, std::uint64_t b) {
    if (a != b) found_.push_back(fmt::format("{} is {}, but {} is {}.", a_name, a, b_name, b));
  }
  void expect_same_ids(std::string_view a_name, const Ids& a, std::string_view b_name, const Ids& b) {
    if (a != b) found_.push_back(fmt::format("{} are {}, but {} are {}.", a_name, ids_text(a), b_name, ids_text(b)));
  }

  void compare_position() {
    expect_equal("The database's consistent_index", sidecar_.consistent_index(), "the WAL's commit index",
                 wal_.state.commit);
    expect_equal("The WAL's last entry", wal_.last_index, "its commit index", wal_.state.commit);
    expect_equal("The raft snapshot's index", snap_.index, "the WAL's commit index", wal_.state.commit);
    expect_equal("The raft snapshot's term", snap_.term, "the WAL's term", wal_.state.term);
    if (wal_.last_index != 0) {
      expect_equal("The term of the WAL's last entry", wal_.last_term, "the WAL's term", wal_.state.term);
    }
    // etcd 3.4 keeps no term in the database.
    if (sidecar_.value("meta", "term")) {
      expect_equal("The database's term", sidecar_.term(), "the WAL's term", wal_.state.term);
    }
  }

  void compare_snapshot_marks() {
    if (const std::string wanted = snap_file_name(snap_.term, snap_.index); snap_name_ != wanted) {
      found_.push_back(
          fmt::format("The raft snapshot's file is named {}, but its content asks for {}.", snap_name_, wanted));
    }
    const auto is_ours = [&](const WalSummary::SnapshotMark& mark) {
      return mark.index == snap_.index && mark.term == snap_.term;
    };
    const auto mark = std::ranges::find_if(wal_.snapshots, is_ours);
    if (mark == wal_.snapshots.end()) {
      found_.push_back(
          fmt::format("The WAL has no record of the raft snapshot at index {}, term {}.", snap_.index, snap_.term));
    } else if (!mark->voters.empty()) {  // etcd 3.4 writes none
      expect_same_ids("The voters in the WAL's snapshot record", sorted(mark->voters), "those in the raft snapshot",
                      sorted(snap_.voters));
    }
  }

  void compare_members() {
    const Result<std::vector<etcd::Member>> members = sidecar_.members();
    if (!members) {
      found_.push_back("The database's members do not parse: " + members.error().to_string() + '.');
      return;
    }
    for (const etcd::Member& member : *members) {
      if (member.is_learner) {
        found_.push_back(fmt::format("Member {} of the database is a learner.", etcd::id_text(member.id)));
      }
    }
    const Ids ids = ids_of(*members);
    expect_same_ids("The voters in the raft snapshot", sorted(snap_.voters), "the database's members", ids);
    expect_same_ids("The members in the raft snapshot's store", ids_of(snap_.members), "the database's members", ids);
    compare_peer_urls(*members);
    compare_conf_state(ids);
    if (!std::ranges::binary_search(ids, wal_.node_id)) {
      found_.push_back(fmt::format("The WAL belongs to member {}, which is not among the database's members {}.",
                                   etcd::id_text(wal_.node_id), ids_text(ids)));
    }
    if (wal_.state.vote != 0 && !std::ranges::binary_search(ids, wal_.state.vote)) {
      found_.push_back(fmt::format("The WAL's vote is for {}, which is not among the database's members.",
                                   etcd::id_text(wal_.state.vote)));
    }
    expect_cluster_id(ids);
  }

  void compare_peer_urls(const std::vector<etcd::Member>& members) {
    for (const etcd::Member& member : members) {
      const auto other = std::ranges::find(snap_.members, member.id, &etcd::Member::id);
      if (other != snap_.members.end() && other->peer_urls != member.peer_urls) {
        found_.push_back(fmt::format("Member {} has other peer URLs in the database than in the raft snapshot.",
                                     etcd::id_text(member.id)));
      }
    }
  }

  // Nothing reads the database's conf state at boot, but 3.7's successors may: it must not be the
  // old cluster's.
  void compare_conf_state(const Ids& ids) {
    const std::optional<ByteView> value = sidecar_.value("meta", "confState");
    if (!value) return;
    const std::optional<Ids> voters = etcd::parse_conf_state_voters(as_text(*value));
    if (!voters) {
      found_.push_back("The database's confState does not parse.");
    } else {
      expect_same_ids("The voters in the database's confState", sorted(*voters), "the database's members", ids);
    }
  }

  void compare_downgrade() {
    if (sidecar_.value("cluster", "downgrade")) {
      found_.push_back("The database holds the state of a cluster downgrade.");
    }
  }

  void expect_cluster_id(const Ids& ids) {
    const std::uint64_t wanted = etcd::cluster_id(ids);
    if (wal_.cluster_id != wanted) {
      found_.push_back(fmt::format("The WAL's cluster is {}, but the members make it {}.",
                                   etcd::id_text(wal_.cluster_id), etcd::id_text(wanted)));
    }
  }

  const etcd::Sidecar& sidecar_;
  const WalSummary& wal_;
  const std::string& snap_name_;
  const SnapSummary& snap_;
  std::vector<std::string> found_;
};

}  // namespace

std::vector<std::string> disagreements(const etcd::Sidecar& sidecar, const WalSummary& wal,
                                       const std::string& snap_name, const SnapSummary& snap) {
  return Comparison(sidecar, wal, snap_name, snap).run();
}

}  // namespace lifeboat::wal
