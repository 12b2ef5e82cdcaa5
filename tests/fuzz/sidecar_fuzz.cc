// Fuzz target: the sidecar's stored form, its typed readers and its rewriting, whatever the rows
// hold.
#include <cstdint>

#include "format/etcd/rewrite.h"

namespace {

using namespace lifeboat;
using namespace lifeboat::etcd;

void read_all(const Sidecar& sidecar) {
  if (const auto members = sidecar.members()) {
    for (const Member& member : *members) {
      const auto again = parse_member_json(member_json(member));
      if (!again || again->id != member.id) __builtin_trap();
    }
  }
  if (const auto leases = sidecar.leases()) {
    for (const Lease& lease : *leases) {
      if (encode_lease(lease).size() > 33) __builtin_trap();
    }
  }
  static_cast<void>(sidecar.alarms());
  static_cast<void>(source_minor(sidecar));
  static_cast<void>(sidecar.user_names());
}

void rewrite(const Sidecar& sidecar, std::optional<Minor> target) {
  RewriteOptions options;
  options.cluster.members = {{.id = 1, .name = "a", .peer_urls = {"http://a:1"}, .client_urls = {}}};
  options.target = target;
  RewriteReport report;
  const Sidecar out = rewrite_for_restore(sidecar, options, report);
  if (out.consistent_index() != 1 || out.members().value().size() != 1) __builtin_trap();
  if (Sidecar::decode(out.encode()).value() != out) __builtin_trap();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Result<Sidecar> sidecar = Sidecar::decode({reinterpret_cast<const std::byte*>(data), size});
  if (!sidecar) return 0;
  if (Sidecar::decode(sidecar->encode()).value() != *sidecar) __builtin_trap();
  read_all(*sidecar);
  rewrite(*sidecar, std::nullopt);
  for (int minor = 4; minor < 8; ++minor) rewrite(*sidecar, Minor{.major = 3, .minor = minor});
  return 0;
}
