// A member as the source of what is stored: the same for snapshots, watches and continued backups.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "format/manifest/origin.h"
#include "source/etcd/client.h"

namespace lifeboat::operation {

// Fills in cluster, member and version; the cluster's name and the raft position are the caller's.
void describe_member(const source::MemberStatus& status, manifest::Source& source);
// The cluster's revision now, by a read that its majority answers.
Result<std::int64_t> current_revision(source::Client& client);
// What it says is wrong with itself, a sentence each.
std::vector<std::string> member_warnings(const source::MemberStatus& status);

}  // namespace lifeboat::operation
