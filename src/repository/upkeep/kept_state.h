// States of a lineage that stay when the history before them ends, as segments of their own.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/progress.h"
#include "repository/log/visibility.h"
#include "repository/store/segments.h"
#include "repository/upkeep/history_policy.h"

namespace lifeboat::repository {

struct KeptState {
  std::int64_t revision = 0;
  manifest::SegmentList segments;   // all that it needs
  std::optional<VisibleBits> bits;  // of the old log up to the revision
  std::uint32_t hash = 0;           // HashKV at (revision, revision)
  std::uint64_t live_keys = 0;
};

// What is stored is not what it should be: a sentence for people.
struct Contradiction {
  std::string sentence;
};
template <typename T>
using Checked = std::expected<T, Contradiction>;

// Borrows all that it is given.
class StateWriter {
 public:
  // `log` is the one that is merged.
  StateWriter(const Repository& repo, io::World& world, const manifest::Manifest& log, const HistoryPolicy& policy,
              Progress& progress)
      : repo_(repo), world_(world), log_(log), policy_(policy), progress_(progress) {}

  // A state that is stored already and can be added to: `segments` give the log at `revision`.
  Result<KeptState> stored(std::int64_t revision, const manifest::SegmentList& segments);
  // The state at `revision` as what is added to `from`; a base where that has no segments. A contradiction: the log
  // breaks a rule.
  Result<Checked<KeptState>> write(const KeptState& from, std::int64_t revision);
  // Reads it from the store, with all digests and rules: whether it is that state.
  Result<Checked<void>> check(const KeptState& state);

 private:
  std::unique_ptr<SegmentWriter> begin_segment(const KeptState& from, std::int64_t revision,
                                               segment::RevisionList removed);

  const Repository& repo_;
  io::World& world_;
  const manifest::Manifest& log_;
  const HistoryPolicy& policy_;
  Progress& progress_;
};

}  // namespace lifeboat::repository
