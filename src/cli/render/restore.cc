#include "cli/render/restore.h"

#include <fmt/format.h>

#include "base/shell_word.h"
#include "base/text.h"
#include "cli/render/parts.h"
#include "format/etcd/sidecar.h"

namespace lifeboat::cli {
namespace {

using operation::RestoredMember;
using operation::RestoreReport;

// Empty when the WAL lies where etcd looks for it by itself.
std::string wal_elsewhere(const RestoredMember& member) {
  return member.wal_dir == member.data_dir + "/member/wal" ? "" : member.wal_dir;
}

std::string start_command(const RestoredMember& member) {
  const std::string elsewhere = wal_elsewhere(member);
  const std::string wal = elsewhere.empty() ? "" : " --wal-dir " + shell_word(elsewhere);
  return fmt::format("etcd --name {} --data-dir {}{}", shell_word(member.name), shell_word(member.data_dir), wal);
}

std::string revisions_text(const RestoreReport& report) {
  if (report.bumped_to <= report.revision) return fmt::format("{}", report.revision);
  return fmt::format("{}, continued at {} so that no watcher sees time run backwards", report.revision,
                     report.bumped_to);
}

std::string proof_line(const RestoreReport& report, const Style& style) {
  if (report.proven) return style.good("proven") + (report.proof_reason.empty() ? "" : ": " + report.proof_reason);
  const std::string verdict = report.disagrees ? style.bad("disagrees") : style.warn("unproven");
  return verdict + (report.proof_reason.empty() ? "" : ": " + report.proof_reason);
}

// "as-of: captured at revision 4, 2026-11-21 09:00:00Z".
std::string auth_text(const RestoreReport& report, const Style& style) {
  const operation::AuthState& taken = report.auth->taken();
  return fmt::format("{}: captured at revision {}, {}; authentication is {}",
                     operation::auth_mode_word(report.auth->mode), taken.revision, style.time(taken.latest),
                     taken.enabled() ? "on" : "off");
}

std::string auth_lines(const RestoreReport& report, const Style& style) {
  if (!report.auth) return "";
  std::string text;
  const bool differs = report.auth->choices.unreadable || !report.auth->choices.difference.empty();
  for (const std::string& sentence : operation::auth_sentences(*report.auth, report.revision))
    text += differs ? style.warn(sentence) + "\n" : "";
  return text;
}

Json auth_state_json(const operation::AuthState& state) {
  return Json::object()
      .put("revision", state.revision)
      .put("earliest", rfc3339(state.earliest))
      .put("latest", rfc3339(state.latest))
      .put("authRevision", state.auth_revision())
      .put("enabled", state.enabled());
}

Json auth_difference_json(const operation::AuthDifference& difference) {
  return Json::object()
      .put("switchedOn", difference.switched_on)
      .put("switchedOff", difference.switched_off)
      .put("usersAdded", difference.users_added)
      .put("usersRemoved", difference.users_removed)
      .put("usersChanged", difference.users_changed)
      .put("rolesAdded", difference.roles_added)
      .put("rolesRemoved", difference.roles_removed)
      .put("rolesChanged", difference.roles_changed);
}

Json auth_json(const operation::AuthReport& report) {
  const operation::AuthChoices& choices = report.choices;
  Json as_of = auth_state_json(choices.as_of);
  if (choices.interval.same_until != 0) as_of.put("sameUntilRevision", choices.interval.same_until);
  if (choices.interval.changed_by != 0) as_of.put("changedByRevision", choices.interval.changed_by);
  Json json = Json::object();
  json.put("mode", operation::auth_mode_word(report.mode))
      .put("taken", auth_state_json(report.taken()))
      .put("asOf", std::move(as_of));
  if (choices.unreadable) return json.put("latestUnreadable", choices.unreadable->to_string());
  return json.put("latest", auth_state_json(choices.latest)).put("changes", auth_difference_json(choices.difference));
}

// What keeps the state of the lost cluster in its memory; README says the same.
constexpr std::string_view kRestartKubernetes =
    "      Kubernetes: when every member runs, restart kube-apiserver, kube-controller-manager, kube-scheduler\n"
    "      and, on every node, the kubelet: they cache what the cluster was\n";

std::string next_text(const RestoreReport& report, RestoreKind kind) {
  std::string text;
  if (kind == RestoreKind::kInPlace) {
    text =
        "next: start this etcd again as it was started before (kubeadm: move etcd.yaml back into\n"
        "      /etc/kubernetes/manifests)\n";
  } else {
    text = "next: start etcd with its usual listen and client flags, and\n";
    for (const RestoredMember& member : report.members) text += "  " + start_command(member) + "\n";
    text +=
        "      kubeadm: put the directory in the place of /var/lib/etcd, or change the hostPath of etcd-data in\n"
        "      /etc/kubernetes/manifests/etcd.yaml\n";
  }
  return text.append(kRestartKubernetes);
}

std::string undo_text(const RestoreReport& report, const Style& style) {
  std::string text = style.good("undone") + "\n";
  for (const std::string& step : report.plan) text += "  " + step + "\n";
  return text;
}

// What a dry run does not know is null.
Json id_json(std::uint64_t id) { return id == 0 ? Json() : Json(etcd::id_text(id)); }

void put_built(Json& json, const RestoreReport& report) {
  const bool known = !report.dry_run;
  json.put("keys", known ? Json(report.live_keys) : Json())
      .put("leases", known ? Json(report.leases) : Json())
      .put("sizeBytes", known ? Json(report.file_bytes) : Json())
      .put("hash", known ? Json(report.hash) : Json());
}

std::string_view kind_word(RestoreKind kind) {
  switch (kind) {
    case RestoreKind::kFresh:
      return "fresh";
    case RestoreKind::kInPlace:
      return "inPlace";
    case RestoreKind::kUndo:
      return "undo";
  }
  return "";
}

}  // namespace

std::string plan_text(const RestoreReport& report, const Style& style) {
  std::string text = style.bold(fmt::format("plan: point {} at revision {}", report.point, report.revision)) + "\n";
  int number = 1;
  for (const std::string& step : report.plan) text += fmt::format("  {}. {}\n", number++, step);
  for (const std::string& warning : report.warnings) text += style.warn(warning) + "\n";
  return text;
}

std::string restore_text(const RestoreReport& report, RestoreKind kind, const Style& style) {
  if (kind == RestoreKind::kUndo) return undo_text(report, style);
  if (report.dry_run) return plan_text(report, style) + "nothing was written (--dry-run)\n";
  std::string text =
      style.good("restored") + fmt::format(" point {} in {}\n", report.point, duration_text(report.total_seconds));
  Facts facts;
  facts.put("revision", revisions_text(report));
  for (const RestoredMember& member : report.members) {
    facts.put("member", fmt::format("{} ({}) in {}{}", member.name, etcd::id_text(member.id), member.data_dir,
                                    wal_elsewhere(member).empty() ? "" : ", WAL in " + member.wal_dir));
  }
  facts.put("holds", fmt::format("{} keys, {} leases, {} on disk each", count_text(report.live_keys),
                                 count_text(report.leases), size_text(report.file_bytes)));
  facts.put("cluster", fmt::format("id {}, token {}", etcd::id_text(report.cluster_id), report.token));
  facts.put("proof", proof_line(report, style));
  if (report.auth) facts.put("users", auth_text(report, style));
  facts.put("old data", report.replaced_dir);
  facts.put("undo", report.undo_command);
  text += facts.text();
  text += auth_lines(report, style);
  for (const std::string& lease : report.synthesized_leases) text += style.warn(lease) + "\n";
  for (const std::string& dropped : report.dropped) text += "  left out: " + dropped + "\n";
  for (const std::string& warning : report.warnings) text += style.warn(warning) + "\n";
  return text + next_text(report, kind);
}

Json restore_json(const RestoreReport& report, RestoreKind kind) {
  Json json = envelope("Restore");
  json.put("mode", kind_word(kind))
      .put("dryRun", report.dry_run)
      .put("point", report.point)
      .put("revision", report.revision);
  if (kind != RestoreKind::kUndo) {
    Json members = Json::array();
    for (const RestoredMember& member : report.members) {
      members.add(Json::object()
                      .put("name", member.name)
                      .put("id", id_json(member.id))
                      .put("dataDir", member.data_dir)
                      .put_text("walDir", member.wal_dir)
                      .put("startCommand", start_command(member)));
    }
    json.put("lineage", report.lineage.text())
        .put("bumpedToRevision", report.bumped_to)
        .put("compactRevision", report.compact_revision)
        .put("clusterId", id_json(report.cluster_id))
        .put("token", report.token.empty() ? Json() : Json(report.token))
        .put("members", std::move(members));
    put_built(json, report);
    json.put("proven", report.proven)
        .put_text("proofReason", report.proof_reason)
        .put("synthesizedLeases", report.synthesized_leases)
        .put("dropped", report.dropped);
    if (report.auth) json.put("auth", auth_json(*report.auth));
  }
  return json.put("plan", report.plan)
      .put_text("replacedDir", report.replaced_dir)
      .put_text("undoCommand", report.undo_command)
      .put("warnings", report.warnings)
      .put("durationSeconds", report.total_seconds);
}

}  // namespace lifeboat::cli
