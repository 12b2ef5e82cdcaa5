#include "operation/verify/verify.h"

#include <algorithm>
#include <future>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "base/version.h"
#include "crypto/hash.h"
#include "operation/backup/prove_point.h"
#include "operation/database/build_database.h"
#include "operation/verify/sandbox.h"
#include "repository/catalogue/coverage.h"
#include "repository/store/layout.h"
#include "repository/store/segments.h"

namespace lifeboat::operation {
namespace {

using repository::Catalogue;

constexpr std::size_t kReadBytes = std::size_t{1} << 20;

// Swallows a database: building it checks it.
class NowhereSink final : public bbolt::PageSink {
 public:
  Status append(ByteView) override { return {}; }
  Status write_front(ByteView) override { return {}; }
};

class Verification {
 public:
  Verification(const repository::Repository& repo, io::World& world, const VerifyOptions& options, Progress& progress)
      : repo_(repo), world_(world), options_(options), progress_(progress) {
    report_.level = options.level;
  }

  Status check_repo(const Catalogue& catalogue) {
    for (const auto& damaged : catalogue.damaged()) note(nullptr, damaged.object, damaged.error);
    if (options_.level >= 1)
      for (const auto& damaged : repository::check_keys_and_format(repo_)) note(nullptr, damaged.object, damaged.error);
    return {};
  }

  // Each level includes those below it; what is damaged at one level is not asked again at the next.
  Status check_point(const Catalogue::Target& target) {
    report_.points.push_back({.point = target.point->id, .revision = target.revision, .findings = {}});
    VerifiedPoint& point = report_.points.back();
    const auto& manifest = target.point->manifest;
    std::vector<Unread> unread;
    TRY(check_object(point, target.point->object, std::nullopt, unread));
    for (const auto& segment : manifest.segments)
      TRY(check_object(point, segment.object, segment.stored_bytes, unread));
    // The objects are hashed while their content is read: what that says of a point with damaged bytes is forgotten,
    // and its other objects are read again for the next point.
    auto hashing = std::async(std::launch::async, [&] { return hash_objects(unread); });
    const Found before = found_;
    const std::vector<Finding> of_point = point.findings;
    const Status read = of_point.empty() ? read_content(point, target) : Status{};
    const auto damaged = TRY(hashing.get());
    if (!damaged.empty()) {
      found_ = before;
      point.findings = of_point;
    }
    for (const auto& [object, error] : damaged) TRY(found(point, object, error));
    TRY(read);
    if (options_.level >= 4 && point.findings.empty()) TRY(check_boot(point, target));
    if (progress_.cancelled()) return fail(ErrorCode::kInterrupted, "verifying was interrupted");
    if (options_.attest && target.revision == manifest.revision) attest(point, manifest);
    return {};
  }

  VerifyReport take() {
    report_.findings = std::move(found_.findings);
    report_.records = found_.records;
    return std::move(report_);
  }

 private:
  struct Unread {
    std::string object;
    std::uint64_t size_bytes = 0;
  };
  struct Found {
    std::vector<Finding> findings;
    std::map<std::string, Finding> by_object;
    std::set<std::string> opened;  // segments that level 2 has read
    std::uint64_t records = 0;
  };

  // Level 0, once an object; what level 1 has to read is added to `unread`.
  Status check_object(VerifiedPoint& point, const std::string& object, std::optional<std::uint64_t> size_bytes,
                      std::vector<Unread>& unread) {
    const auto known = found_.by_object.find(object);
    if (known != found_.by_object.end()) {
      point.findings.push_back(known->second);
      return {};
    }
    if (!seen_.insert(object).second) return {};
    const auto head = repo_.store().head(object);
    if (!head) return found(point, object, head.error());
    ++report_.objects;
    if (size_bytes && head->size_bytes != *size_bytes)
      return found(point, object,
                   Error(ErrorCode::kObjectDamaged, "an object has the wrong size",
                         fmt::format("{} bytes, not {}", head->size_bytes, *size_bytes)));
    if (options_.level > 0) {
      unread.push_back({object, head->size_bytes});
      report_.bytes += head->size_bytes;
    }
    return {};
  }

  // Level 1, on a thread of its own: touches nothing of this object but what never changes. The damaged ones and why.
  Result<std::vector<std::pair<std::string, Error>>> hash_objects(const std::vector<Unread>& unread) const {
    std::vector<std::pair<std::string, Error>> damaged;
    for (const auto& [object, size_bytes] : unread) {
      const Status hashed = check_hash(object, size_bytes);
      if (!hashed && hashed.error().code() == ErrorCode::kInterrupted) return std::unexpected(hashed.error());
      if (!hashed) damaged.emplace_back(object, hashed.error());
    }
    return damaged;
  }

  Status check_hash(const std::string& object, std::uint64_t size_bytes) const {
    crypto::Sha256Stream hash;
    Buffer buffer(kReadBytes);
    for (std::uint64_t offset = 0; offset < size_bytes;) {
      if (progress_.cancelled()) return fail(ErrorCode::kInterrupted, "verifying was interrupted");
      const std::size_t count = TRY(repo_.store().read_at(object, offset, buffer.whole()));
      if (count == 0) return fail(ErrorCode::kObjectDamaged, "an object ended early");
      hash.update(buffer.whole().first(count));
      offset += count;
      progress_.advance(count);
    }
    const auto named = repository::sha256_in_name(object);
    if (named && *named == hash.finish()) return {};
    return fail(ErrorCode::kObjectDamaged, "an object's bytes do not give the SHA-256 in its name");
  }

  Status read_content(VerifiedPoint& point, const Catalogue::Target& target) {
    if (options_.level >= 2) TRY(check_content(point, target));
    if (options_.level >= 3 && point.findings.empty()) TRY(check_rules(point, target));
    return {};
  }

  // Level 2: every frame of every object opens, and the records give the digests.
  Status check_content(VerifiedPoint& point, const Catalogue::Target& target) {
    const auto sidecar = repository::read_sidecar_at(repo_, target);
    if (!sidecar) return found(point, target.point->object, sidecar.error());
    if (options_.level >= 3) return {};  // reading the log for the rules opens and digests all of it
    for (const auto& segment : target.point->manifest.segments) {
      if (!found_.opened.insert(segment.object).second) continue;
      const Status read = read_segment(segment);
      if (!read) TRY(found(point, segment.object, read.error()));
    }
    return {};
  }

  Status read_segment(const manifest::SegmentRef& segment) {
    if (segment.removes) TRY(repository::read_removed(repo_, segment));
    auto blocks =
        TRY(repository::read_blocks(repo_, {segment}, {.threads = options_.limits.threads, .check_digests = true}));
    repository::DecodedBlock block;
    while (TRY(blocks->next(block))) {
      if (progress_.cancelled()) return fail(ErrorCode::kInterrupted, "verifying was interrupted");
      found_.records += block.entry.records;
      progress_.advance(block.text.size());
    }
    return {};
  }

  // Level 3: the rules of the log, HashKV as recorded, a rebuilt database that passes its check, in one reading.
  Status check_rules(VerifiedPoint& point, const Catalogue::Target& target) {
    NowhereSink nowhere;
    BuildOptions build{.revision = target.revision, .limits = options_.limits};
    build.check_rules = true;
    build.hash_at = proven_compactions(target);
    build.page_bytes = std::max<std::size_t>(target.point->manifest.source.page_bytes, 4096);
    const auto sidecar = [&](const BuiltDatabase&) { return repository::read_sidecar_at(repo_, target); };
    const auto built = build_database(repo_, world_, target, build, sidecar, nowhere, progress_);
    if (!built) return found(point, "", built.error());
    found_.records += built->log_records;
    for (const auto& sentence : built->findings)
      TRY(found(point, "", Error(ErrorCode::kLogRuleBroken, "the log breaks a rule", sentence)));
    if (built->hashes.size() == build.hash_at.size())
      return compare_hashes(point, target, build.hash_at, built->hashes);
    const auto hashes =
        hash_log_at(repo_, world_, target.point->manifest, build.hash_at, target.revision, options_.limits, progress_);
    return hashes ? compare_hashes(point, target, build.hash_at, hashes->hashes) : found(point, "", hashes.error());
  }

  // The compact revisions at which members answered for the proof, as far back as the log still reaches.
  std::vector<std::int64_t> proven_compactions(const Catalogue::Target& target) const {
    std::set<std::int64_t> out;
    const auto& proof = target.point->hash_proof;
    const auto coverage = repository::coverage_of(target.point->manifest.segments);
    if (proof && proof->revision == target.revision)
      for (const auto& member : proof->members)
        if (repository::can_compute(coverage, member.compact_revision, target.revision))
          out.insert(member.compact_revision);
    return {out.begin(), out.end()};
  }

  Status compare_hashes(VerifiedPoint& point, const Catalogue::Target& target, const std::vector<std::int64_t>& at,
                        const std::vector<std::uint32_t>& hashes) {
    if (at.empty()) return {};
    for (const auto& member : target.point->hash_proof->members)
      for (std::size_t i = 0; i < at.size(); ++i)
        if (at[i] == member.compact_revision && hashes[i] != member.live)
          TRY(found(point, "",
                    Error(ErrorCode::kProofMismatch, "the log's HashKV is not the live member's",
                          fmt::format("member {} answered {} at revision {}, the log gives {}", member.member_id,
                                      member.live, target.revision, hashes[i]))));
    return {};
  }

  // Level 4.
  Status check_boot(VerifiedPoint& point, const Catalogue::Target& target) {
    const Status booted = boot_in_sandbox(repo_, world_, target, options_, progress_);
    if (booted) return {};
    if (booted.error().code() == ErrorCode::kEtcdBinaryMissing) return booted;
    return found(point, "", booted.error());
  }

  // Damage is a finding; an interruption ends the verification.
  Status found(VerifiedPoint& point, const std::string& object, const Error& error) {
    if (error.code() == ErrorCode::kInterrupted || error.code() == ErrorCode::kInternal) return std::unexpected(error);
    if (error.code() == ErrorCode::kObjectMissing && options_.missing_is_error) return std::unexpected(error);
    note(&point, object, error);
    return {};
  }

  void note(VerifiedPoint* point, const std::string& object, const Error& error) {
    Finding finding{object, error.why().empty() ? error.what() : error.what() + ": " + error.why(), error.code()};
    if (!object.empty()) found_.by_object.emplace(object, finding);
    found_.findings.push_back(finding);
    if (point != nullptr) point->findings.push_back(std::move(finding));
  }

  // A repo that cannot be written to can still be verified: the attestation is then only missing.
  void attest(const VerifiedPoint& point, const manifest::Manifest& manifest) {
    manifest::Attestation out;
    out.lineage = manifest.lineage.id;
    out.revision = manifest.revision;
    out.made = world_.clock.now();
    out.kind = "verify";
    out.level = options_.level;
    out.agreed = point.findings.empty();
    if (!point.findings.empty()) out.reason = point.findings.front().sentence;
    out.writer_version = kLifeboatVersion;
    const auto written = repository::publish_attestation(repo_, world_, out);
    if (!written)
      report_.notes.push_back("the result could not be recorded in the repo: " + written.error().to_string());
  }

  const repository::Repository& repo_;
  io::World& world_;
  const VerifyOptions& options_;
  Progress& progress_;
  VerifyReport report_;
  Found found_;
  std::set<std::string> seen_;
};

}  // namespace

Result<VerifyReport> verify_points(const repository::Repository& repo, io::World& world, const Catalogue& catalogue,
                                   const std::vector<Catalogue::Target>& targets, const VerifyOptions& options,
                                   Progress& progress) {
  const auto began = world.clock.monotonic();
  Verification verification(repo, world, options, progress);
  const Stage stage(progress, "verify", 0);
  TRY(verification.check_repo(catalogue));
  for (const auto& target : targets) TRY(verification.check_point(target));
  VerifyReport report = verification.take();
  report.seconds = std::chrono::duration<double>(world.clock.monotonic() - began).count();
  return report;
}

}  // namespace lifeboat::operation
