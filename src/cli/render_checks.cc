// Verdicts: what verify found, and whether a cluster is recoverable.
#include <fmt/format.h>

#include "base/text.h"
#include "cli/render.h"

namespace lifeboat::cli {
namespace {

constexpr std::string_view kLevels[] = {"present with its size", "SHA-256 of every object", "decrypted and parsed",
                                        "rules, hash and rebuilt database", "booted in an etcd"};

// Findings may quote the end of a log; JSON has all of it.
std::string shortened(const std::string& sentence) {
  constexpr std::size_t kMost = 400;
  if (sentence.size() <= kMost) return sentence;
  std::size_t end = kMost;
  while (end > 0 && (static_cast<unsigned char>(sentence[end]) & 0xC0) == 0x80) --end;  // not inside a character
  return sentence.substr(0, end) + "… (-o json has all of it)";
}

std::string finding_text(const operation::Finding& finding, const Style& style) {
  const std::string object = finding.object.empty() ? "" : " [" + finding.object + "]";
  return "  " + style.bad(shortened(finding.sentence)) + object + " " + code_text(finding.code) + "\n";
}

Json finding_json(const operation::Finding& finding) {
  return Json::object()
      .put_text("object", finding.object)
      .put("sentence", finding.sentence)
      .put("code", code_text(finding.code));
}

Json findings_json(const std::vector<operation::Finding>& findings) {
  Json items = Json::array();
  for (const operation::Finding& finding : findings) items.add(finding_json(finding));
  return items;
}

Json lineages_json(const std::vector<repository::LineageInfo>& lineages) {
  Json items = Json::array();
  for (const repository::LineageInfo& info : lineages) {
    Json coverage = Json::array();
    for (const repository::Coverage& run : info.coverage) {
      coverage.add(Json::object().put("fromRevision", run.from).put("toRevision", run.to));
    }
    Json item = Json::object();
    item.put("id", info.lineage.id.text()).put("cluster", info.cluster).put("reason", info.lineage.reason);
    if (!info.lineage.parent.is_zero()) {
      item.put("parent", info.lineage.parent.text()).put("forkRevision", info.lineage.fork_revision);
    }
    Json captured = Json::array();
    for (const repository::Coverage& run : info.captured) {
      captured.add(Json::object().put("fromRevision", run.from).put("toRevision", run.to));
    }
    item.put("coverage", std::move(coverage));
    if (!info.captured.empty()) item.put("captured", std::move(captured));
    items.add(std::move(item));
  }
  return items;
}

}  // namespace

std::string verify_text(const operation::VerifyReport& report, const Style& style) {
  std::string text;
  for (const operation::VerifiedPoint& point : report.points) {
    const std::string name = fmt::format("point {} at revision {}", point.point, point.revision);
    text += point.findings.empty() ? style.good(name) + "\n" : style.bad(name) + "\n";
  }
  for (const operation::Finding& finding : report.findings) text += finding_text(finding, style);
  const auto level = static_cast<std::size_t>(report.level);
  text += fmt::format("level {} ({}): {} objects, {}, {} records in {}\n", report.level,
                      level < std::size(kLevels) ? kLevels[level] : "", count_text(report.objects),
                      size_text(report.bytes), count_text(report.records), duration_text(report.seconds));
  if (report.clean()) return text + style.good("no findings") + "\n";
  return text +
         style.bad(fmt::format("{} {}", report.findings.size(), report.findings.size() == 1 ? "finding" : "findings")) +
         "\n";
}

Json verify_json(const operation::VerifyReport& report) {
  Json points = Json::array();
  for (const operation::VerifiedPoint& point : report.points) {
    points.add(Json::object()
                   .put("id", point.point)
                   .put("revision", point.revision)
                   .put("clean", point.findings.empty())
                   .put("findings", findings_json(point.findings)));
  }
  return envelope("Verification")
      .put("level", report.level)
      .put("clean", report.clean())
      .put("points", std::move(points))
      .put("findings", findings_json(report.findings))
      .put("objects", report.objects)
      .put("sizeBytes", report.bytes)
      .put("records", report.records)
      .put("durationSeconds", report.seconds);
}

std::string status_text(const operation::StatusReport& report, const std::string& url, const Style& style) {
  std::string text =
      (report.recoverable ? style.good("RECOVERABLE") : style.bad("NOT RECOVERABLE")) + "  " + report.verdict + "\n";
  Facts facts;
  facts.put("repo",
            fmt::format("{}: {} in {} objects", url, size_text(report.stored_bytes), count_text(report.objects)));
  facts.put("points", count_text(report.points));
  if (report.newest_time) {
    facts.put("newest", fmt::format("{} at revision {}, {}", report.newest_point, report.newest_revision,
                                    style.time_and_age(*report.newest_time)));
    facts.put("loss now", duration_text(report.rpo_seconds) + " of changes, if the cluster were lost at this moment");
    facts.put("proof", proof_text(report.proof, report.proof_reason, style));
  }
  if (report.oldest_time) facts.put("oldest", style.time_and_age(*report.oldest_time));
  if (report.last_verified) {
    facts.put("verified",
              fmt::format("level {}, {}", report.last_verified_level, style.time_and_age(*report.last_verified)));
  } else if (report.points > 0) {
    facts.put("verified", style.warn("never") + ": run `lifeboat verify`");
  }
  for (const repository::LineageInfo& info : report.lineages) {
    std::string runs;
    for (const repository::Coverage& run : info.coverage) {
      runs += fmt::format("{}{}–{}", runs.empty() ? "" : ", ", run.from, run.to);
    }
    facts.put("cluster",
              fmt::format("{}: revisions {} (lineage {})", info.cluster, runs, info.lineage.id.text().substr(0, 8)));
    for (const repository::Coverage& run : info.captured) {
      facts.put("captured", fmt::format("every revision from {} to {}", run.from, run.to));
    }
  }
  text += facts.text();
  for (const std::string& finding : report.findings) text += style.warn(shortened(finding)) + "\n";
  return text;
}

Json status_json(const operation::StatusReport& report, const std::string& url) {
  Json json = envelope("Status");
  json.put("recoverable", report.recoverable)
      .put("verdict", report.verdict)
      .put("repo", url)
      .put("points", report.points)
      .put("objects", report.objects)
      .put("sizeBytes", report.stored_bytes);
  if (report.newest_time) {
    json.put("newest", Json::object()
                           .put("id", report.newest_point)
                           .put("revision", report.newest_revision)
                           .put("time", rfc3339(*report.newest_time)));
    json.put("rpoSeconds", report.rpo_seconds);
    json.put("proof", Json::object().put("state", proof_word(report.proof)).put_text("reason", report.proof_reason));
  }
  if (report.oldest_time) json.put("oldestTime", rfc3339(*report.oldest_time));
  if (report.last_verified) {
    json.put("verification",
             Json::object().put("time", rfc3339(*report.last_verified)).put("level", report.last_verified_level));
  }
  return json.put("lineages", lineages_json(report.lineages)).put("findings", report.findings);
}

}  // namespace lifeboat::cli
