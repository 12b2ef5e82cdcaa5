#include "agent/audit.h"

#include <fmt/format.h>

#include "operation/backup/prove_point.h"

namespace lifeboat::agent {

using repository::Proof;

bool Auditor::is_known(const LineageId& lineage, std::int64_t revision) const {
  const auto last = state_.snapshot().last_proof;
  return last && last->proof != Proof::kUnproven && last->lineage == lineage && last->revision == revision;
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
  const LineageId lineage = state_.snapshot().lineage;
  const auto catalogue = TRY(repository::Catalogue::load(repo_, &cache_));
  cache_.end_round();
  const repository::Point* newest = catalogue.newest_of(lineage);
  Audited audited;
  if (newest == nullptr) return audited;
  audited.log_is_long = catalogue.is_long(newest->manifest.segments, options.chain_max);
  if (is_known(lineage, newest->manifest.revision)) return audited;
  const auto proof = TRY(operation::prove_point(repo_, world_, client, newest->manifest, options, progress));
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
