#include "operation/lineage/history_search.h"

#include "format/etcd/sidecar.h"

namespace lifeboat::operation {
namespace {

constexpr int kRaftPositionRetries = 5;

}  // namespace

Result<FoundHistory> HistorySearch::find(const repository::Repository& repo, const Members& live) const {
  FoundHistory found;
  const auto catalogue = TRY(repository::Catalogue::load(repo));
  for (CaptureHead& head : TRY(load_capture_heads(repo, catalogue, etcd::id_text(live.front().cluster_id)))) {
    if (!found.newest) found.newest = head;
    const auto compared = TRY(compare(head, live));
    if (compared.answer == Continuation::Answer::kDiffers) {
      found.reason = compared.reason;
      continue;
    }
    found.is_compacted = compared.answer == Continuation::Answer::kCompacted;
    found.continued = std::move(head);
    break;
  }
  return found;
}

Result<Continuation> HistorySearch::compare(const CaptureHead& head, Members live) const {
  for (int retries = 0;; ++retries) {
    auto compared = TRY(continues(client_, head, live));
    const bool may_lag = compared.difference == Continuation::Difference::kRaftPosition;
    if (!may_lag || retries == kRaftPositionRetries || cancelled_()) return compared;
    live = TRY(ask_again_());
  }
}

}  // namespace lifeboat::operation
