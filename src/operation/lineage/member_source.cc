#include "operation/lineage/member_source.h"

#include <fmt/format.h>

#include "format/etcd/sidecar.h"

namespace lifeboat::operation {

void describe_member(const source::MemberStatus& status, manifest::Source& source) {
  source.cluster_id = etcd::id_text(status.cluster_id);
  source.member_id = etcd::id_text(status.member_id);
  source.endpoint = status.endpoint;
  source.etcd_version = status.version;
}

Result<std::int64_t> current_revision(source::Client& client) {
  constexpr std::byte kFirstKey[] = {std::byte{0}};
  return TRY(client.range(kFirstKey, {}, 0, 1, true)).revision;
}

std::vector<std::string> member_warnings(const source::MemberStatus& status) {
  std::vector<std::string> out;
  for (const auto& error : status.errors) out.push_back(fmt::format("{} reports: {}", status.endpoint, error));
  if (status.is_learner) out.push_back(fmt::format("{} is a learner", status.endpoint));
  return out;
}

}  // namespace lifeboat::operation
