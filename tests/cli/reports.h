// Reports made by hand, with something in every field.
#pragma once

#include "cli/render/backup.h"
#include "cli/render/checks.h"
#include "cli/render/error.h"
#include "cli/render/export.h"
#include "cli/render/history.h"
#include "cli/render/init.h"
#include "cli/render/keys.h"
#include "cli/render/parts.h"
#include "cli/render/points.h"
#include "cli/render/restore.h"
#include "cli/render/settings.h"

namespace lifeboat::testing {

inline constexpr std::int64_t kSecond = 1'000'000'000;
inline const Timestamp kNow = parse_time("2026-11-21T09:00:00Z").value();
inline Timestamp ago(std::int64_t seconds) { return {kNow.ns - seconds * kSecond}; }

inline LineageId lineage_id(std::uint8_t last) {
  LineageId id;
  id.bytes.back() = static_cast<std::byte>(last);
  return id;
}

inline repository::Point point(std::int64_t revision = 48211907) {
  repository::Point made;
  made.id = "1f2e9c0a77b1";
  made.object = "m/1/2/3";
  made.manifest.lineage = {lineage_id(7), lineage_id(6), 12, "the cluster id changed"};
  made.manifest.source.kind = "snapshot";
  made.manifest.source.cluster = "prod";
  made.manifest.source.cluster_id = "cdf818194e3a8c32";
  made.manifest.source.endpoint = "https://10.0.0.1:2379";
  made.manifest.source.etcd_version = "3.6.5";
  made.manifest.source.file_bytes = 2'284'000'000;
  made.manifest.source.warnings = {"member m3 lags by 40,000 entries"};
  made.manifest.revision = revision;
  made.manifest.compact_revision = revision - 1000;
  made.manifest.live_keys = 400'000;
  made.manifest.records = 420'000;
  made.manifest.leases = 12;
  made.manifest.segments = {{"s/a", 0, revision, 900, 420'000, 82'600'000, 813'000'000, "d", false}};
  made.manifest.tags = {{"reason", "upgrade"}};
  made.added_bytes = 4'200'000;
  made.first_seen = ago(700);
  made.last_seen = ago(480);
  made.proof = repository::Proof::kUnproven;
  made.proof_reason = "no member answered";
  manifest::Attestation verified;
  verified.made = ago(60);
  verified.kind = "verify";
  verified.agreed = true;
  verified.level = 3;
  made.verifications.add(verified);
  return made;
}

inline operation::BackupReport backup() {
  operation::BackupReport report;
  report.point = "1f2e9c0a77b1";
  report.cluster = "prod";
  report.lineage = lineage_id(7);
  report.new_lineage = true;
  report.lineage_reason = "the cluster id changed";
  report.parent = lineage_id(6);
  report.revision = 48211907;
  report.previous_revision = 48000000;
  report.complete_from = 900;
  report.gap = repository::Coverage{48000001, 48100000};
  report.live_keys = 400'000;
  report.leases = 12;
  report.received_bytes = 2'284'000'000;
  report.new_records = 20'000;
  report.new_plain_bytes = 40'000'000;
  report.stored_bytes = 4'200'000;
  report.receive_seconds = 7.25;
  report.store_seconds = 1.5;
  report.total_seconds = 8.75;
  report.proof = {repository::Proof::kDisagrees, "m2 has another hash", 900, 0xdeadbeef, 3, 0.5};
  report.warnings = {"member m3 is a learner"};
  return report;
}

inline operation::RestoreReport restore() {
  operation::RestoreReport report;
  report.point = "1f2e9c0a77b1";
  report.lineage = lineage_id(7);
  report.revision = 48211907;
  report.bumped_to = 1048211907;
  report.compact_revision = 1048211907;
  report.cluster_id = 0xd964466b20766e80;
  report.token = "lifeboat-01f3";
  report.members = {{"m1", "/r/m1.etcd", "/r/m1.etcd/member/wal", 0x0f60321250f9b042},
                    {"m2", "/r/m2.etcd", "/wal/m2.wal", 2}};
  report.live_keys = 400'000;
  report.leases = 12;
  report.synthesized_leases = {"Lease 1f was not captured: it gets a TTL of 3600 s."};
  report.dropped = {"1 alarm (NOSPACE)"};
  report.file_bytes = 1'300'000'000;
  report.hash = 0xcafe;
  report.proven = true;
  report.plan = {"Build member m1.", "Rename it."};
  report.replaced_dir = "/var/lib/etcd.lifeboat-20261121T090000Z";
  report.undo_command = "lifeboat restore etcd --undo --data-dir /var/lib/etcd";
  report.warnings = {"the WAL is a symbolic link"};
  report.total_seconds = 2.5;
  return report;
}

inline operation::VerifyReport verification() {
  operation::VerifyReport report;
  report.level = 3;
  const operation::Finding finding{"s/a", "the object is 3 bytes short", ErrorCode::kObjectDamaged};
  report.points = {{"1f2e9c0a77b1", 48211907, {finding}}, {"9c0a77b11f2e", 48211000, {}}};
  report.findings = {finding};
  report.objects = 14;
  report.bytes = 82'600'000;
  report.records = 420'000;
  report.seconds = 3.25;
  return report;
}

inline operation::StatusReport status() {
  operation::ClusterStatus cluster;
  cluster.cluster = "prod";
  cluster.recoverability = operation::Recoverability::kRecoverable;
  cluster.verdict = "recoverable, not proven";
  cluster.points = 2;
  cluster.newest_point = "1f2e9c0a77b1";
  cluster.newest_revision = 48211907;
  cluster.newest_time = ago(480);
  cluster.oldest_time = ago(90'000);
  cluster.rpo_seconds = 480;
  cluster.proof = repository::Proof::kUnproven;
  cluster.proof_reason = "no member answered";
  cluster.last_verified = ago(60);
  cluster.last_verified_level = 3;
  operation::StatusReport report;
  report.verdict = cluster.verdict;
  report.points = 2;
  report.stored_bytes = 86'800'000;
  report.objects = 21;
  report.clusters = {cluster};
  report.lineages = {{{lineage_id(7), lineage_id(6), 12, "the cluster id changed"},
                      "prod",
                      "cdf818194e3a8c32",
                      {"prod"},
                      {{900, 1000}, {2000, 48211907}}}};
  report.findings = {"revisions 1001 to 1999 cannot be restored"};
  return report;
}

// prod is in doubt, and worse off than staging.
inline operation::StatusReport status_of_two() {
  operation::StatusReport report = status();
  operation::ClusterStatus staging = report.clusters.front();
  operation::ClusterStatus& prod = report.clusters.front();
  prod.recoverability = operation::Recoverability::kDoubtful;
  prod.verdict = "the newest point differs from a live member";
  prod.newest_time = ago(260'000);
  prod.rpo_seconds = 260'000;
  prod.proof = repository::Proof::kDisagrees;
  prod.proof_reason = "m2 tells another hash";
  prod.findings = {"point 9c0a77b11f2e failed its last verification: an object is damaged"};
  report.verdict = "prod: " + prod.verdict;
  staging.cluster = "staging";
  staging.last_verified.reset();
  report.clusters.push_back(staging);
  report.lineages.push_back({{lineage_id(8), {}, 0, "first backup"}, "staging", "1a", {"staging"}, {{1, 300}}});
  report.points = 4;
  return report;
}

inline operation::KeyLine key_line(std::string_view key) {
  return {.key = to_bytes(key),
          .value_bytes = 1500,
          .create_revision = 10,
          .mod_revision = 20,
          .version = 3,
          .lease = 0x1f};
}

inline operation::KeyListing listing() {
  operation::KeyListing made;
  made.keys = {key_line("/registry/pods/a"), key_line("/registry/\xff")};
  made.count = 3;
  made.value_bytes = 4500;
  made.groups = {{"/registry/pods/", 2, 3000}, {"/registry/\xff", 1, 1500}};
  return made;
}

inline operation::DifferenceReport differences() {
  using operation::Change;
  operation::DifferenceReport report;
  report.added = 1;
  report.changed = 1;
  report.removed = 5;
  report.keys = {{Change::kAdded, to_bytes("/a"), 0, 30, 0, 10},
                 {Change::kChanged, to_bytes("/b"), 20, 31, 10, 12},
                 {Change::kRemoved, to_bytes("/c\x01"), 21, 0, 10, 0}};
  return report;
}

}  // namespace lifeboat::testing
