#include "repository/store/layout.h"

#include <fmt/format.h>

#include <charconv>
#include <limits>

namespace lifeboat::repository {
namespace {

constexpr std::size_t kShaDigits = 64;
constexpr std::size_t kRevisionDigits = 16;

bool is_lower_hex(std::string_view text) {
  return text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

std::string revision_hex(std::int64_t revision) { return fmt::format("{:016x}", static_cast<std::uint64_t>(revision)); }

std::optional<std::int64_t> parse_revision_hex(std::string_view text) {
  if (text.size() != kRevisionDigits || !is_lower_hex(text)) return std::nullopt;
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
    return std::nullopt;
  }
  return static_cast<std::int64_t>(value);
}

template <typename T>
std::optional<T> parse_lower(std::string_view text) {
  return is_lower_hex(text) ? T::parse(text) : std::nullopt;
}

constexpr std::size_t kLineageDigits = 32;

// "<top>/<lineage>/<revision>-<sha256>"
std::optional<ManifestName> parse_revision_object(std::string_view top, std::string_view name) {
  if (name.size() != top.size() + 1 + kLineageDigits + 1 + kRevisionDigits + 1 + kShaDigits) {
    return std::nullopt;
  }
  if (!name.starts_with(top) || name[top.size()] != '/') return std::nullopt;
  name.remove_prefix(top.size() + 1);
  const auto lineage = parse_lower<LineageId>(name.substr(0, kLineageDigits));
  const char slash = name[kLineageDigits];
  name.remove_prefix(kLineageDigits + 1);
  const auto revision = parse_revision_hex(name.substr(0, kRevisionDigits));
  const char dash = name[kRevisionDigits];
  const auto sha = parse_lower<Sha256>(name.substr(kRevisionDigits + 1));
  if (!lineage || slash != '/' || !revision || dash != '-' || !sha) return std::nullopt;
  return ManifestName{*lineage, *revision, *sha};
}

}  // namespace

std::string lineage_prefix(std::string_view kind_prefix, const LineageId& lineage) {
  return fmt::format("{}{}/", kind_prefix, lineage.text());
}

std::string segment_name(const LineageId& lineage, int level, std::int64_t lo, std::int64_t hi, const Sha256& sha) {
  return fmt::format("s/{}/{}/{}-{}-{}", lineage.text(), level, revision_hex(lo), revision_hex(hi), sha.text());
}

std::string manifest_name(const LineageId& lineage, std::int64_t revision, const Sha256& sha) {
  return fmt::format("m/{}/{}-{}", lineage.text(), revision_hex(revision), sha.text());
}

std::string attestation_name(const LineageId& lineage, std::int64_t revision, const Sha256& sha) {
  return fmt::format("v/{}/{}-{}", lineage.text(), revision_hex(revision), sha.text());
}

std::string key_set_name(std::uint32_t epoch, std::uint32_t generation, const std::string& label, const Sha256& sha) {
  return fmt::format("keys/{}-{}-{}-{}", epoch, generation, label, sha.text());
}

std::string format_name(int version) { return fmt::format("format.{}", version); }

std::optional<Sha256> sha256_in_name(std::string_view name) {
  if (name.size() < kShaDigits) return std::nullopt;
  const std::string_view before = name.substr(0, name.size() - kShaDigits);
  if (!before.empty() && before.back() != '-' && before.back() != '/') return std::nullopt;
  return parse_lower<Sha256>(name.substr(before.size()));
}

std::optional<LineageId> lineage_in_name(std::string_view name) {
  for (const std::string_view prefix : {kSegmentPrefix, kManifestPrefix, kAttestationPrefix}) {
    if (!name.starts_with(prefix)) continue;
    name.remove_prefix(prefix.size());
    const bool ends_there = name.size() > kLineageDigits && name[kLineageDigits] == '/';
    return ends_there ? parse_lower<LineageId>(name.substr(0, kLineageDigits)) : std::nullopt;
  }
  return std::nullopt;
}

std::optional<SegmentName> parse_segment_name(std::string_view name) {
  constexpr std::size_t kLevelAt = 2 + kLineageDigits + 1;
  constexpr std::size_t kLoAt = kLevelAt + 2;
  constexpr std::size_t kHiAt = kLoAt + kRevisionDigits + 1;
  constexpr std::size_t kShaAt = kHiAt + kRevisionDigits + 1;
  if (name.size() != kShaAt + kShaDigits || !name.starts_with(kSegmentPrefix)) return std::nullopt;
  const bool separated =
      name[kLevelAt - 1] == '/' && name[kLoAt - 1] == '/' && name[kHiAt - 1] == '-' && name[kShaAt - 1] == '-';
  const char level = name[kLevelAt];
  const auto lineage = parse_lower<LineageId>(name.substr(2, kLineageDigits));
  const auto lo = parse_revision_hex(name.substr(kLoAt, kRevisionDigits));
  const auto hi = parse_revision_hex(name.substr(kHiAt, kRevisionDigits));
  const auto sha = parse_lower<Sha256>(name.substr(kShaAt));
  if (!separated || level < '0' || level > '9' || !lineage || !lo || !hi || !sha) {
    return std::nullopt;
  }
  return SegmentName{*lineage, level - '0', *lo, *hi, *sha};
}

std::optional<ManifestName> parse_manifest_name(std::string_view name) { return parse_revision_object("m", name); }

std::optional<ManifestName> parse_attestation_name(std::string_view name) { return parse_revision_object("v", name); }

}  // namespace lifeboat::repository
