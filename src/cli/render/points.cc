#include "cli/render/points.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <ranges>

#include "base/shell_word.h"
#include "base/text.h"
#include "cli/render/parts.h"
#include "format/etcd/sidecar.h"

namespace lifeboat::cli {
namespace {

using repository::Catalogue;

using repository::Point;

constexpr std::size_t kMostRuns = 5;  // of one lineage, the newest; status has all

// "✔ yes", "▲ no", "✖ NO": a mark and a word.
std::string proof_cell(const Point& point, const Style& style) {
  switch (point.proof) {
    case repository::Proof::kProven:
      return style.good("yes");
    case repository::Proof::kUnproven:
      return style.warn("no");
    case repository::Proof::kDisagrees:
      return style.bad("DISAGREES");
  }
  return "";
}

Json proof_json(const Point& point) {
  Json json = Json::object();
  json.put("state", proof_word(point.proof)).put_text("reason", point.proof_reason);
  if (point.hash_proof) {
    Json members = Json::array();
    for (const auto& member : point.hash_proof->members) {
      members.add(Json::object()
                      .put("memberId", member.member_id)
                      .put("endpoint", member.endpoint)
                      .put("compactRevision", member.compact_revision)
                      .put("liveHash", member.live)
                      .put("computedHash", member.computed));
    }
    json.put("time", rfc3339(point.hash_proof->made)).put("members", std::move(members));
  }
  return json;
}

Json source_json(const manifest::Source& source) {
  Json json = Json::object();
  json.put("kind", source.kind)
      .put_text("clusterId", source.cluster_id)
      .put_text("memberId", source.member_id)
      .put_text("memberName", source.member_name)
      .put_text("endpoint", source.endpoint)
      .put_text("etcdVersion", source.etcd_version)
      .put_text("fileSha256", source.file_sha256);
  return json.put("fileBytes", source.file_bytes)
      .put("inUseBytes", source.in_use_bytes)
      .put("pageBytes", source.page_bytes)
      .put("warnings", source.warnings);
}

// Nobody has counted what is in a captured revision.
Json count_json(const Point& point, std::uint64_t count) { return point.captured ? Json() : Json(count); }

Json item_json(const Point& point) {
  const manifest::Manifest& manifest = point.manifest;
  Json json = Json::object();
  json.put("id", point.id)
      .put("revision", manifest.revision)
      .put("compactRevision", manifest.compact_revision)
      .put("lineage", manifest.lineage.id.text())
      .put("cluster", manifest.source.cluster)
      .put("firstSeen", rfc3339(point.first_seen))
      .put("lastSeen", rfc3339(point.last_seen))
      .put("keys", count_json(point, manifest.live_keys))
      .put("leases", count_json(point, manifest.leases))
      .put("addedBytes", point.added_bytes)
      .put("proof", proof_json(point));
  if (point.captured) json.put("captured", true);
  if (const auto* verification = point.verifications.telling()) {
    json.put("verification", Json::object()
                                 .put("time", rfc3339(verification->made))
                                 .put("level", verification->level)
                                 .put("clean", verification->agreed)
                                 .put_text("reason", verification->reason));
  }
  Json tags = Json::object();
  for (const auto& [name, value] : manifest.tags) tags.put(name, value);
  return json.put("tags", std::move(tags));
}

// The voting members as --initial-cluster takes them, since a restore makes voters of all that it names; empty where
// one never told its name.
std::string initial_cluster_of(const std::vector<etcd::Member>& members) {
  std::string text;
  for (const etcd::Member& member : members) {
    if (member.is_learner) continue;
    if (member.name.empty()) return {};
    for (const std::string& url : member.peer_urls) text += (text.empty() ? "" : ",") + member.name + "=" + url;
  }
  return text;
}

void put_members(Facts& facts, const Result<std::vector<etcd::Member>>& members, const Style& style) {
  if (!members) {
    facts.put("members", style.bad("not readable: " + members.error().to_string()));
    return;
  }
  for (const etcd::Member& member : *members)
    facts.put("member",
              fmt::format("{} ({}) {}{}", member.name.empty() ? "(never started)" : printable(member.name),
                          etcd::id_text(member.id), printable(fmt::format("{}", fmt::join(member.peer_urls, ","))),
                          member.is_learner ? ", learner" : ""));
  const auto learners = std::ranges::count_if(*members, &etcd::Member::is_learner);
  const std::string voters = initial_cluster_of(*members);
  if (std::ssize(*members) - learners < 2 || voters.empty()) return;
  facts.put("restore with", fmt::format("--initial-cluster {}{}", shell_word(voters),
                                        learners == 0 ? "" : "  (without learners: add them again afterwards)"));
}

void put_members(Json& json, const std::vector<etcd::Member>& members) {
  Json list = Json::array();
  for (const etcd::Member& member : members) {
    Json peers = Json::array(), clients = Json::array();
    for (const std::string& url : member.peer_urls) peers.add(url);
    for (const std::string& url : member.client_urls) clients.add(url);
    list.add(Json::object()
                 .put("id", etcd::id_text(member.id))
                 .put("name", member.name)
                 .put("peerUrls", std::move(peers))
                 .put("clientUrls", std::move(clients))
                 .put("learner", member.is_learner));
  }
  json.put("members", std::move(list));
  json.put_text("initialCluster", initial_cluster_of(members));
}

std::string coverage_text(const std::vector<repository::Coverage>& coverage) {
  std::string text;
  for (const repository::Coverage& run : coverage) {
    text += fmt::format("{}{}–{}", text.empty() ? "" : ", ", run.from, run.to);
  }
  return text;
}

// The lineages of these points.
std::vector<const repository::LineageInfo*> lineages_of(const Catalogue& catalogue,
                                                        const std::vector<const Point*>& points) {
  std::vector<const repository::LineageInfo*> lineages;
  for (const repository::LineageInfo& info : catalogue.lineages()) {
    const auto is_of_it = [&](const Point* point) { return point->manifest.lineage.id == info.lineage.id; };
    if (std::ranges::any_of(points, is_of_it)) lineages.push_back(&info);
  }
  return lineages;
}

// Whatever stored them: what the agent captured, a backup that went on, the rows in a snapshot.
std::string restorable_text(const repository::LineageInfo& info) {
  std::string text;
  std::size_t left_out = info.coverage.size() > kMostRuns ? info.coverage.size() - kMostRuns : 0;
  if (left_out > 0) text = fmt::format("restorable: {} ranges of {} before these\n", left_out, printable(info.cluster));
  for (const repository::Coverage& run : info.coverage | std::views::drop(left_out))
    text += fmt::format("restorable: every revision from {} to {} of {}\n", run.from, run.to, printable(info.cluster));
  return text;
}

Json restorable_json(const repository::LineageInfo& info) {
  return Json::object()
      .put("lineage", info.lineage.id.text())
      .put("cluster", info.cluster)
      .put("coverage", ranges_json(info.coverage));
}

}  // namespace

std::string points_text(const Catalogue& catalogue, const std::vector<const Point*>& points, const Style& style) {
  std::string text;
  if (points.empty()) {
    text = "no points yet\nnext: lifeboat backup etcd\n";
  } else {
    using enum Table::Align;
    Table table({"ID", "REVISION", "TIME", "CLUSTER", "KEYS", "ADDED", "PROVEN"},
                {kLeft, kRight, kLeft, kLeft, kRight, kRight, kLeft});
    for (const Point* point : points) {
      table.row({point->id, fmt::format("{}", point->manifest.revision), style.time_and_age(point->last_seen),
                 printable(point->manifest.source.cluster),
                 point->captured ? "captured" : count_text(point->manifest.live_keys), size_text(point->added_bytes),
                 proof_cell(*point, style)});
    }
    text = table.text();
    for (const auto* info : lineages_of(catalogue, points)) text += restorable_text(*info);
  }
  for (const repository::DamagedObject& damaged : catalogue.damaged()) {
    text += style.bad(fmt::format("unreadable: {} ({})", damaged.object, damaged.error.what())) + "\n";
  }
  return text;
}

Json points_json(const Catalogue& catalogue, const std::vector<const Point*>& points) {
  Json items = Json::array();
  for (const Point* point : points) items.add(item_json(*point));
  Json damaged = Json::array();
  for (const repository::DamagedObject& object : catalogue.damaged()) {
    damaged.add(Json::object().put("object", object.object).put("error", object.error.to_string()));
  }
  Json restorable = Json::array();
  for (const auto* info : lineages_of(catalogue, points)) restorable.add(restorable_json(*info));
  return envelope("PointList")
      .put("items", std::move(items))
      .put("restorable", std::move(restorable))
      .put("damaged", std::move(damaged));
}

std::string point_text(const PointAnswer& answer, const Style& style, bool verbose) {
  const Catalogue::Target& target = answer.target;
  const Point& point = *target.point;
  const manifest::Manifest& manifest = point.manifest;
  const manifest::Source& source = manifest.source;
  std::uint64_t stored = 0;
  for (const manifest::SegmentRef& segment : manifest.segments) stored += segment.stored_bytes;
  // What is told of the point is not so of a revision before it.
  const std::string of_point =
      target.revision == manifest.revision ? "" : fmt::format("at revision {}: ", manifest.revision);
  Facts facts;
  facts
      .put("cluster",
           printable(source.cluster) + (source.cluster_id.empty() ? "" : " (etcd id " + source.cluster_id + ")"))
      .put("seen", fmt::format("{} to {}", style.time(point.first_seen), style.time(point.last_seen)))
      .put("source", fmt::format("{} {}", source.kind, source.endpoint))
      .put("etcd", source.etcd_version)
      .put("keys", point.captured ? "not counted: this revision was captured"
                                  : fmt::format("{}{}, {} leases", of_point, count_text(manifest.live_keys),
                                                count_text(manifest.leases)))
      .put("stored", fmt::format("{} in {} segments; {} of it new with this point", size_text(stored),
                                 manifest.segments.size(), size_text(point.added_bytes)))
      .put("restorable", "revisions " + coverage_text(repository::coverage_of(manifest.segments)))
      .put("lineage", fmt::format("{} ({})", manifest.lineage.id.text(), manifest.lineage.reason))
      .put("proof", of_point + proof_text(point.proof, point.proof_reason, style));
  if (const auto* verification = point.verifications.telling()) {
    facts.put("verified",
              fmt::format("{}level {} {}, {}", of_point, verification->level, style.time_and_age(verification->made),
                          verification->agreed ? "clean" : "with findings"));
  }
  put_members(facts, answer.members, style);
  for (const auto& [name, value] : manifest.tags) facts.put("tag", name + "=" + value);
  if (verbose) {
    facts.put("manifest", point.object);
    for (const manifest::SegmentRef& segment : manifest.segments) {
      facts.put("segment", fmt::format("({}, {}] {} records, {} {}", segment.lo, segment.hi,
                                       count_text(segment.records), size_text(segment.stored_bytes), segment.object));
    }
  }
  std::string text = echo_of(target, style) + "\n" + facts.text();
  for (const std::string& warning : source.warnings) text += style.warn(warning) + "\n";
  return text;
}

Json point_json(const PointAnswer& answer) {
  const Catalogue::Target& target = answer.target;
  const Point& point = *target.point;
  Json segments = Json::array();
  for (const manifest::SegmentRef& segment : point.manifest.segments) {
    segments.add(Json::object()
                     .put("object", segment.object)
                     .put("afterRevision", segment.lo)
                     .put("toRevision", segment.hi)
                     .put("completeFromRevision", segment.complete_from)
                     .put("records", segment.records)
                     .put("storedBytes", segment.stored_bytes)
                     .put("plainBytes", segment.plain_bytes));
  }
  Json json = envelope("Point");
  json.put("point", target_json(target))
      .put("details", item_json(point))
      .put("source", source_json(point.manifest.source));
  if (answer.members) put_members(json, *answer.members);
  return json.put("lineageReason", point.manifest.lineage.reason)
      .put("coverage", ranges_json(repository::coverage_of(point.manifest.segments)))
      .put("manifest", point.object)
      .put("segments", std::move(segments));
}

}  // namespace lifeboat::cli
