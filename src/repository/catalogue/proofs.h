// What the HashKV of live members proves about the revisions of a lineage; pure.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "format/manifest/manifest.h"
#include "repository/catalogue/coverage.h"

namespace lifeboat::repository {

enum class Proof { kProven, kUnproven, kDisagrees };

// What an attestation of kind hashkv says of its own revision.
Proof verdict_of(const manifest::Attestation& attestation);
// A HashKV that every member which answered has in common with the log.
bool is_proof(const manifest::Attestation& attestation);
// Whether HashKV at (compact_revision, revision) can be computed from a log of this coverage.
bool can_compute(const std::vector<Coverage>& log, std::int64_t compact_revision, std::int64_t revision);

// The proofs of one lineage. HashKV at (C, X) takes in the records in (C, X], and of those at or below C only what is
// visible at X [etcd v3.6 server/storage/mvcc/hash.go; observed with 3.4 to 3.7]. So it proves the state at X whole.
// Of a revision R below, with C <= R, it proves what changed since C; a row from C or before that was written over in
// (R, X] is in no hash. R is proven by two: one at X0 <= R for the state there, and one at X1 >= R with C1 <= X0 for
// all that came since. Both speak of the same records, whichever bases they were read from: no base joins a lineage
// that was not compared with its log.
class Proofs {
 public:
  // Those among `all`, which may be of any kind and lineage.
  Proofs(const std::vector<manifest::Attestation>& all, const LineageId& lineage);

  struct Proven {
    std::int64_t since = 0, by = 0;  // X0 and X1
    bool takes_in_all() const;       // X0 is the empty store: one proof was enough
  };
  std::optional<Proven> find(std::int64_t revision) const;
  // The last proof at or below `revision`; 0: none.
  std::int64_t last_up_to(std::int64_t revision) const;
  // The lowest revision that `proof`, one of these, proves with another's help: that one's, or its own.
  std::int64_t proves_from(const manifest::Attestation& proof) const;

 private:
  struct Hash {
    std::int64_t compact = 0, revision = 0;
  };
  std::vector<Hash> hashes_;           // by revision
  std::vector<std::int64_t> anchors_;  // ascending: where the whole state is known to be right
};

}  // namespace lifeboat::repository
