// How large the database of a target becomes: bounds from what manifests say, the size from what its records are.
#pragma once

#include "base/progress.h"
#include "repository/catalogue/catalogue.h"
#include "repository/log/log_reader.h"

namespace lifeboat::operation {

struct DatabaseBounds {
  std::uint64_t state_bytes = 0;    // of what lives at the revision, at most
  std::uint64_t history_bytes = 0;  // of everything up to the revision, at most
};
// Reads nothing. What lives at a revision is no more than the newest snapshot at or below it had in use, and the
// records behind that snapshot. On a busy cluster this may be many times the database.
DatabaseBounds database_bounds(const repository::Catalogue& catalogue, const manifest::Manifest& manifest,
                               std::int64_t revision);

// Of what lives at options.revision: never less than the database takes, and at most about an eighth more. Reads the
// log, where it is stored by key without the values.
Result<std::uint64_t> measure_state(const repository::Repository& repo, io::World& world,
                                    const manifest::Manifest& manifest, const repository::LogReadOptions& options,
                                    Progress& progress);

}  // namespace lifeboat::operation
