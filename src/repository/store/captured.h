// Captured segments: pieces of the log that commit themselves, found by listing instead of by a manifest.
#pragma once

#include <span>
#include <vector>

#include "repository/store/captured_segment.h"
#include "repository/store/read_cache.h"
#include "repository/store/segments.h"

namespace lifeboat::repository {

// The records of (commit.lo, commit.hi], all of them and in order, become one segment of `level` that carries the
// commit: one put, after which they are durable and part of the lineage. The same bytes put twice are one object.
Result<CapturedSegment> publish_captured(const Repository& repo, io::World& world, int level,
                                         const manifest::CaptureCommit& commit, RecordStream& records,
                                         unsigned threads);

// `wider` makes `other` superfluous: it spans it in the same lineage and has every change beside the keys that it has.
bool contains(const CapturedSegment& wider, const CapturedSegment& other);

// All captured segments of the repo, those that a wider one of the same lineage contains left out (as merges leave
// them until their grace is over); by lineage, then lo. `listed`: names that manifests name, which are not opened.
// One that cannot be read is added to `damaged`.
Result<std::vector<CapturedSegment>> load_captured(const Repository& repo, const std::vector<std::string>& listed,
                                                   std::vector<DamagedObject>& damaged);

// The same from a listing of `s/`, with those that a wider one contains. What `cache` (or null) has is not read.
Result<std::vector<CapturedSegment>> read_captured(const Repository& repo,
                                                   const std::vector<storage::ObjectInfo>& listing,
                                                   const std::vector<std::string>& listed,
                                                   std::vector<DamagedObject>& damaged, ReadCache* cache = nullptr);
// In order, and without those that a wider one contains.
std::vector<CapturedSegment> without_contained(std::vector<CapturedSegment> all);

// Of `captured` (one lineage, ascending by lo), those that carry a log that ends at `from` furthest, in order: each
// begins at or below where the one before ends. Overlaps are legal: read_segments delivers each record once.
std::vector<const CapturedSegment*> chain_from(std::span<const CapturedSegment> captured, std::int64_t from);

}  // namespace lifeboat::repository
