#include "operation/capture/capture_reports.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "operation/capture/capture_errors.h"

namespace lifeboat::operation {
namespace {

using Kind = CaptureEvent::Kind;

constexpr unsigned kFailedPollsMin = 3;  // in a row, before they are reported

}  // namespace

CaptureEvent CaptureReports::event(Kind kind, std::string text) const {
  return {.kind = kind,
          .text = std::move(text),
          .revision = log_.durable(),
          .time = log_.durable_time(),
          .lineage = log_.head().lineage.id,
          .endpoint = {}};
}

void CaptureReports::following(const std::string& endpoint) {
  if (std::exchange(store_failed_, false) && !log_.failing())
    listener_(event(Kind::kStoreRecovered, "the repo answers again"));
  CaptureEvent following = event(was_lost_ ? Kind::kRecovered : Kind::kFollowing,
                                 fmt::format("following {} from revision {}", endpoint, log_.head().revision));
  following.endpoint = endpoint;
  was_lost_ = false;
  has_followed_ = true;
  listener_(following);
}

void CaptureReports::base(const BackupReport& report, const CaptureHead& head, const std::string& endpoint,
                          const std::string& reason) {
  CaptureEvent base = event(
      Kind::kBase, fmt::format("took a base at revision {}{}", report.revision, reason.empty() ? "" : ": " + reason));
  base.revision = report.revision;
  base.time = head.latest;
  base.bytes = report.stored_bytes;
  base.seconds = report.total_seconds;
  base.lineage = head.lineage.id;
  base.endpoint = endpoint;
  listener_(base);
}

void CaptureReports::gap(std::int64_t end_before, const BackupReport& report) {
  if (report.complete_from <= end_before + 1) return;
  CaptureEvent gap = event(Kind::kGap, fmt::format("etcd had compacted revisions {} to {} before they were stored",
                                                   end_before + 1, report.complete_from - 1));
  gap.revision = report.revision;
  gap.lineage = report.lineage;
  gap.gap_from = end_before + 1;
  gap.gap_to = report.complete_from - 1;
  listener_(gap);
}

void CaptureReports::new_lineage(const CaptureHead& head) {
  CaptureEvent begun = event(Kind::kNewLineage, fmt::format("a new lineage begins: {}", head.lineage.reason));
  begun.revision = head.revision;
  begun.time = head.latest;
  begun.lineage = head.lineage.id;
  listener_(begun);
}

void CaptureReports::failure(const Error& error) {
  const bool of_store = is_store_error(error);
  (of_store ? store_failed_ : was_lost_) = true;
  listener_(event(of_store ? Kind::kStoreFailed : Kind::kEndpointLost, error.to_string()));
}

void CaptureReports::sidecar(const SidecarWatch::Polls& polls) {
  const unsigned done = polls.done - polls_before_;
  if (!sidecar_failing_ && std::min(polls.failed_in_a_row, done) >= kFailedPollsMin) {
    sidecar_failing_ = true;
    listener_(event(Kind::kSidecarFailed,
                    fmt::format("changes of leases, members and users are not captured, since etcd cannot be asked: {}",
                                polls.failure->to_string())));
  } else if (sidecar_failing_ && done != 0 && polls.failed_in_a_row == 0) {
    sidecar_failing_ = false;
    listener_(event(Kind::kSidecarRecovered, "changes of leases, members and users are captured again"));
  }
}

}  // namespace lifeboat::operation
