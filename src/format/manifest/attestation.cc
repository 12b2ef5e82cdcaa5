// Attestations: what was proven of a point, as canonical JSON.
#include <algorithm>
#include <cmath>

#include "format/canonical_json.h"
#include "format/manifest/manifest.h"
#include "format/manifest/prologue.h"

namespace lifeboat::manifest {
namespace {

using json::Fields;
using json::Json;

constexpr std::string_view kWhat = "an attestation";
constexpr Prologue kPrologue{.what = kWhat, .magic = "lifeboat attestation", .version = 1};
constexpr std::size_t kMaxBytes = 1u << 20;
constexpr std::size_t kMaxMembers = 256;
constexpr std::uint64_t kMaxLevel = 5;

Json encode(const Attestation::MemberHash& member) {
  return {{"member_id", member.member_id},
          {"endpoint", member.endpoint},
          {"compact_revision", member.compact_revision},
          {"live", member.live},
          {"computed", member.computed}};
}

Result<Attestation::MemberHash> decode_member(const Json& item) {
  if (!item.is_object()) return fail(ErrorCode::kObjectDamaged, "an attestation is damaged", "a member is no object");
  Fields in(item, "an attestation's member");
  Attestation::MemberHash out;
  out.member_id = in.text("member_id");
  out.endpoint = in.text("endpoint");
  out.compact_revision = in.integer("compact_revision");
  out.live = in.number32("live");
  out.computed = in.number32("computed");
  TRY(in.status());
  return out;
}

}  // namespace

bool Attestation::hashes_agree() const {
  return std::ranges::all_of(members, [](const MemberHash& m) { return m.live == m.computed; });
}

Bytes encode_attestation(const Attestation& attestation) {
  Json members = Json::array();
  for (const auto& member : attestation.members) members.push_back(encode(member));
  const double seconds = attestation.duration_seconds;
  return json::dump({{"magic", kPrologue.magic},
                     {"version", kPrologue.version},
                     {"lineage", attestation.lineage.text()},
                     {"revision", static_cast<std::uint64_t>(attestation.revision)},
                     {"made_ns", attestation.made.ns},
                     {"kind", attestation.kind},
                     {"agreed", attestation.agreed},
                     {"reason", attestation.reason},
                     {"level", attestation.level},
                     {"members", std::move(members)},
                     {"restore_hash", attestation.restore_hash},
                     {"duration_seconds", std::isfinite(seconds) && seconds > 0 ? seconds : 0.0},
                     {"writer_version", attestation.writer_version}});
}

Result<Attestation> decode_attestation(ByteView bytes) {
  const Json root = TRY(json::parse_object(bytes, kMaxBytes, kWhat));
  Fields in(root, kWhat);
  TRY(read_prologue(in, kPrologue));
  Attestation out;
  out.lineage = in.id<LineageId>("lineage");
  out.revision = in.revision("revision");
  out.made = in.time("made_ns");
  out.kind = in.text("kind");
  out.agreed = in.flag("agreed");
  out.reason = in.text("reason");
  out.level = static_cast<int>(in.number("level", kMaxLevel));
  for (const Json& item : in.array("members", kMaxMembers)) out.members.push_back(TRY(decode_member(item)));
  out.restore_hash = in.number32("restore_hash");
  out.duration_seconds = in.real("duration_seconds");
  out.writer_version = in.text("writer_version");
  TRY(in.status());
  return out;
}

}  // namespace lifeboat::manifest
