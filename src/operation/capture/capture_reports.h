// CaptureReports: the events of capture as sentences for its listener; repeated failures beside the keys are reported
// once.
#pragma once

#include <string>

#include "operation/capture/capture_log.h"

namespace lifeboat::operation {

class CaptureReports {
 public:
  // Borrows both.
  CaptureReports(const CaptureLog& log, const CaptureListener& listener) : log_(log), listener_(listener) {}

  void following(const std::string& endpoint);
  // `reason`: why it was taken; may be empty.
  void base(const BackupReport& report, const CaptureHead& head, const std::string& endpoint,
            const std::string& reason);
  // Revisions between `end_before`, the last one stored, and what the base has; nothing when there are none.
  void gap(std::int64_t end_before, const BackupReport& report);
  void new_lineage(const CaptureHead& head);
  void failure(const Error& error);
  // Counts only polls that failed while the watch was open; a lost cluster is reported separately.
  void watch_opened(const SidecarWatch::Polls& polls) { polls_before_ = polls.done; }
  void sidecar(const SidecarWatch::Polls& polls);

  bool has_followed() const { return has_followed_; }

 private:
  CaptureEvent event(CaptureEvent::Kind kind, std::string text) const;

  const CaptureLog& log_;
  const CaptureListener& listener_;
  bool has_followed_ = false, was_lost_ = false, store_failed_ = false, sidecar_failing_ = false;
  unsigned polls_before_ = 0;  // when the watch was opened
};

}  // namespace lifeboat::operation
