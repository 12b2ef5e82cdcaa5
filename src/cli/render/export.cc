#include "cli/render/export.h"

#include <fmt/format.h>

#include "base/shell_word.h"
#include "base/text.h"
#include "cli/render/parts.h"

namespace lifeboat::cli {

using repository::Catalogue;

std::string export_text(const Catalogue::Target& target, const operation::ExportReport& report, const Style& style) {
  Facts facts;
  facts.put("file", report.path)
      .put("size", fmt::format("{}, {} keys, {} leases", size_text(report.file_bytes), count_text(report.live_keys),
                               count_text(report.leases)))
      .put("sha256", report.sha256)
      .put("users", report.users);
  std::string text = style.good("exported") +
                     fmt::format(" point {} at revision {}\n", target.point->id, report.revision) + facts.text();
  for (const std::string& lease : report.synthesized_leases) text += style.warn(lease) + "\n";
  for (const std::string& warning : report.warnings) text += style.warn(warning) + "\n";
  return text + fmt::format("next: etcdutl snapshot restore {} --data-dir DIR\n", shell_word(report.path));
}

Json export_json(const Catalogue::Target& target, const operation::ExportReport& report) {
  return envelope("Export")
      .put("point", target_json(target))
      .put("path", report.path)
      .put("sizeBytes", report.file_bytes)
      .put("keys", report.live_keys)
      .put("sha256", report.sha256)
      .put("leases", report.leases)
      .put("synthesizedLeases", report.synthesized_leases)
      .put("usersRevision", report.users_revision)
      .put("warnings", report.warnings);
}

}  // namespace lifeboat::cli
