#include "format/manifest/manifest.h"

#include "base/object_name.h"
#include "crypto/hash.h"
#include "format/canonical_json.h"
#include "format/manifest/limits.h"
#include "format/manifest/origin_fields.h"
#include "format/manifest/prologue.h"

namespace lifeboat::manifest {
namespace {

using json::Fields;
using json::Json;

constexpr std::string_view kWhat = "a manifest";
constexpr Prologue kPrologue{.what = kWhat, .magic = "lifeboat manifest", .version = 1};
constexpr std::size_t kMaxBytes = 16u << 20;
constexpr std::size_t kMaxSegments = 65536;
constexpr std::size_t kMaxObjectName = 512;  // a bound of the format, tighter than what a store takes
constexpr std::size_t kMaxPurpose = 64;
constexpr std::size_t kMaxReplaces = 1024;

Json encode(const SegmentRef& segment) {
  return {{"object", segment.object},
          {"lo", static_cast<std::uint64_t>(segment.lo)},
          {"hi", static_cast<std::uint64_t>(segment.hi)},
          {"complete_from", static_cast<std::uint64_t>(segment.complete_from)},
          {"records", segment.records},
          {"stored_bytes", segment.stored_bytes},
          {"plain_bytes", segment.plain_bytes},
          {"digest", segment.digest},
          {"removes", segment.removes}};
}

SegmentRef decode_segment(Fields& in) {
  SegmentRef out;
  out.object = in.text("object");
  out.lo = in.revision("lo");
  out.hi = in.revision("hi");
  out.complete_from = in.revision("complete_from");
  out.records = in.number("records");
  out.stored_bytes = in.number("stored_bytes");
  out.plain_bytes = in.number("plain_bytes");
  out.digest = in.text("digest");
  out.removes = in.flag("removes");
  if (!is_object_name(out.object, kMaxObjectName)) in.refuse("object", "is not the name of an object");
  if (out.hi < out.lo) in.refuse("hi", "is below lo");
  if (crypto::ContentDigest digest; !crypto::ContentDigest::parse(out.digest, digest))
    in.refuse("digest", "is not 32 hex digits");
  return out;
}

// Neither a hole nor a step back.
bool continues(const SegmentRef& before, const SegmentRef& next) {
  return next.lo <= before.hi && before.hi <= next.hi;
}

// The segments of a point, which follow each other without hole; two captures may overlap.
Result<SegmentList> decode_segments(const Json& list) {
  SegmentList out;
  out.reserve(list.size());
  for (const Json& item : list) {
    if (!item.is_object()) return fail(ErrorCode::kObjectDamaged, "a manifest is damaged", "a segment is no object");
    Fields in(item, "a manifest's segment");
    SegmentRef segment = decode_segment(in);
    if (!out.empty() && !continues(out.back(), segment)) in.refuse("lo", "does not continue the segment before it");
    TRY(in.status());
    out.push_back(std::move(segment));
  }
  return out;
}

}  // namespace

Bytes encode_manifest(const Manifest& manifest) {
  Json segments = Json::array();
  for (const SegmentRef& segment : manifest.segments) segments.push_back(encode(segment));
  Json root = {{"magic", kPrologue.magic},
               {"version", kPrologue.version},
               {"lineage", lineage_fields(manifest.lineage)},
               {"source", source_fields(manifest.source)},
               {"revision", static_cast<std::uint64_t>(manifest.revision)},
               {"compact_revision", manifest.compact_revision},
               {"earliest_ns", manifest.earliest.ns},
               {"latest_ns", manifest.latest.ns},
               {"live_keys", manifest.live_keys},
               {"records", manifest.records},
               {"leases", manifest.leases},
               {"sidecar_digest", manifest.sidecar_digest},
               {"segments", std::move(segments)},
               {"tags", manifest.tags},
               {"writer_version", manifest.writer_version},
               {"writer", manifest.writer},
               {"sequence", manifest.sequence},
               {"previous", manifest.previous}};
  if (!manifest.purpose.empty()) root["purpose"] = manifest.purpose;
  if (!manifest.replaces.empty()) root["replaces"] = manifest.replaces;
  return json::dump(root);
}

Result<Manifest> decode_manifest(ByteView bytes) {
  const Json root = TRY(json::parse_object(bytes, kMaxBytes, kWhat));
  Fields in(root, kWhat);
  TRY(read_prologue(in, kPrologue));
  Fields lineage(in.child("lineage"), "a manifest's lineage");
  Fields source(in.child("source"), "a manifest's source");
  TRY(in.status());
  Manifest out;
  out.lineage = read_lineage(lineage);
  TRY(lineage.status());
  out.source = read_source(source);
  TRY(source.status());
  out.revision = in.revision("revision");
  out.compact_revision = in.integer("compact_revision");
  out.earliest = in.time("earliest_ns");
  out.latest = in.time("latest_ns");
  out.live_keys = in.number("live_keys");
  out.records = in.number("records");
  out.leases = in.number("leases");
  out.sidecar_digest = in.text("sidecar_digest");
  out.segments = TRY(decode_segments(in.array("segments", kMaxSegments)));
  out.tags = in.text_map("tags", kMaxTags);
  out.writer_version = in.text("writer_version");
  out.writer = in.text("writer");
  out.sequence = in.number("sequence");
  out.previous = in.text("previous");
  if (in.has("purpose")) out.purpose = in.text("purpose", kMaxPurpose);
  if (in.has("replaces")) out.replaces = in.texts("replaces", kMaxReplaces);
  for (const std::string& name : out.replaces)
    if (!is_object_name(name, kMaxObjectName)) in.refuse("replaces", "names no object");
  TRY(in.status());
  return out;
}

}  // namespace lifeboat::manifest
