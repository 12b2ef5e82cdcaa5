// The live keys of a target, one after another in revision order: what listing, showing and comparing share. Heads
// where the values are not wanted.
#pragma once

#include "base/progress.h"
#include "io/work_limits.h"
#include "repository/catalogue/catalogue.h"
#include "repository/log/log_reader.h"

namespace lifeboat::operation {

bool has_prefix(ByteView key, ByteView prefix);

struct LiveRecord {
  etcd::Revision revision;
  etcd::KeyValue kv;  // borrows from the reader until the next call
  ByteView stored;    // the whole value as etcd stores it
};

Result<std::unique_ptr<repository::SeenRecords>> open_live(const repository::Repository& repo, io::World& world,
                                                           const repository::Catalogue::Target& target,
                                                           const io::WorkLimits& limits, Progress& progress);
// The next live key under `prefix`; false at the end.
Result<bool> next_live(repository::SeenRecords& log, ByteView prefix, Progress& progress, LiveRecord& out);

Result<std::unique_ptr<repository::SeenHeads>> open_live_heads(const repository::Repository& repo, io::World& world,
                                                               const repository::Catalogue::Target& target,
                                                               const io::WorkLimits& limits, Progress& progress);
// The same; the key stays valid until the next call.
Result<bool> next_live(repository::SeenHeads& log, ByteView prefix, Progress& progress, segment::Head& out);

}  // namespace lifeboat::operation
