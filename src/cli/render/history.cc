#include "cli/render/history.h"

#include <fmt/format.h>

#include "base/text.h"
#include "cli/render/parts.h"

namespace lifeboat::cli {
namespace {

using repository::Catalogue;

std::string interval_text(const operation::HistoryEntry& entry, const Style& style) {
  if (entry.by.ns == 0) return "unknown";
  if (entry.after.ns == 0) return "by " + style.time(entry.by);
  return style.time(entry.after) + " – " + style.time(entry.by);
}

Json entry_json(const operation::HistoryEntry& entry) {
  Json json = Json::object();
  json.put("revision", entry.revision.main)
      .put("subRevision", entry.revision.sub)
      .put("type", entry.deleted ? "delete" : "put");
  put_bytes(json, "key", entry.key);
  if (!entry.deleted) {
    json.put("sizeBytes", entry.value_bytes).put("version", entry.version).put("createRevision", entry.create_revision);
    if (entry.lease != 0) json.put("lease", fmt::format("{:016x}", static_cast<std::uint64_t>(entry.lease)));
  }
  if (entry.after.ns != 0) json.put("after", rfc3339(entry.after));
  if (entry.by.ns != 0) json.put("by", rfc3339(entry.by));
  return json;
}

}  // namespace

std::string history_text(const Catalogue::Target& target, const operation::HistoryReport& report, const Style& style) {
  using enum Table::Align;
  std::string text = echo_of(target, style) + "\n";
  Table table({"REVISION", "", "SIZE", "VERSION", "REACHED", "KEY"}, {kRight, kLeft, kRight, kRight});
  for (const operation::HistoryEntry& entry : report.entries) {
    table.row({fmt::format("{}", entry.revision.main), entry.deleted ? "delete" : "put",
               entry.deleted ? "-" : size_text(entry.value_bytes),
               entry.deleted ? "-" : fmt::format("{}", entry.version), interval_text(entry, style),
               printable(entry.key)});
  }
  if (!report.entries.empty()) text += table.text();
  for (const auto& gap : report.gaps) {
    text +=
        style.warn(fmt::format("revisions {} to {} are not stored: what happened there is unknown", gap.from, gap.to)) +
        "\n";
  }
  const bool cut = report.entries.size() < report.total;
  return text + fmt::format(
                    "{} puts, {} deletes{}\n", count_text(report.puts), count_text(report.deletes),
                    cut ? fmt::format("; the newest {} are shown (--limit N)", count_text(report.entries.size())) : "");
}

Json history_json(const Catalogue::Target& target, const operation::HistoryReport& report) {
  Json items = Json::array();
  for (const operation::HistoryEntry& entry : report.entries) items.add(entry_json(entry));
  return envelope("History")
      .put("point", target_json(target))
      .put("puts", report.puts)
      .put("deletes", report.deletes)
      .put("gaps", ranges_json(report.gaps))
      .put("items", std::move(items))
      .put("isComplete", report.entries.size() == report.total);
}

}  // namespace lifeboat::cli
