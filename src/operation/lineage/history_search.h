// HistorySearch: which stored history the live cluster continues.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "operation/lineage/capture_head.h"

namespace lifeboat::operation {

struct FoundHistory {
  std::optional<CaptureHead> continued;  // by the live cluster
  std::optional<CaptureHead> newest;     // of the cluster, continued or not
  bool is_compacted = false;             // etcd has dropped revisions above the end of `continued`
  std::string reason;                    // why the last one that was rejected is not continued
};

class HistorySearch {
 public:
  using Members = std::vector<source::MemberStatus>;
  // `ask_again` pauses before it asks the members for their status.
  HistorySearch(source::Client& client, std::function<Result<Members>()> ask_again, std::function<bool()> cancelled)
      : client_(client), ask_again_(std::move(ask_again)), cancelled_(std::move(cancelled)) {}

  // Among the histories that the repo has of the cluster, newest first.
  Result<FoundHistory> find(const repository::Repository& repo, const Members& live) const;
  // As continues(), with patience for a member that lags and so reports an older raft position.
  Result<Continuation> compare(const CaptureHead& head, Members live) const;

 private:
  source::Client& client_;
  const std::function<Result<Members>()> ask_again_;
  const std::function<bool()> cancelled_;
};

}  // namespace lifeboat::operation
