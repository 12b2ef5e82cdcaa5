// What a database file on disk tells without reading its records: sidecar buckets and revision.
#pragma once

#include <string>

#include "format/bbolt/page.h"
#include "format/etcd/sidecar.h"
#include "io/file_system.h"

namespace lifeboat::operation {

struct DatabaseFront {
  bbolt::Meta meta;
  std::uint64_t file_bytes = 0;
};
// The live meta. kNotADatabase, kDatabaseDamaged, kSnapshotTruncated when the file is shorter than its pages.
Result<DatabaseFront> read_database_front(io::File& file);

// The revision of the store that this file holds: of its last record, or the compaction it is to do. One path down the
// tree is read, whatever the size.
Result<std::int64_t> read_database_revision(io::File& file);

// Every bucket but `key`, as a sidecar. The pages of those buckets are checked as they are read.
Result<etcd::Sidecar> read_database_sidecar(io::File& file);

}  // namespace lifeboat::operation
