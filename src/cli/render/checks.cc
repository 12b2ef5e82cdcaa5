#include "cli/render/checks.h"

#include <fmt/format.h>

#include "base/text.h"
#include "cli/render/parts.h"

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
    Json item = Json::object();
    item.put("id", info.lineage.id.text()).put("cluster", info.cluster).put("reason", info.lineage.reason);
    if (!info.lineage.parent.is_zero()) {
      item.put("parent", info.lineage.parent.text()).put("forkRevision", info.lineage.fork_revision);
    }
    item.put("coverage", ranges_json(info.coverage));
    if (!info.captured.empty()) item.put("captured", ranges_json(info.captured));
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
  for (const std::string& note : report.notes) text += style.warn(shortened(note)) + "\n";
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
      .put("durationSeconds", report.seconds)
      .put("notes", report.notes);
}

namespace {

std::string headline(operation::Recoverability recoverability, const Style& style) {
  switch (recoverability) {
    case operation::Recoverability::kRecoverable:
      return style.good("RECOVERABLE");
    case operation::Recoverability::kDoubtful:
      return style.bad("DOUBTFUL");
    case operation::Recoverability::kNotRecoverable:
      return style.bad("NOT RECOVERABLE");
  }
  return {};
}

std::string recoverability_word(operation::Recoverability recoverability) {
  switch (recoverability) {
    case operation::Recoverability::kRecoverable:
      return "recoverable";
    case operation::Recoverability::kDoubtful:
      return "doubtful";
    case operation::Recoverability::kNotRecoverable:
      return "notRecoverable";
  }
  return {};
}

void put_cluster(Facts& facts, const operation::ClusterStatus& cluster, const Style& style) {
  facts.put("newest", fmt::format("{} at revision {}, {}", cluster.newest_point, cluster.newest_revision,
                                  style.time_and_age(cluster.newest_time)));
  facts.put("loss now", cluster.rpo_seconds ? duration_text(*cluster.rpo_seconds) +
                                                  " of changes, if the cluster were lost at this moment"
                                            : "unknown: the time of the newest point, or this clock, is wrong");
  facts.put("proof", proof_text(cluster.proof, cluster.proof_reason, style));
  facts.put("oldest", style.time_and_age(cluster.oldest_time));
  if (cluster.last_verified) {
    facts.put("verified",
              fmt::format("level {}, {}", cluster.last_verified_level, style.time_and_age(*cluster.last_verified)));
  } else {
    facts.put("verified", style.warn("never") + ": run `lifeboat verify`");
  }
}

void put_lineage(Facts& facts, const repository::LineageInfo& info) {
  std::string runs;
  for (const repository::Coverage& run : info.coverage) {
    runs += fmt::format("{}{}–{}", runs.empty() ? "" : ", ", run.from, run.to);
  }
  facts.put("cluster", fmt::format("{}: revisions {} (lineage {})", printable(info.cluster), runs,
                                   info.lineage.id.text().substr(0, 8)));
  for (const repository::Coverage& run : info.captured) {
    facts.put("captured", fmt::format("every revision from {} to {}", run.from, run.to));
  }
}

std::string findings_text(const std::vector<std::string>& findings, const Style& style) {
  std::string text;
  for (const std::string& finding : findings) text += style.warn(shortened(finding)) + "\n";
  return text;
}

std::string cluster_text(const operation::ClusterStatus& cluster, const std::vector<repository::LineageInfo>& lineages,
                         const Style& style) {
  Facts facts;
  facts.put("points", count_text(cluster.points));
  put_cluster(facts, cluster, style);
  for (const repository::LineageInfo& info : lineages) {
    if (info.cluster == cluster.cluster) put_lineage(facts, info);
  }
  return fmt::format("\n{}  {}: {}\n", headline(cluster.recoverability, style), printable(cluster.cluster),
                     cluster.verdict) +
         facts.text() + findings_text(cluster.findings, style);
}

Json newest_json(const operation::ClusterStatus& cluster) {
  return Json::object()
      .put("id", cluster.newest_point)
      .put("revision", cluster.newest_revision)
      .put("time", rfc3339(cluster.newest_time));
}

// What stands both in a cluster's object and, of the worst cluster, beside the list.
void put_cluster(Json& json, const operation::ClusterStatus& cluster) {
  json.put("newest", newest_json(cluster));
  json.put("rpoSeconds", cluster.rpo_seconds ? Json(*cluster.rpo_seconds) : Json());
  json.put("proof", Json::object().put("state", proof_word(cluster.proof)).put_text("reason", cluster.proof_reason));
  json.put("oldestTime", rfc3339(cluster.oldest_time));
  if (cluster.last_verified) {
    json.put("verification",
             Json::object().put("time", rfc3339(*cluster.last_verified)).put("level", cluster.last_verified_level));
  }
}

bool is_recoverable(operation::Recoverability recoverability) {
  return recoverability != operation::Recoverability::kNotRecoverable;
}

Json clusters_json(const std::vector<operation::ClusterStatus>& clusters) {
  Json items = Json::array();
  for (const operation::ClusterStatus& cluster : clusters) {
    Json item = Json::object();
    item.put("cluster", cluster.cluster)
        .put("state", recoverability_word(cluster.recoverability))
        .put("recoverable", is_recoverable(cluster.recoverability))
        .put("verdict", cluster.verdict)
        .put("points", cluster.points);
    put_cluster(item, cluster);
    items.add(std::move(item.put("findings", cluster.findings)));
  }
  return items;
}

}  // namespace

std::string status_text(const operation::StatusReport& report, const std::string& url, const Style& style) {
  std::string text = headline(report.recoverability(), style) + "  " + report.verdict + "\n";
  const bool one = report.clusters.size() == 1;
  Facts facts;
  facts.put("repo",
            fmt::format("{}: {} in {} objects", url, size_text(report.stored_bytes), count_text(report.objects)));
  facts.put("points", count_text(report.points));
  if (one) {
    put_cluster(facts, report.clusters.front(), style);
    for (const repository::LineageInfo& info : report.lineages) put_lineage(facts, info);
  }
  text += facts.text() + findings_text(report.findings, style);
  if (one) return text + findings_text(report.clusters.front().findings, style);
  for (const operation::ClusterStatus& cluster : report.clusters) text += cluster_text(cluster, report.lineages, style);
  return text;
}

Json status_json(const operation::StatusReport& report, const std::string& url) {
  Json json = envelope("Status");
  json.put("recoverable", is_recoverable(report.recoverability()))
      .put("verdict", report.verdict)
      .put("repo", url)
      .put("points", report.points)
      .put("objects", report.objects)
      .put("sizeBytes", report.stored_bytes);
  std::vector<std::string> findings = report.findings;
  for (const operation::ClusterStatus& cluster : report.clusters) {
    findings.insert(findings.end(), cluster.findings.begin(), cluster.findings.end());
  }
  if (!report.clusters.empty()) put_cluster(json, report.clusters.front());
  return json.put("lineages", lineages_json(report.lineages))
      .put("findings", findings)
      .put("state", recoverability_word(report.recoverability()))
      .put("clusters", clusters_json(report.clusters));
}

}  // namespace lifeboat::cli
