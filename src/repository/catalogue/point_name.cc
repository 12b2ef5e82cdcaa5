#include "repository/catalogue/point_name.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/bytes.h"
#include "base/text.h"

namespace lifeboat::repository {
namespace {

constexpr std::string_view kGrammar =
    "A point is `latest`, an id of at least 4 hex digits, `@2026-11-21T09:00:00Z`, "
    "`@-15m`, `rev:N`, `rev:N@LINEAGE` or `before-delete:KEY`; `lifeboat ls` lists the points.";

std::unexpected<Error> not_a_point(std::string_view text, std::string why) {
  return fail(ErrorCode::kUsage, fmt::format("\"{}\" does not name a point", printable(text)), std::move(why),
              std::string(kGrammar));
}

Result<PointName> parse_instant(std::string_view text) {
  const std::string_view when = text.substr(1);
  if (when.starts_with('-')) {
    const auto ago = parse_duration_ns(when.substr(1));
    if (!ago) return not_a_point(text, "what follows @- is not a duration such as 15m, 6h or 7d");
    return PointName{.kind = PointName::Kind::kAgo, .id_prefix = {}, .time = {}, .ago_ns = *ago};
  }
  const auto time = parse_time(when);
  if (!time) {
    return not_a_point(text,
                       "what follows @ is neither a time such as 2026-11-21T09:00:00Z nor "
                       "a duration such as -15m");
  }
  return PointName{.kind = PointName::Kind::kTime, .id_prefix = {}, .time = *time};
}

// Hex digits in lower case.
Result<std::string> parse_prefix(std::string_view text, std::string_view digits, std::string_view not_hex) {
  std::string prefix(digits);
  std::ranges::transform(prefix, prefix.begin(),
                         [](char c) { return c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c; });
  if (prefix.find_first_not_of("0123456789abcdef") != std::string::npos) return not_a_point(text, std::string(not_hex));
  if (prefix.size() < kMinIdDigits)
    return not_a_point(text, fmt::format("an id needs at least {} digits", kMinIdDigits));
  return prefix;
}

Result<PointName> parse_revision(std::string_view text) {
  std::string_view digits = text.substr(text.find(':') + 1);
  PointName name{.kind = PointName::Kind::kRevision, .id_prefix = {}, .time = {}};
  if (const std::size_t at = digits.find('@'); at != std::string_view::npos) {
    name.lineage_prefix = TRY(parse_prefix(text, digits.substr(at + 1), "what follows @ is not the id of a lineage"));
    digits = digits.substr(0, at);
  }
  const char* const end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, name.revision);
  if (error != std::errc{} || stop != end || name.revision < 1) {
    return not_a_point(text, "a revision is a whole number from 1 on");
  }
  return name;
}

Result<PointName> parse_id(std::string_view text) {
  return PointName{.kind = PointName::Kind::kId,
                   .id_prefix = TRY(parse_prefix(text, text, "it is none of the forms that a point can have")),
                   .time = {}};
}

}  // namespace

Result<PointName> parse_point_name(std::string_view text) {
  if (text == "latest") return PointName{};
  if (text.starts_with('@')) return parse_instant(text);
  if (text.starts_with("rev:")) return parse_revision(text);
  return parse_id(text);
}

}  // namespace lifeboat::repository
