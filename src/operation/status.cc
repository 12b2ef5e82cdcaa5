#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"
#include "operation/inspect.h"

namespace lifeboat::operation {
namespace {

// What the newest point needs is there with its size; deeper looks are verify's.
void check_newest(const repository::Repository& repo, const repository::Point& point, StatusReport& out) {
  for (const auto& segment : point.manifest.segments) {
    const auto head = repo.store().head(segment.object);
    if (!head)
      out.findings.push_back(fmt::format("{}: {}", segment.object, head.error().to_string()));
    else if (head->size_bytes != segment.stored_bytes)
      out.findings.push_back(
          fmt::format("{} has {} bytes, not {}", segment.object, head->size_bytes, segment.stored_bytes));
  }
}

void describe_newest(const repository::Point& point, Timestamp now, StatusReport& out) {
  out.newest_point = point.id;
  out.newest_revision = point.manifest.revision;
  out.newest_time = point.last_seen;
  out.rpo_seconds = std::max(0.0, seconds_between(point.last_seen, now));
  out.proof = point.proof;
  out.proof_reason = point.proof_reason;
}

void find_newest_verification(const repository::Catalogue& catalogue, StatusReport& out) {
  for (const auto& point : catalogue.points()) {
    const auto& verification = point.verification;
    if (!verification || (out.last_verified && verification->made < *out.last_verified)) continue;
    out.last_verified = verification->made;
    out.last_verified_level = verification->level;
    if (!verification->agreed && verification->made == *out.last_verified)
      out.findings.push_back(fmt::format("point {} failed its last verification: {}", point.id, verification->reason));
  }
}

std::string verdict(const StatusReport& out) {
  if (out.points == 0) return "not recoverable: the repo holds no point";
  if (!out.recoverable) return "not recoverable as it stands: the newest point lacks something it needs";
  switch (out.proof) {
    case repository::Proof::kProven:
      return "recoverable, and proven equal to the live cluster";
    case repository::Proof::kUnproven:
      return "recoverable; the newest point is not proven";
    case repository::Proof::kDisagrees:
      return "recoverable, but the newest point differs from a live member";
  }
  return {};
}

}  // namespace

Result<StatusReport> status(const repository::Repository& repo, const repository::Catalogue& catalogue, Timestamp now) {
  StatusReport out;
  out.points = catalogue.points().size();
  out.lineages = catalogue.lineages();
  const auto objects = TRY(repo.store().list(""));
  for (const auto& object : objects) {
    ++out.objects;
    out.stored_bytes += object.size_bytes;
  }
  for (const auto& damaged : catalogue.damaged())
    out.findings.push_back(fmt::format("{}: {}", damaged.object, damaged.error.to_string()));
  if (!catalogue.points().empty()) {
    const auto& newest = catalogue.points().back();
    const std::size_t before = out.findings.size();
    check_newest(repo, newest, out);
    out.recoverable = out.findings.size() == before;
    out.oldest_time = catalogue.points().front().first_seen;
    describe_newest(newest, now, out);
  }
  find_newest_verification(catalogue, out);
  out.verdict = verdict(out);
  return out;
}

}  // namespace lifeboat::operation
