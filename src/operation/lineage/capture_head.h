// CaptureHead: where the stored history of a cluster ends, and whether the live cluster continues it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "format/etcd/sidecar.h"
#include "repository/catalogue/catalogue.h"
#include "repository/store/repository.h"
#include "repository/store/segments.h"
#include "source/etcd/client.h"

namespace lifeboat::operation {

struct KeptRecord {
  etcd::RevisionKey key;
  Bytes value;
};
// The last records of a store's last revision, one of each key: what the cluster serves at that revision. No more than
// are compared with it.
class LastRecords {
 public:
  // Revisions ascend.
  void add(const etcd::Record& record);
  const std::vector<KeptRecord>& records() const { return records_; }

 private:
  std::int64_t main_ = 0;
  std::vector<KeptRecord> records_;
};

struct CaptureHead {
  manifest::Lineage lineage;
  std::string cluster;     // its name, for people
  std::string cluster_id;  // hex
  std::int64_t revision = 0;
  Timestamp latest;              // the store had reached it
  std::uint64_t raft_index = 0;  // the store had at least come so far when it reached the revision
  std::uint64_t raft_term = 0;
  std::vector<KeptRecord> last;  // see LastRecords
  etcd::Sidecar sidecar;         // as last known
};

// The ends of every lineage of the cluster that the catalogue has, newest first: one that was parted from another comes
// before it.
Result<std::vector<CaptureHead>> load_capture_heads(const repository::Repository& repo,
                                                    const repository::Catalogue& catalogue,
                                                    const std::string& cluster_id);
// The end of one lineage.
Result<CaptureHead> load_capture_head(const repository::Repository& repo, const LineageId& lineage);

// Rule 7 of the log: what the live cluster says of the stored history.
struct Continuation {
  enum class Answer { kContinues, kCompacted, kDiffers };
  enum class Difference { kClusterId, kRevision, kRecord, kRaftPosition };
  Answer answer = Answer::kContinues;
  std::optional<Difference> difference;  // when it differs
  std::string reason;                    // likewise: a sentence
};
// Compares the cluster id, the raft position (the furthest of `live`) and the last revision's records. Errors are the
// client's: nobody could be asked. kCompacted: etcd has dropped revisions above the head.
Result<Continuation> continues(source::Client& client, const CaptureHead& head,
                               const std::vector<source::MemberStatus>& live);

}  // namespace lifeboat::operation
