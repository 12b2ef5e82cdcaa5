#include "format/manifest/origin_fields.h"

namespace lifeboat::manifest {

using json::Fields;
using json::Json;

namespace {
constexpr std::size_t kMaxWarnings = 1024;
}  // namespace

Json lineage_fields(const Lineage& lineage) {
  Json fields{{"id", lineage.id.text()},
              {"parent", lineage.parent.text()},
              {"fork_revision", static_cast<std::uint64_t>(lineage.fork_revision)},
              {"reason", lineage.reason}};
  if (lineage.parent_revision > 0) fields["parent_revision"] = static_cast<std::uint64_t>(lineage.parent_revision);
  if (lineage.parent_seen.ns != 0) fields["parent_seen_ns"] = lineage.parent_seen.ns;
  return fields;
}

Lineage read_lineage(Fields& in) {
  Lineage out;
  out.id = in.id<LineageId>("id");
  out.parent = in.id<LineageId>("parent");
  out.fork_revision = in.revision("fork_revision");
  if (in.has("parent_revision")) out.parent_revision = in.revision("parent_revision");
  if (in.has("parent_seen_ns")) out.parent_seen = in.time("parent_seen_ns");
  out.reason = in.text("reason");
  return out;
}

Json source_fields(const Source& source) {
  return {{"kind", source.kind},
          {"cluster", source.cluster},
          {"cluster_id", source.cluster_id},
          {"member_id", source.member_id},
          {"member_name", source.member_name},
          {"endpoint", source.endpoint},
          {"etcd_version", source.etcd_version},
          {"file_sha256", source.file_sha256},
          {"file_bytes", source.file_bytes},
          {"in_use_bytes", source.in_use_bytes},
          {"page_bytes", source.page_bytes},
          {"consistent_index", source.consistent_index},
          {"term", source.term},
          {"warnings", source.warnings}};
}

Source read_source(Fields& in) {
  Source out;
  out.kind = in.text("kind");
  out.cluster = in.text("cluster");
  out.cluster_id = in.text("cluster_id");
  out.member_id = in.text("member_id");
  out.member_name = in.text("member_name");
  out.endpoint = in.text("endpoint");
  out.etcd_version = in.text("etcd_version");
  out.file_sha256 = in.text("file_sha256");
  out.file_bytes = in.number("file_bytes");
  out.in_use_bytes = in.number("in_use_bytes");
  out.page_bytes = in.number32("page_bytes");
  out.consistent_index = in.number("consistent_index");
  out.term = in.number("term");
  out.warnings = in.texts("warnings", kMaxWarnings);
  return out;
}

}  // namespace lifeboat::manifest
