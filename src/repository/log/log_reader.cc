#include "repository/log/log_reader.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "format/etcd/hash_kv.h"
#include "repository/catalogue/coverage.h"

namespace lifeboat::repository {
namespace {

constexpr std::size_t kFindingsMax = 20;

// The segments that hold revisions at or below `revision`.
manifest::SegmentList segments_to(const manifest::Manifest& manifest, std::int64_t revision) {
  manifest::SegmentList out;
  for (const auto& segment : manifest.segments)
    if (segment.lo < revision) out.push_back(segment);
  return out;
}

// What later bases say is gone, as far as they speak about `revision`.
Result<segment::RevisionList> removed_at(const Repository& repo, const manifest::SegmentList& segments,
                                         std::int64_t revision) {
  std::vector<segment::RevisionList> lists;
  for (const auto& segment : segments)
    if (segment.removes && segment.complete_from <= revision) lists.push_back(TRY(read_removed(repo, segment)));
  return segment::RevisionList::merge(lists);
}

std::vector<VisibilityOptions::Gap> gaps_of(const manifest::SegmentList& segments) {
  const auto coverage = coverage_of(segments);
  std::vector<VisibilityOptions::Gap> out;
  for (const auto& segment : segments)
    if (segment.complete_from > segment.lo + 1)
      out.push_back({segment.lo, segment.complete_from, covers(coverage, segment.lo)});
  return out;
}

// Rule 1: above a segment's complete_from every revision has a record, up to its hi, and its changes count from 0.
class Contiguity {
 public:
  explicit Contiguity(const manifest::SegmentList& segments) : segments_(segments) {}

  void add(std::size_t segment, const etcd::Revision& at, std::vector<std::string>& findings) {
    end_segments_before(segment, findings);
    const std::int64_t from = segments_[segment].complete_from;
    const bool same_main = at.main == previous_.main;
    const bool continues = same_main ? at.sub == previous_.sub + 1 : at.sub == 0;
    const bool skips = !same_main && at.main != previous_.main + 1 && at.main != from + 1;
    if (at.main > from && (!continues || skips) && findings.size() < kFindingsMax)
      findings.push_back(fmt::format("revision {}.{} follows {}.{}: a record is missing in between", at.main, at.sub,
                                     previous_.main, previous_.sub));
    previous_ = at;
  }

  void end_segments_before(std::size_t segment, std::vector<std::string>& findings) {
    for (; ended_ < segment; ++ended_) {
      const auto& last = segments_[ended_];
      if (last.hi > last.complete_from && previous_.main != last.hi && findings.size() < kFindingsMax)
        findings.push_back(
            fmt::format("the last record up to revision {} is of revision {}: the ones behind it are missing", last.hi,
                        previous_.main));
    }
  }

 private:
  const manifest::SegmentList& segments_;
  etcd::Revision previous_;
  std::size_t ended_ = 0;  // segments read to their end
};

std::unexpected<Error> interrupted() { return fail(ErrorCode::kInterrupted, "reading the log was interrupted"); }

Status add_heads(const Repository& repo, const manifest::SegmentList& segments, unsigned threads,
                 Visibility& visibility, Progress& progress) {
  auto blocks = TRY(read_heads(repo, segments, {.threads = threads}));
  HeadBlock block;
  while (TRY(blocks->next(block))) {
    if (progress.cancelled()) return interrupted();
    for (const segment::Head& head : block.list.heads()) TRY(visibility.add_head(head));
    progress.advance(block.plain_bytes);
  }
  return {};
}

class TwoPassReader final : public LogReader {
 public:
  TwoPassReader(const Repository& repo, io::World& world, LogReadOptions options, manifest::SegmentList segments,
                segment::RevisionList removed)
      : repo_(repo),
        options_(std::move(options)),
        segments_(std::move(segments)),
        visibility_(world, {.revision = options_.revision,
                            .compaction = options_.compaction,
                            .memory_bytes = options_.limits.index_memory_bytes,
                            .spool_directory = options_.limits.spool_directory,
                            .check_versions = options_.check,
                            .gaps = gaps_of(segments_),
                            .removed = std::move(removed)}) {}

  Status first_pass(Progress& progress) {
    TRY(options_.check ? see_checked(progress) : see_heads(progress));
    TRY(visibility_.finish());
    findings_.insert(findings_.end(), visibility_.findings().begin(), visibility_.findings().end());
    return {};
  }

  Status begin_second_pass() {
    stream_ = TRY(read_segments(repo_, segments_, {.threads = options_.limits.threads}));
    return {};
  }

  Result<bool> next(SeenRecord& out) override {
    if (ordinal_ == visibility_.records()) return false;
    if (!TRY(stream_->next(out.record)))
      return fail(ErrorCode::kObjectDamaged, "the log ended early",
                  "a second reading found fewer records than the first");
    out.visible = visibility_.visible(ordinal_);
    out.live_at_compaction = visibility_.live_at_compaction(ordinal_);
    ++ordinal_;
    return true;
  }

  std::uint64_t records() const override { return visibility_.records(); }
  const Visibility& visibility() const override { return visibility_; }
  const std::vector<std::string>& findings() const override { return findings_; }

 private:
  Status see_heads(Progress& progress) {
    return add_heads(repo_, segments_, options_.limits.threads, visibility_, progress);
  }

  Status see_checked(Progress& progress) {
    auto blocks = TRY(read_blocks(repo_, segments_, {.threads = options_.limits.threads, .check_digests = true}));
    Contiguity contiguity(segments_);
    DecodedBlock block;
    etcd::Record record;
    while (TRY(blocks->next(block))) {
      if (progress.cancelled()) return interrupted();
      auto reader = TRY(segment::BlockReader::open(block.text.view()));
      while (reader.next(record)) {
        contiguity.add(block.segment, record.key.revision, findings_);
        TRY(visibility_.add(record));
      }
      progress.advance(block.text.size());
    }
    contiguity.end_segments_before(segments_.size(), findings_);
    return {};
  }

  const Repository& repo_;
  const LogReadOptions options_;
  const manifest::SegmentList segments_;
  Visibility visibility_;
  std::vector<std::string> findings_;
  std::unique_ptr<RecordStream> stream_;
  std::uint64_t ordinal_ = 0;
};

std::unexpected<Error> ended_early() {
  return fail(ErrorCode::kObjectDamaged, "the log ended early", "it holds fewer records than its footers say");
}

// What is seen of a base and of what came after it: `after` has seen the later segments, the base's own bits say the
// rest.
class BaseSight {
 public:
  BaseSight(VisibleBits base, Visibility after, const segment::RevisionList& removed)
      : base_(std::move(base)), after_(std::move(after)), removed_(removed) {}

  std::uint64_t records() const { return base_.records() + after_.records(); }
  const Visibility& after() const { return after_; }
  bool at_end() const { return ordinal_ == records(); }

  // Of the next record. `user_key`: asked for where the key decides.
  template <typename KeyOf>
  Result<bool> next(const etcd::Revision& revision, KeyOf&& user_key) {
    const std::uint64_t ordinal = ordinal_++;
    if (ordinal >= base_.records()) return after_.visible(ordinal - base_.records());
    if (!base_.visible(ordinal)) return false;
    if (removed_.holds(revision)) return false;
    if (after_.records() == 0) return true;
    const std::optional<ByteView> key = user_key();
    if (!key) return fail(ErrorCode::kDatabaseDamaged, "a record of the log has no key");
    return !after_.has_key(*key);
  }

 private:
  VisibleBits base_;
  Visibility after_;
  segment::RevisionList::Lookup removed_;
  std::uint64_t ordinal_ = 0;
};

class BaseReader final : public SeenRecords {
 public:
  BaseReader(BaseSight sight, std::unique_ptr<RecordStream> stream)
      : sight_(std::move(sight)), stream_(std::move(stream)) {}

  Result<bool> next(SeenRecord& out) override {
    if (sight_.at_end()) return false;
    if (!TRY(stream_->next(out.record))) return ended_early();
    const auto user_key = [&] { return etcd::parse_user_key(out.record.value); };
    out.visible = TRY(sight_.next(out.record.key.revision, user_key));
    out.live_at_compaction = false;
    return true;
  }
  std::uint64_t records() const override { return sight_.records(); }
  const std::vector<std::string>& findings() const override { return sight_.after().findings(); }

 private:
  BaseSight sight_;
  std::unique_ptr<RecordStream> stream_;
};

// Heads one by one, as what is seen of them.
class SightedHeads : public SeenHeads {
 public:
  explicit SightedHeads(std::unique_ptr<HeadStream> stream) : stream_(std::move(stream)) {}

  Result<bool> next(SeenHead& out) override {
    if (at_end()) return false;
    while (next_ == block_.list.heads().size()) {
      if (!TRY(stream_->next(block_))) return ended_early();
      next_ = 0;
    }
    out.head = block_.list.heads()[next_++];
    out.visible = TRY(see(out.head));
    return true;
  }

 protected:
  virtual bool at_end() const = 0;
  virtual Result<bool> see(const segment::Head& head) = 0;

 private:
  std::unique_ptr<HeadStream> stream_;
  HeadBlock block_;
  std::size_t next_ = 0;
};

class BaseHeads final : public SightedHeads {
 public:
  BaseHeads(BaseSight sight, std::unique_ptr<HeadStream> stream)
      : SightedHeads(std::move(stream)), sight_(std::move(sight)) {}

 private:
  bool at_end() const override { return sight_.at_end(); }
  Result<bool> see(const segment::Head& head) override {
    return sight_.next(head.key.revision, [&] { return std::optional(head.user_key); });
  }

  BaseSight sight_;
};

class TwoPassHeads final : public SightedHeads {
 public:
  TwoPassHeads(Visibility visibility, std::unique_ptr<HeadStream> stream)
      : SightedHeads(std::move(stream)), visibility_(std::move(visibility)) {}

 private:
  bool at_end() const override { return ordinal_ == visibility_.records(); }
  Result<bool> see(const segment::Head&) override { return visibility_.visible(ordinal_++); }

  const Visibility visibility_;
  std::uint64_t ordinal_ = 0;
};

// The records of a log, while the rules are checked: those of the segments, the keys' versions, every digest. What
// `seen` then says of a record is compared at the end with what the records themselves say.
class CheckedStream final : public RecordStream {
 public:
  CheckedStream(io::World& world, manifest::SegmentList segments, segment::RevisionList removed,
                const LogReadOptions& options, std::unique_ptr<BlockStream> blocks)
      : segments_(std::move(segments)),
        contiguity_(segments_),
        visibility_(world, {.revision = options.revision,
                            .memory_bytes = options.limits.index_memory_bytes,
                            .spool_directory = options.limits.spool_directory,
                            .check_versions = true,
                            .gaps = gaps_of(segments_),
                            .removed = std::move(removed)}),
        blocks_(std::move(blocks)) {}

  Result<bool> next(etcd::Record& out) override {
    while (!reader_ || !reader_->next(out)) {
      if (!TRY(blocks_->next(block_))) return false;
      reader_ = TRY(segment::BlockReader::open(block_.text.view()));
    }
    contiguity_.add(block_.segment, out.key.revision, findings_);
    TRY(visibility_.add(out));
    return true;
  }

  // Reads what is left, so that every digest is compared.
  Status finish() {
    etcd::Record rest;
    while (TRY(next(rest))) continue;
    contiguity_.end_segments_before(segments_.size(), findings_);
    TRY(visibility_.finish());
    findings_.insert(findings_.end(), visibility_.findings().begin(), visibility_.findings().end());
    return {};
  }
  const Visibility& visibility() const { return visibility_; }
  std::vector<std::string>& findings() { return findings_; }

 private:
  const manifest::SegmentList segments_;
  Contiguity contiguity_;
  Visibility visibility_;
  std::unique_ptr<BlockStream> blocks_;
  DecodedBlock block_;
  std::optional<segment::BlockReader> reader_;
  std::vector<std::string> findings_;
};

// A BaseReader whose answers are checked.
class CheckedBaseReader final : public SeenRecords {
 public:
  CheckedBaseReader(BaseSight sight, std::unique_ptr<CheckedStream> stream)
      : stream_(*stream), reader_(std::move(sight), std::move(stream)) {}

  Result<bool> next(SeenRecord& out) override {
    if (!TRY(reader_.next(out))) {
      if (!finished_) TRY(finish());
      return false;
    }
    said_visible_.push_back(out.visible);
    return true;
  }
  std::uint64_t records() const override { return reader_.records(); }
  const std::vector<std::string>& findings() const override { return stream_.findings(); }

 private:
  Status finish() {
    finished_ = true;
    TRY(stream_.finish());
    const Visibility& visibility = stream_.visibility();
    if (visibility.records() != said_visible_.size()) return ended_early();
    for (std::uint64_t i = 0; i < said_visible_.size(); ++i) {
      if (said_visible_[i] == visibility.visible(i)) continue;
      stream_.findings().push_back(
          fmt::format("the base does not say rightly whether its record number {} is visible", i + 1));
      break;
    }
    return {};
  }

  CheckedStream& stream_;  // of the reader
  BaseReader reader_;
  std::vector<bool> said_visible_;
  bool finished_ = false;
};

// How many of the first segments are one base that says what is visible at its end; 0 when there is none, or when
// `revision` lies within it.
Result<std::size_t> find_base(const Repository& repo, const manifest::SegmentList& segments, std::int64_t revision,
                              std::optional<VisibleBits>& bits) {
  std::uint64_t records = 0;
  for (std::size_t i = 0; i < segments.size() && segments[i].hi <= revision; ++i) {
    records += segments[i].records;
    auto bytes = TRY(read_visible(repo, segments[i]));
    if (!bytes) continue;
    bits = TRY(VisibleBits::decode(*std::move(bytes)));
    return bits->records() == records ? i + 1 : 0;
  }
  return 0;
}

// The visibility of what is above the base's end; nullopt when its index spilled. A later segment may begin below that
// end, where the base speaks.
Result<std::optional<Visibility>> see_later(const Repository& repo, io::World& world, std::int64_t base_end,
                                            const manifest::SegmentList& later, const segment::RevisionList& removed,
                                            const LogReadOptions& options, Progress& progress) {
  Visibility after(world, {.revision = options.revision,
                           .memory_bytes = options.limits.index_memory_bytes,
                           .spool_directory = options.limits.spool_directory,
                           .removed = removed,
                           .keep_keys = true});
  auto blocks = TRY(read_heads(repo, later, {.threads = options.limits.threads}));
  HeadBlock block;
  while (TRY(blocks->next(block))) {
    if (progress.cancelled()) return interrupted();
    block.list.drop_to(base_end);
    for (const segment::Head& head : block.list.heads()) TRY(after.add_head(head));
  }
  TRY(after.finish());
  if (after.spilled()) return std::optional<Visibility>();
  return std::optional<Visibility>(std::move(after));
}

// nullopt when the log must be read twice.
Result<std::optional<BaseSight>> sight_from_base(const Repository& repo, io::World& world,
                                                 const manifest::SegmentList& segments,
                                                 const segment::RevisionList& removed, const LogReadOptions& options,
                                                 Progress& progress) {
  std::optional<VisibleBits> bits;
  const std::size_t base = options.compaction < 0 ? TRY(find_base(repo, segments, options.revision, bits)) : 0;
  if (base == 0) return std::optional<BaseSight>();
  const manifest::SegmentList later = segments.from(base);
  auto after = TRY(see_later(repo, world, segments[base - 1].hi, later, removed, options, progress));
  if (!after) return std::optional<BaseSight>();
  return std::optional<BaseSight>(BaseSight(*std::move(bits), *std::move(after), removed));
}

}  // namespace

Result<std::unique_ptr<LogReader>> LogReader::open(const Repository& repo, io::World& world,
                                                   const manifest::Manifest& manifest, LogReadOptions options,
                                                   Progress& progress) {
  auto segments = segments_to(manifest, options.revision);
  auto removed = TRY(removed_at(repo, segments, options.revision));
  std::uint64_t plain_bytes = 0;
  for (const auto& segment : segments) plain_bytes += segment.plain_bytes;
  progress.stage("read log", plain_bytes);
  auto reader =
      std::make_unique<TwoPassReader>(repo, world, std::move(options), std::move(segments), std::move(removed));
  TRY(reader->first_pass(progress));
  TRY(reader->begin_second_pass());
  return reader;
}

Result<std::unique_ptr<SeenRecords>> read_log(const Repository& repo, io::World& world,
                                              const manifest::Manifest& manifest, LogReadOptions options,
                                              Progress& progress) {
  const auto segments = segments_to(manifest, options.revision);
  const auto removed = TRY(removed_at(repo, segments, options.revision));
  auto sight = TRY(sight_from_base(repo, world, segments, removed, options, progress));
  if (!sight) return LogReader::open(repo, world, manifest, std::move(options), progress);
  if (!options.check) {
    auto stream = TRY(read_segments(repo, segments, {.threads = options.limits.threads}));
    return std::make_unique<BaseReader>(*std::move(sight), std::move(stream));
  }
  auto blocks = TRY(read_blocks(repo, segments, {.threads = options.limits.threads, .check_digests = true}));
  auto stream = std::make_unique<CheckedStream>(world, segments, removed, options, std::move(blocks));
  return std::make_unique<CheckedBaseReader>(*std::move(sight), std::move(stream));
}

Result<std::unique_ptr<SeenHeads>> read_log_heads(const Repository& repo, io::World& world,
                                                  const manifest::Manifest& manifest, const LogReadOptions& options,
                                                  Progress& progress) {
  const auto segments = segments_to(manifest, options.revision);
  const auto removed = TRY(removed_at(repo, segments, options.revision));
  if (auto sight = TRY(sight_from_base(repo, world, segments, removed, options, progress))) {
    auto stream = TRY(read_heads(repo, segments, {.threads = options.limits.threads}));
    return std::make_unique<BaseHeads>(*std::move(sight), std::move(stream));
  }
  Visibility visibility(world, {.revision = options.revision,
                                .memory_bytes = options.limits.index_memory_bytes,
                                .spool_directory = options.limits.spool_directory,
                                .removed = removed});
  TRY(add_heads(repo, segments, options.limits.threads, visibility, progress));
  TRY(visibility.finish());
  auto stream = TRY(read_heads(repo, segments, {.threads = options.limits.threads}));
  return std::make_unique<TwoPassHeads>(std::move(visibility), std::move(stream));
}

Result<LogHash> hash_log(const Repository& repo, io::World& world, const manifest::Manifest& manifest,
                         std::int64_t compaction, std::int64_t revision, LogReadOptions options, Progress& progress) {
  options.compaction = compaction;
  options.revision = revision;
  auto reader = TRY(LogReader::open(repo, world, manifest, std::move(options), progress));
  etcd::HashKv hash(compaction, revision);
  SeenRecord seen;
  LogHash out;
  while (TRY(reader->next(seen))) {
    hash.add(seen.record, seen.visible, seen.live_at_compaction);
    ++out.records;
  }
  out.live_keys = reader->visibility().live_keys();
  out.hash = hash.value(out.live_keys > 0);
  return out;
}

Status require_live_keys(const manifest::Manifest& manifest, std::uint64_t live_keys) {
  if (manifest.live_keys == 0 || manifest.live_keys == live_keys) return {};
  return fail(ErrorCode::kLogRuleBroken, "the log does not give the keys that the point was made with",
              fmt::format("{} live keys were counted at revision {}, the log gives {}", manifest.live_keys,
                          manifest.revision, live_keys));
}

}  // namespace lifeboat::repository
