#include "cli/render/parts.h"

#include <fmt/format.h>

#include "base/text.h"

namespace lifeboat::cli {

using repository::Catalogue;

Json envelope(std::string_view kind) {
  Json json = Json::object();
  json.put("apiVersion", "lifeboat.dev/v1").put("kind", kind);
  return json;
}

void put_bytes(Json& object, std::string_view name, ByteView bytes) {
  const std::string_view text = as_text(bytes);
  object.put(name, text);
  if (!is_utf8(text)) object.put(std::string(name) + "Base64", base64(text));
}

std::string proof_word(repository::Proof proof) {
  switch (proof) {
    case repository::Proof::kProven:
      return "proven";
    case repository::Proof::kUnproven:
      return "unproven";
    case repository::Proof::kDisagrees:
      return "disagrees";
  }
  return "unproven";
}

std::string proof_text(repository::Proof proof, const std::string& reason, const Style& style) {
  const std::string because = reason.empty() ? "" : ": " + reason;
  switch (proof) {
    case repository::Proof::kProven:
      return style.good("proven");
    case repository::Proof::kUnproven:
      return style.warn("unproven") + because;
    case repository::Proof::kDisagrees:
      return style.bad("disagrees") + because;
  }
  return "";
}

Json range_json(const repository::Coverage& range) {
  return Json::object().put("fromRevision", range.from).put("toRevision", range.to);
}

Json ranges_json(const std::vector<repository::Coverage>& ranges) {
  Json items = Json::array();
  for (const repository::Coverage& range : ranges) items.add(range_json(range));
  return items;
}

std::string echo_of(const Catalogue::Target& target, const Style& style) {
  const repository::Point& point = *target.point;
  const bool cut = target.revision != point.manifest.revision;
  const std::string& cluster = point.manifest.source.cluster;
  return fmt::format("point {} · revision {}{} · {}{}{}", point.id, target.revision,
                     cut ? fmt::format(" (cut from {})", point.manifest.revision) : "", cut ? "before " : "",
                     style.time_and_age(point.last_seen), cluster.empty() ? "" : " · cluster " + printable(cluster));
}

Json target_json(const Catalogue::Target& target) {
  const repository::Point& point = *target.point;
  Json json = Json::object();
  json.put("id", point.id)
      .put("revision", target.revision)
      .put("pointRevision", point.manifest.revision)
      .put("lineage", point.manifest.lineage.id.text())
      .put("cluster", point.manifest.source.cluster)
      .put("time", rfc3339(point.last_seen));
  return json;
}

}  // namespace lifeboat::cli
