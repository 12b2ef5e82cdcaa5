#include "cli/render/backup.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/shell_word.h"
#include "base/text.h"
#include "cli/render/parts.h"

namespace lifeboat::cli {
namespace {

std::string seconds_text(double seconds) { return duration_text(seconds); }

std::string history_text(const operation::BackupReport& report) {
  if (report.new_lineage) {
    const std::string parent = report.parent.is_zero() ? "" : fmt::format("; it forks from {}", report.parent.text());
    return fmt::format("new lineage {}: {}{}", report.lineage.text(), report.lineage_reason, parent);
  }
  std::string text = report.previous_revision == report.revision
                         ? "nothing changed since the last point"
                         : fmt::format("continues revision {}", report.previous_revision);
  if (report.continued) return text;
  return report.snapshot_reason.empty() ? text : text + " by a snapshot: " + report.snapshot_reason;
}

std::string proof_line(const operation::ProofReport& proof, const Style& style) {
  std::string text = proof_text(proof.proof, proof.reason, style);
  if (proof.code) return text + fmt::format(" ({}: lifeboat help {})", code_text(*proof.code), code_text(*proof.code));
  if (proof.proof != repository::Proof::kProven) return text;
  return fmt::format("{}: {} {} and the stored records have the same hash {:08x} ({})", text, proof.members_compared,
                     proof.members_compared == 1 ? "member" : "members", proof.hash, seconds_text(proof.seconds));
}

Json proof_json(const operation::ProofReport& proof) {
  Json json = Json::object();
  json.put("state", proof_word(proof.proof)).put_text("reason", proof.reason);
  if (proof.code) json.put("code", code_text(*proof.code));
  if (proof.members_compared > 0) {
    json.put("hash", proof.hash).put("compactRevision", proof.compact_revision);
  }
  return json.put("membersCompared", proof.members_compared).put("durationSeconds", proof.seconds);
}

}  // namespace

std::string backup_text(const operation::BackupReport& report, const Style& style) {
  std::string text = fmt::format("{} {} of cluster {} at revision {}\n", style.good("point"), style.bold(report.point),
                                 report.cluster, report.revision);
  Facts facts;
  facts.put("history", history_text(report));
  if (report.gap) {
    facts.put("gap", style.warn(fmt::format("revisions {} to {} cannot be restored: etcd compacted them away before "
                                            "this backup",
                                            report.gap->from, report.gap->to)));
  }
  facts.put("holds", fmt::format("{} keys, {} leases; every revision from {} on", count_text(report.live_keys),
                                 count_text(report.leases), std::max<std::int64_t>(report.complete_from, 1)));
  facts.put("received",
            fmt::format("{} in {}", size_text(report.received_bytes), seconds_text(report.receive_seconds)));
  facts.put("stored", fmt::format("{} for {} new records ({} before compression)", size_text(report.stored_bytes),
                                  count_text(report.new_records), size_text(report.new_plain_bytes)));
  facts.put("time", fmt::format("{} until the point was safe", seconds_text(report.total_seconds)));
  facts.put("proof", proof_line(report.proof, style));
  text += facts.text();
  for (const std::string& warning : report.warnings) text += style.warn(warning) + "\n";
  return text +
         fmt::format("next: lifeboat verify {0}    lifeboat restore etcd --to {0} --data-dir DIR\n", report.point);
}

Json backup_json(const operation::BackupReport& report, std::string_view kind) {
  Json json = envelope(kind);
  Json lineage = Json::object();
  lineage.put("id", report.lineage.text()).put("isNew", report.new_lineage).put_text("reason", report.lineage_reason);
  if (!report.parent.is_zero()) lineage.put("parent", report.parent.text());
  json.put("point", report.point)
      .put("cluster", report.cluster)
      .put("lineage", std::move(lineage))
      .put("revision", report.revision)
      .put("previousRevision", report.previous_revision)
      .put("completeFromRevision", report.complete_from);
  if (report.gap) {
    json.put("gap", range_json(*report.gap));
  }
  json.put("method", report.continued ? "watch" : "snapshot")
      .put_text("snapshotReason", report.snapshot_reason)
      .put("keys", report.live_keys)
      .put("leases", report.leases)
      .put("receivedBytes", report.received_bytes)
      .put("newRecords", report.new_records)
      .put("newPlainBytes", report.new_plain_bytes)
      .put("storedBytes", report.stored_bytes)
      .put("receiveSeconds", report.receive_seconds)
      .put("storeSeconds", report.store_seconds)
      .put("durationSeconds", report.total_seconds)
      .put("proof", proof_json(report.proof))
      .put("warnings", report.warnings);
  if (report.damage) json.put("damage", code_text(*report.damage));
  return json;
}

}  // namespace lifeboat::cli
