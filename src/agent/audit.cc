#include "agent/audit.h"

#include <fmt/format.h>

#include "operation/backup/prove_point.h"

namespace lifeboat::agent {

using repository::Proof;

PointAudit audit_of(const std::optional<ProofOutcome>& last, const LineageId& lineage, std::int64_t revision) {
  if (!last || last->lineage != lineage || last->revision != revision) return {};
  if (last->proof != Proof::kUnproven) return {.is_compared = true, .unproven_before = {}};
  return {.is_compared = false, .unproven_before = last->reason};
}

void Auditor::report(const ProofOutcome& outcome, const operation::ProofReport& proof) const {
  LogLine line{.severity = Severity::kInfo,
               .event = "audit",
               .text = {},
               .revision = outcome.revision,
               .lineage = outcome.lineage};
  switch (proof.proof) {
    case Proof::kProven:
      line.text = fmt::format("the log is proven: its hash equals that of {} member{}, in {}", proof.members_compared,
                              proof.members_compared == 1 ? "" : "s", duration_text(proof.seconds));
      break;
    case Proof::kUnproven:
      line.severity = Severity::kWarning;
      line.text = fmt::format("the log could not be proven: {}", outcome.reason);
      break;
    case Proof::kDisagrees:
      line.severity = Severity::kError;
      line.text = fmt::format("ALARM: the stored log and etcd disagree: {}", outcome.reason);
      break;
  }
  log_(line);
}

Result<Audited> Auditor::audit(source::Client& client, const operation::BackupOptions& options, Progress& progress) {
  const Snapshot state = state_.snapshot();
  const LineageId lineage = state.lineage;
  const auto catalogue = TRY(repository::Catalogue::load(repo_, &cache_));
  cache_.end_round();
  const repository::Point* newest = catalogue.newest_of(lineage);
  Audited audited;
  if (newest == nullptr) return audited;
  audited.log_is_long = catalogue.is_long(newest->manifest.segments, options.chain_max);
  const PointAudit before = audit_of(state.last_proof, lineage, newest->manifest.revision);
  if (before.is_compared) return audited;
  const auto proof =
      TRY(operation::prove_point(repo_, world_, client, newest->manifest, options, progress, before.unproven_before));
  const ProofOutcome outcome{.proof = proof.proof,
                             .revision = newest->manifest.revision,
                             .lineage = lineage,
                             .time = world_.clock.now(),
                             .reason = proof.reason};
  state_.on_proof(outcome);
  report(outcome, proof);
  audited.log_differs = proof.proof == Proof::kDisagrees && proof.code == ErrorCode::kProofMismatch;
  return audited;
}

}  // namespace lifeboat::agent
