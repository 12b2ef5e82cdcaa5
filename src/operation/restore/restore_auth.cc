#include "operation/restore/restore_auth.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>

#include "base/text.h"
#include "repository/store/layout.h"

namespace lifeboat::operation {
namespace {

using repository::Point;

constexpr std::string_view kSwitches = "auth", kUsers = "authUsers", kRoles = "authRoles";
constexpr std::array kBuckets{kSwitches, kUsers, kRoles};

struct Names {
  std::vector<std::string>&added, &removed, &changed;
};

// Rows ascend by key in both.
void compare_rows(const etcd::BucketRows* before, const etcd::BucketRows* after, Names names) {
  static const std::vector<etcd::BucketRow> kNone;
  const auto& left = before == nullptr ? kNone : before->rows;
  const auto& right = after == nullptr ? kNone : after->rows;
  auto a = left.begin();
  auto b = right.begin();
  while (a != left.end() || b != right.end()) {
    const int order = a == left.end() ? 1 : b == right.end() ? -1 : compare(a->key, b->key);
    if (order < 0) {
      names.removed.push_back(to_string((a++)->key));
    } else if (order > 0) {
      names.added.push_back(to_string((b++)->key));
    } else {
      if (!equal(a->value, b->value)) names.changed.push_back(to_string(a->key));
      ++a, ++b;
    }
  }
}

AuthState state_of(const std::string& object, const manifest::Manifest& manifest, const etcd::Sidecar& sidecar) {
  return {.object = object,
          .revision = manifest.revision,
          .earliest = manifest.earliest,
          .latest = manifest.latest,
          .rows = auth_rows(sidecar)};
}

Result<AuthState> read_state(const repository::Repository& repo, const Point& point) {
  const etcd::Sidecar sidecar = TRY(repository::read_sidecar(repo, point.object));
  return state_of(point.object, point.manifest, sidecar);
}

// The manifests of a lineage around a revision. What was captured behind a manifest has its users.
struct Around {
  const Point* at_or_below = nullptr;
  const Point* above = nullptr;  // the next one
  const Point* newest = nullptr;
};
Around around(const repository::Catalogue& catalogue, const LineageId& lineage, std::int64_t revision) {
  Around found;
  const auto is_higher = [](const Point& point, const Point* than) {
    return than == nullptr || point.manifest.revision >= than->manifest.revision;
  };
  for (const Point& point : catalogue.points()) {
    if (point.captured || point.manifest.lineage.id != lineage) continue;
    if (is_higher(point, found.newest)) found.newest = &point;
    if (point.manifest.revision <= revision) {
      if (is_higher(point, found.at_or_below)) found.at_or_below = &point;
    } else if (found.above == nullptr || point.manifest.revision < found.above->manifest.revision) {
      found.above = &point;
    }
  }
  return found;
}

std::string names(std::string_view what, const std::vector<std::string>& all) {
  std::string text(what);
  for (const std::string& name : all) text += (&name == &all.front() ? " " : ", ") + printable(name);
  return text;
}

std::vector<std::string> difference_words(const AuthDifference& difference) {
  std::vector<std::string> words;
  if (difference.switched_on) words.emplace_back("authentication was switched on");
  if (difference.switched_off) words.emplace_back("authentication was switched off");
  const auto say = [&](std::string_view what, const std::vector<std::string>& all) {
    if (!all.empty()) words.push_back(names(what, all));
  };
  say("users added:", difference.users_added);
  say("users removed:", difference.users_removed);
  say("users changed:", difference.users_changed);
  say("roles added:", difference.roles_added);
  say("roles removed:", difference.roles_removed);
  say("roles changed:", difference.roles_changed);
  return words;
}

std::string taken_sentence(const AuthReport& report, std::int64_t revision) {
  const AuthState& taken = report.taken();
  const AuthInterval& interval = report.choices.interval;
  const std::string what = fmt::format("Users and roles are those captured at revision {}", taken.revision);
  if (report.planned) return what + ", as the plan file says.";
  if (report.mode == AuthMode::kLatest) return what + ", the newest that are known.";
  if (interval.is_above)
    return what + fmt::format(", above revision {}: nothing was captured there or before.", revision);
  if (interval.same_until != 0) return what + fmt::format("; they were the same at revision {}.", interval.same_until);
  if (interval.changed_by != 0)
    return what + fmt::format("; they were others at revision {}, and when they changed in between is not known.",
                              interval.changed_by);
  return what + fmt::format(", as of revision {}.", revision);
}

// What tells two states of one revision apart.
std::string captured_at(const AuthChoices& choices, const AuthState& state) {
  return choices.as_of.revision == choices.latest.revision ? fmt::format(", captured at {}", rfc3339(state.latest))
                                                           : "";
}

// A manifest that cannot be read hides its point; it may have been the newest.
Result<AuthState> read_newest(const repository::Repository& repo, const repository::Catalogue& catalogue,
                              const Point& newest) {
  for (const repository::DamagedObject& damaged : catalogue.damaged()) {
    const auto name = repository::parse_manifest_name(damaged.object);
    const bool newer =
        name && name->lineage == newest.manifest.lineage.id && name->revision >= newest.manifest.revision;
    if (newer) return std::unexpected(damaged.error);
  }
  return read_state(repo, newest);
}

}  // namespace

std::string_view auth_mode_word(AuthMode mode) {
  switch (mode) {
    case AuthMode::kAsOf:
      return "as-of";
    case AuthMode::kLatest:
      return "latest";
  }
  return "";
}

std::optional<AuthMode> parse_auth_mode(std::string_view word) {
  for (const AuthMode mode : {AuthMode::kAsOf, AuthMode::kLatest})
    if (word == auth_mode_word(mode)) return mode;
  return std::nullopt;
}

bool AuthDifference::empty() const { return *this == AuthDifference(); }

AuthDifference auth_difference(const etcd::Sidecar& before, const etcd::Sidecar& after) {
  AuthDifference found;
  found.switched_on = !before.auth_enabled() && after.auth_enabled();
  found.switched_off = before.auth_enabled() && !after.auth_enabled();
  compare_rows(before.find(kUsers), after.find(kUsers), {found.users_added, found.users_removed, found.users_changed});
  compare_rows(before.find(kRoles), after.find(kRoles), {found.roles_added, found.roles_removed, found.roles_changed});
  return found;
}

etcd::Sidecar auth_rows(const etcd::Sidecar& from) {
  etcd::Sidecar rows;
  take_auth(from, rows);
  return rows;
}

void take_auth(const etcd::Sidecar& from, etcd::Sidecar& into) {
  for (const std::string_view bucket : kBuckets) {
    const etcd::BucketRows* rows = from.find(bucket);
    into.get_or_add(bucket).rows = rows == nullptr ? std::vector<etcd::BucketRow>() : rows->rows;
  }
}

Result<AuthChoices> auth_choices(const repository::Repository& repo, const repository::Catalogue& catalogue,
                                 const repository::Catalogue::Target& target) {
  const std::int64_t revision = target.revision;
  const Around found = around(catalogue, target.point->manifest.lineage.id, revision);
  if (found.newest == nullptr)
    return fail(ErrorCode::kPointNotFound, "the lineage has no point", "no manifest of it can be read");
  const Point& nearest = found.at_or_below != nullptr ? *found.at_or_below : *found.above;
  const bool is_meant = !target.point->captured && target.point->id == nearest.id;
  const Point& own = is_meant ? *target.point : nearest;
  AuthChoices choices;
  choices.as_of = TRY(read_state(repo, own));
  choices.interval.from = own.manifest.revision;
  choices.interval.is_above = found.at_or_below == nullptr;
  auto latest = read_newest(repo, catalogue, *found.newest);
  if (latest) {
    choices.latest = *std::move(latest);
    choices.difference = auth_difference(choices.as_of.rows, choices.latest.rows);
  } else {
    choices.unreadable = latest.error();
  }
  if (found.above == nullptr || choices.interval.is_above) return choices;
  if (const auto next = read_state(repo, *found.above)) {
    const bool same = next->rows == choices.as_of.rows;
    (same ? choices.interval.same_until : choices.interval.changed_by) = next->revision;
  }
  return choices;
}

std::vector<std::string> auth_sentences(const AuthReport& report, std::int64_t revision) {
  const AuthChoices& choices = report.choices;
  std::vector<std::string> sentences{taken_sentence(report, revision)};
  if (choices.unreadable) {
    sentences.push_back("The newest known users and roles cannot be read, so what differs is not known: " +
                        choices.unreadable->what() + ".");
  } else if (choices.difference.empty()) {
    sentences.push_back(
        choices.latest.object == choices.as_of.object
            ? "Nothing newer is known of them."
            : fmt::format("The newest known ones, of revision {}, are the same.", choices.latest.revision));
  } else {
    sentences.push_back(
        fmt::format("The newest known ones, of revision {}{}, differ from those as of revision {}{}: {}.",
                    choices.latest.revision, captured_at(choices, choices.latest), revision,
                    captured_at(choices, choices.as_of), fmt::join(difference_words(choices.difference), "; ")));
    if (report.mode == AuthMode::kAsOf)
      sentences.push_back("These changes are undone by the restore; --auth latest keeps them.");
  }
  return sentences;
}

Result<AuthState> read_auth(const repository::Repository& repo, const LineageId& lineage, const std::string& object) {
  const manifest::Manifest manifest = TRY(repository::read_manifest(repo, object));
  if (manifest.lineage.id != lineage)
    return fail(ErrorCode::kPlanMismatch, "the plan file does not fit", "its users are those of another lineage");
  const etcd::Sidecar sidecar = TRY(repository::read_sidecar(repo, object));
  return state_of(object, manifest, sidecar);
}

}  // namespace lifeboat::operation
