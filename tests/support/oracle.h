// The oracle: a program of its own that fills a cluster, tells what is in it, and tries whether it is alive.
#pragma once

#include <string>
#include <vector>

#include "support/etcd.h"

namespace lifeboat::testing {

// Fills the cluster: {"--objects", "1000", "--leases", "10", …}; see tests/oracle/load.go for the flags. After
// "--auth" the cluster's password is set. Throws std::runtime_error.
void load(EtcdCluster& cluster, const std::vector<std::string>& flags);

// One JSON object a line: keys, leases, users, roles, whether authentication is on; and with `everything` also the
// HashKV of each member, the revision and the number of members, which a restore changes. `revision` 0: now.
// Throws std::runtime_error.
std::vector<std::string> dump(const EtcdCluster& cluster, std::int64_t revision = 0, bool everything = false);

// Empty when the dumps are equal, else the first few lines that only one of them has.
std::string difference(const std::vector<std::string>& expected, const std::vector<std::string>& actual);

// Writes, watches, leases, compaction, defragmentation, snapshot, member change; reads and watches below
// `compacted_below` must be refused as compacted (0: not tried). Empty when all is well, else a sentence.
std::string check_alive(const EtcdCluster& cluster, std::int64_t compacted_below = 0);

// Copies a database file to one with another page size. Throws std::runtime_error.
void repage(const std::string& from, const std::string& to, int page_bytes);

// The cluster's revision now.
std::int64_t current_revision(const EtcdCluster& cluster);

}  // namespace lifeboat::testing
