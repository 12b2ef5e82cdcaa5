// LogReader: the state of a chain at a revision, as two passes over its segments.
#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "base/progress.h"
#include "io/work_limits.h"
#include "repository/log/visibility.h"
#include "repository/store/segments.h"

namespace lifeboat::repository {

struct LogReadOptions {
  std::int64_t revision = 0;
  std::int64_t compaction = -1;  // for HashKV at (compaction, revision)
  io::WorkLimits limits;
  bool check = false;  // the rules of the log: contiguity, versions, digests
};

// The state at `revision` with all rules checked, and what HashKV at (revision, revision) needs.
inline LogReadOptions checked_read(std::int64_t revision, io::WorkLimits limits) {
  return {.revision = revision, .compaction = revision, .limits = std::move(limits), .check = true};
}

// A record and what a reader at the revision makes of it.
struct SeenRecord {
  etcd::Record record;
  bool visible = false;
  bool live_at_compaction = false;
};

// The records of a chain up to a revision, in order.
class SeenRecords {
 public:
  virtual ~SeenRecords() = default;
  virtual Result<bool> next(SeenRecord& out) = 0;
  virtual std::uint64_t records() const = 0;                     // that next() delivers in all
  virtual const std::vector<std::string>& findings() const = 0;  // broken rules, when options.check
};

// Opening it makes the first pass (which builds the visibility); next() is the second. Records above the revision
// are not delivered.
class LogReader : public SeenRecords {
 public:
  static Result<std::unique_ptr<LogReader>> open(const Repository& repo, io::World& world,
                                                 const manifest::Manifest& manifest, LogReadOptions options,
                                                 Progress& progress);
  virtual const Visibility& visibility() const = 0;
};

// The same records by the shortest way: a base that says which of its records are visible is read once, and only what
// came after it is read before. Takes two passes when it cannot (a revision within the base, a compaction asked for,
// an index that would spill). With options.check the findings are complete once next() has said false.
Result<std::unique_ptr<SeenRecords>> read_log(const Repository& repo, io::World& world,
                                              const manifest::Manifest& manifest, LogReadOptions options,
                                              Progress& progress);

// The same but for the values, which are read only where blocks are not stored by key. Nothing is checked.
struct SeenHead {
  segment::Head head;
  bool visible = false;
};
class SeenHeads {
 public:
  virtual ~SeenHeads() = default;
  // The head's key stays valid until the next call.
  virtual Result<bool> next(SeenHead& out) = 0;
};
Result<std::unique_ptr<SeenHeads>> read_log_heads(const Repository& repo, io::World& world,
                                                  const manifest::Manifest& manifest, const LogReadOptions& options,
                                                  Progress& progress);

// HashKV from the log at (compaction, revision); compaction -1 for never.
struct LogHash {
  std::uint32_t hash = 0;
  std::uint64_t live_keys = 0;
  std::uint64_t records = 0;
};
Result<LogHash> hash_log(const Repository& repo, io::World& world, const manifest::Manifest& manifest,
                         std::int64_t compaction, std::int64_t revision, LogReadOptions options, Progress& progress);

// kLogRuleBroken where the log gives another number of live keys at the manifest's revision than were counted when the
// point was made. A count of 0 is none: captured points have no other.
Status require_live_keys(const manifest::Manifest& manifest, std::uint64_t live_keys);

}  // namespace lifeboat::repository
