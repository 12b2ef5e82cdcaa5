// CapturedSegment: a piece of the log and the commit that it carries.
#pragma once

#include "format/manifest/capture.h"

namespace lifeboat::repository {

// Levels of captured segments, by the time they span (docs/format/segment.md).
inline constexpr int kFlushLevel = 0;  // as flushed; 1: a minute, 2: five minutes, 3: an hour, 4: a day

struct CapturedSegment {
  manifest::SegmentRef ref;  // complete_from = lo: its first revision follows lo without a gap
  int level = 0;
  manifest::CaptureCommit commit;
};

}  // namespace lifeboat::repository
