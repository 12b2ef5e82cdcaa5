// Verifications: what attestations of kind `verify` say of one point, taken together.
#pragma once

#include <vector>

#include "format/manifest/manifest.h"

namespace lifeboat::repository {

// A verification of a level repeats what the levels below it look at. So a failure holds until one at least as deep is
// clean, and a shallower one says nothing against what a deeper one found.
class Verifications {
 public:
  void add(const manifest::Attestation& attestation);  // no older than any before

  // The deepest that failed and that no clean one, at least as deep, came after; the newest of that level. Null: none.
  const manifest::Attestation* failed() const;
  // The deepest clean one after which none failed; the newest of that level. Null: none.
  const manifest::Attestation* clean() const;
  // What to show where there is room for one: a failure first.
  const manifest::Attestation* telling() const;
  // Whether one of at least this level was clean at `time` or later, and none failed since.
  bool is_clean_since(Timestamp time, int level) const;

 private:
  std::vector<manifest::Attestation> kept_;  // the newest of each level and outcome, by time
};

}  // namespace lifeboat::repository
