#include "operation/backup/prove_point.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "base/version.h"
#include "format/etcd/hash_kv.h"
#include "repository/catalogue/coverage.h"
#include "repository/log/log_reader.h"
#include "source/etcd/refusals.h"

namespace lifeboat::operation {
namespace {

using repository::LogReader;
using repository::Proof;

constexpr std::chrono::seconds kCatchUpTimeout{10};
constexpr std::chrono::milliseconds kCatchUpPoll{100};
constexpr std::uint64_t kCancelEvery = 4096;  // records

// A member's hash. One that lags behind the member the snapshot came from calls the point's revision a future one:
// it gets a moment to catch up.
Result<source::HashKvAnswer> hash_of(io::World& world, source::Client& client, const std::string& endpoint,
                                     std::int64_t revision, Progress& progress) {
  const auto until = world.clock.monotonic() + kCatchUpTimeout;
  for (;;) {
    auto answer = client.hash_kv(endpoint, revision);
    const bool lags = !answer && source::is_future_revision(answer.error());
    if (!lags || progress.cancelled() || world.clock.monotonic() >= until) return answer;
    world.clock.sleep(kCatchUpPoll);
  }
}

struct Asked {
  std::vector<manifest::Attestation::MemberHash> answers;
  std::vector<std::string> refusals;  // why a member gave none
};

// What each endpoint answers at the point's revision, and whether the log reaches back to its compact revision.
Result<Asked> ask_members(io::World& world, source::Client& client, const manifest::Manifest& manifest,
                          Progress& progress) {
  Asked out;
  const auto coverage = repository::coverage_of(manifest.segments);
  for (const auto& endpoint : client.endpoints()) {
    const auto answer = hash_of(world, client, endpoint, manifest.revision, progress);
    if (!answer && answer.error().code() == ErrorCode::kInterrupted) return std::unexpected(answer.error());
    if (!answer) {
      out.refusals.push_back(fmt::format("{}: {}", endpoint, answer.error().why()));
      continue;
    }
    const std::string member_id = etcd::id_text(answer->member_id);
    const auto same = [&](const auto& other) { return other.member_id == member_id; };
    if (std::ranges::any_of(out.answers, same)) continue;  // asked at another address
    if (!repository::can_compute(coverage, answer->compact_revision, manifest.revision)) {
      out.refusals.push_back(fmt::format(
          "{}: its hash reaches back to revision {}, the log only to {} (etcd answers a compacted revision from a "
          "cache; the next write makes it provable)",
          endpoint, std::max<std::int64_t>(answer->compact_revision, 1),
          coverage.empty() ? manifest.revision : coverage.back().from));
      continue;
    }
    out.answers.push_back({.member_id = member_id,
                           .endpoint = endpoint,
                           .compact_revision = answer->compact_revision,
                           .live = answer->hash,
                           .computed = 0});
  }
  return out;
}

// The answers' computed halves, and the hash a restore must reproduce.
Status compute(const repository::Repository& repo, io::World& world, const manifest::Manifest& manifest,
               const BackupOptions& options, Progress& progress, manifest::Attestation& attestation) {
  std::vector<std::int64_t> compact_revisions{manifest.revision};
  for (const auto& member : attestation.members) compact_revisions.push_back(member.compact_revision);
  const auto [hashes, live_keys] =
      TRY(hash_log_at(repo, world, manifest, compact_revisions, manifest.revision, options.limits, progress));
  TRY(repository::require_live_keys(manifest, live_keys));
  attestation.restore_hash = hashes.front();
  for (std::size_t i = 0; i < attestation.members.size(); ++i) attestation.members[i].computed = hashes[i + 1];
  return {};
}

std::string joined(const std::vector<std::string>& sentences) { return fmt::format("{}", fmt::join(sentences, "; ")); }

// Agreement of every member that answered; the sentence when not.
void judge(manifest::Attestation& attestation, const Asked& asked) {
  std::vector<std::string> differences;
  for (const auto& member : asked.answers) {
    if (member.live != member.computed)
      differences.push_back(fmt::format(
          "member {} at {} has HashKV {} at revision {} compacted at {}, the log gives {}", member.member_id,
          member.endpoint, member.live, attestation.revision, member.compact_revision, member.computed));
  }
  attestation.agreed = differences.empty() && !asked.answers.empty();
  attestation.reason = joined(differences.empty() && asked.answers.empty() ? asked.refusals : differences);
}

// Members that were compacted alike give the same hash for a revision, or one of them is corrupt.
bool members_contradict(const std::vector<manifest::Attestation::MemberHash>& answers) {
  std::map<std::int64_t, std::uint32_t> said;
  return std::ranges::any_of(answers, [&](const auto& answer) {
    return said.emplace(answer.compact_revision, answer.live).first->second != answer.live;
  });
}

manifest::Attestation begin_attestation(io::World& world, const manifest::Manifest& manifest) {
  manifest::Attestation out;
  out.lineage = manifest.lineage.id;
  out.revision = manifest.revision;
  out.made = world.clock.now();
  out.kind = "hashkv";
  out.writer_version = kLifeboatVersion;
  return out;
}

}  // namespace

Result<LogHashes> hash_log_at(const repository::Repository& repo, io::World& world, const manifest::Manifest& manifest,
                              const std::vector<std::int64_t>& compact_revisions, std::int64_t revision,
                              const io::WorkLimits& limits, Progress& progress) {
  auto reader =
      TRY(LogReader::open(repo, world, manifest,
                          {.revision = revision, .compaction = compact_revisions.front(), .limits = limits}, progress));
  // What compaction keeps matters only when no key is live; then each compact revision needs a reading of its own.
  const bool any_live = reader->visibility().live_keys() > 0;
  std::vector<etcd::HashKv> hashes;
  for (const auto compact : compact_revisions) hashes.emplace_back(compact, revision);
  const std::size_t together = any_live ? hashes.size() : 1;
  repository::SeenRecord seen;
  for (std::uint64_t count = 1; TRY(reader->next(seen)); ++count) {
    if (count % kCancelEvery == 0 && progress.cancelled())
      return fail(ErrorCode::kInterrupted, "hashing the log was interrupted");
    for (std::size_t i = 0; i < together; ++i) hashes[i].add(seen.record, seen.visible, seen.live_at_compaction);
  }

  LogHashes out{.hashes = {}, .live_keys = reader->visibility().live_keys()};
  for (std::size_t i = 0; i < hashes.size(); ++i) {
    if (i < together) {
      out.hashes.push_back(hashes[i].value(any_live));
      continue;
    }
    out.hashes.push_back(
        TRY(repository::hash_log(repo, world, manifest, compact_revisions[i], revision, {.limits = limits}, progress))
            .hash);
  }
  return out;
}

Result<ProofReport> prove_point(const repository::Repository& repo, io::World& world, source::Client& client,
                                const manifest::Manifest& manifest, const BackupOptions& options, Progress& progress,
                                const std::string& unproven_before) {
  const auto began = world.clock.monotonic();
  auto attestation = begin_attestation(world, manifest);
  const auto own_client = client.cancelled_by([&] { return progress.cancelled(); });
  Asked asked = TRY(ask_members(world, *own_client, manifest, progress));
  ProofReport report;
  if (asked.answers.empty() && !unproven_before.empty() && joined(asked.refusals) == unproven_before) {
    report.reason = unproven_before;
    return report;
  }
  attestation.members = asked.answers;
  TRY(compute(repo, world, manifest, options, progress, attestation));
  asked.answers = attestation.members;
  judge(attestation, asked);
  attestation.duration_seconds = std::chrono::duration<double>(world.clock.monotonic() - began).count();
  TRY(repository::publish_attestation(repo, world, attestation));

  report.proof = attestation.agreed ? Proof::kProven : asked.answers.empty() ? Proof::kUnproven : Proof::kDisagrees;
  report.reason = attestation.reason;
  if (report.proof == Proof::kDisagrees)
    report.code = members_contradict(asked.answers) ? ErrorCode::kMembersDisagree : ErrorCode::kProofMismatch;
  report.members_compared = asked.answers.size();
  report.seconds = attestation.duration_seconds;
  if (!asked.answers.empty()) {
    report.compact_revision = asked.answers.front().compact_revision;
    report.hash = asked.answers.front().computed;
  }
  return report;
}

Status record_restore_hash(const repository::Repository& repo, io::World& world, const manifest::Manifest& manifest,
                           const std::string& reason, const BackupOptions& options, Progress& progress) {
  auto attestation = begin_attestation(world, manifest);
  attestation.reason = reason;
  TRY(compute(repo, world, manifest, options, progress, attestation));
  TRY(repository::publish_attestation(repo, world, attestation));
  return {};
}

}  // namespace lifeboat::operation
