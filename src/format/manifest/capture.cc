#include "format/manifest/capture.h"

#include <algorithm>

#include "format/manifest/origin_fields.h"
#include "format/manifest/prologue.h"

namespace lifeboat::manifest {
namespace {

using json::Fields;
using json::Json;

constexpr std::string_view kWhat = "a capture commit";
constexpr Prologue kPrologue{.what = kWhat, .magic = "lifeboat capture", .version = 1};
constexpr std::size_t kMaxBytes = 64u << 20;
constexpr std::size_t kMaxFlushes = 131072;
constexpr std::size_t kMaxChanges = 1u << 20;
constexpr std::size_t kMaxBucketName = 256;
constexpr std::size_t kChangeFields = 5;

// Differences of any two values and back, without overflow.
std::int64_t minus(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) - static_cast<std::uint64_t>(b));
}
std::int64_t plus(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}

// Columns of differences: a day of flushes is a few numbers of one or two digits each.
Json encode(const std::vector<Flush>& flushes, std::int64_t lo) {
  Json revisions = Json::array();
  Json earliest = Json::array();
  Json latest = Json::array();
  Json live = Json::array();
  Flush before{lo, {}, {}, false};
  for (const Flush& flush : flushes) {
    revisions.push_back(minus(flush.revision, before.revision));
    earliest.push_back(minus(flush.earliest.ns, before.latest.ns));
    latest.push_back(minus(flush.latest.ns, before.latest.ns));
    live.push_back(flush.live ? 1 : 0);
    before = flush;
  }
  return {{"revision", std::move(revisions)},
          {"earliest_ns", std::move(earliest)},
          {"latest_ns", std::move(latest)},
          {"live", std::move(live)}};
}

std::optional<std::int64_t> integer_in(const Json& value) {
  if (!value.is_number_integer()) return std::nullopt;
  if (value.is_number_unsigned() && value.get<std::uint64_t>() > INT64_MAX) return std::nullopt;
  return value.get<std::int64_t>();
}

std::vector<Flush> decode_flushes(Fields& in, std::int64_t lo) {
  const Json& revisions = in.array("revision", kMaxFlushes);
  const Json& earliest = in.array("earliest_ns", kMaxFlushes);
  const Json& latest = in.array("latest_ns", kMaxFlushes);
  const Json& live = in.array("live", kMaxFlushes);
  const std::size_t count = revisions.size();
  std::vector<Flush> out;
  if (earliest.size() != count || latest.size() != count || live.size() != count) {
    in.refuse("revision", "has another length than the columns beside it");
    return out;
  }
  out.reserve(count);
  Flush before{lo, {}, {}, false};
  for (std::size_t i = 0; i < count; ++i) {
    const auto step = integer_in(revisions[i]);
    const auto after = integer_in(earliest[i]);
    const auto by = integer_in(latest[i]);
    const auto is_live = integer_in(live[i]);
    if (!step || !after || !by || !is_live || *is_live < 0 || *is_live > 1) {
      in.refuse("revision", "stands beside something that is no number");
      return out;
    }
    before = {
        plus(before.revision, *step), {plus(before.latest.ns, *after)}, {plus(before.latest.ns, *by)}, *is_live == 1};
    out.push_back(before);
  }
  return out;
}

Json encode(const SidecarChange& change) {
  return Json::array(
      {change.after, change.by, change.bucket, hex(change.key), change.value ? Json(hex(*change.value)) : Json()});
}

std::optional<Bytes> bytes_in(const Json& value) {
  if (!value.is_string()) return std::nullopt;
  const auto& text = value.get_ref<const std::string&>();
  Bytes out(text.size() / 2);
  if (text.size() % 2 != 0 || !parse_hex(text, out) || hex(out) != text) return std::nullopt;
  return out;
}

std::optional<SidecarChange> decode_change(const Json& row) {
  if (!row.is_array() || row.size() != kChangeFields) return std::nullopt;
  const auto after = integer_in(row[0]);
  const auto by = integer_in(row[1]);
  auto key = bytes_in(row[3]);
  if (!after || !by || !row[2].is_string() || !key) return std::nullopt;
  SidecarChange out{*after, *by, row[2].get<std::string>(), *std::move(key), std::nullopt};
  if (out.bucket.empty() || out.bucket.size() > kMaxBucketName) return std::nullopt;
  if (row[4].is_null()) return out;
  out.value = bytes_in(row[4]);
  return out.value ? std::optional(std::move(out)) : std::nullopt;
}

std::vector<SidecarChange> decode_changes(Fields& in) {
  std::vector<SidecarChange> out;
  const Json& rows = in.array("changes", kMaxChanges);
  out.reserve(rows.size());
  for (const Json& row : rows) {
    auto change = decode_change(row);
    if (!change) {
      in.refuse("changes", "has a row that is no change");
      return out;
    }
    out.push_back(*std::move(change));
  }
  return out;
}

// The rules between the fields.
void check(const CaptureCommit& commit, Fields& in) {
  if (commit.hi < commit.lo) in.refuse("hi", "is below lo");
  std::int64_t before = commit.lo;
  for (const Flush& flush : commit.flushes) {
    if (flush.revision <= before || flush.revision > commit.hi) {
      in.refuse("flushes", "do not ascend above lo and up to hi");
    }
    before = flush.revision;
  }
  if (before != commit.hi) in.refuse("flushes", "do not end at hi");
  for (const SidecarChange& change : commit.changes) {
    if (change.after < commit.lo || change.by < change.after || change.by > commit.hi) {
      in.refuse("changes", "has a change that lies outside the segment");
    }
  }
}

}  // namespace

void apply(const SidecarChange& change, etcd::Sidecar& sidecar) {
  if (change.value) {
    sidecar.set(change.bucket, as_text(change.key), *change.value);
  } else {
    sidecar.erase(change.bucket, as_text(change.key));
  }
}

Bytes encode_capture_commit(const CaptureCommit& commit) {
  Json changes = Json::array();
  for (const SidecarChange& change : commit.changes) changes.push_back(encode(change));
  return json::dump({{"magic", kPrologue.magic},
                     {"version", kPrologue.version},
                     {"lineage", lineage_fields(commit.lineage)},
                     {"source", source_fields(commit.source)},
                     {"lo", static_cast<std::uint64_t>(commit.lo)},
                     {"hi", static_cast<std::uint64_t>(commit.hi)},
                     {"flushes", encode(commit.flushes, commit.lo)},
                     {"changes", std::move(changes)},
                     {"writer_version", commit.writer_version}});
}

Result<CaptureCommit> decode_capture_commit(ByteView bytes) {
  const Json root = TRY(json::parse_object(bytes, kMaxBytes, kWhat));
  Fields in(root, kWhat);
  TRY(read_prologue(in, kPrologue));
  Fields lineage(in.child("lineage"), "a capture commit's lineage");
  Fields source(in.child("source"), "a capture commit's source");
  Fields flushes(in.child("flushes"), "a capture commit's list of flushes");
  TRY(in.status());
  CaptureCommit out;
  out.lineage = read_lineage(lineage);
  TRY(lineage.status());
  out.source = read_source(source);
  TRY(source.status());
  out.lo = in.revision("lo");
  out.hi = in.revision("hi");
  out.flushes = decode_flushes(flushes, out.lo);
  TRY(flushes.status());
  out.changes = decode_changes(in);
  out.writer_version = in.text("writer_version");
  check(out, in);
  TRY(in.status());
  return out;
}

}  // namespace lifeboat::manifest
