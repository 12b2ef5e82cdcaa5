// The users and roles that a restore takes: as of the revision or the newest known ones, and what tells them apart.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "format/etcd/sidecar.h"
#include "repository/catalogue/catalogue.h"

namespace lifeboat::operation {

// kAsOf: as captured at the revision or before it. kLatest: the newest of the same lineage, so that who was locked out
// since stays locked out.
enum class AuthMode { kAsOf, kLatest };
std::string_view auth_mode_word(AuthMode mode);  // "as-of", "latest"
std::optional<AuthMode> parse_auth_mode(std::string_view word);

// Users, roles and the switch, as one manifest holds them.
struct AuthState {
  std::string object;          // the manifest
  std::int64_t revision = 0;   // at which they were read from etcd
  Timestamp earliest, latest;  // in between
  etcd::Sidecar rows;          // the auth buckets alone

  bool enabled() const { return rows.auth_enabled(); }
  std::uint64_t auth_revision() const { return rows.auth_revision(); }
};

// Names alone, ascending: what a password or permission was is told nowhere.
struct AuthDifference {
  bool switched_on = false, switched_off = false;
  std::vector<std::string> users_added, users_removed, users_changed;
  std::vector<std::string> roles_added, roles_removed, roles_changed;
  bool empty() const;
  bool operator==(const AuthDifference&) const = default;
};
// From `before` to `after`. The auth revision counts changes and is none itself: one that was taken back is not told.
AuthDifference auth_difference(const etcd::Sidecar& before, const etcd::Sidecar& after);

// The auth buckets of a sidecar, and the rows of `into` replaced by them.
etcd::Sidecar auth_rows(const etcd::Sidecar& from);
void take_auth(const etcd::Sidecar& from, etcd::Sidecar& into);

// Where the state as of a revision lies between what was captured. Zero: there is none.
struct AuthInterval {
  std::int64_t from = 0;        // captured there, at the revision or below it; else first captured above it
  bool is_above = false;        // only above: nothing was captured at the revision or below it
  std::int64_t same_until = 0;  // captured next above the revision, and equal
  std::int64_t changed_by = 0;  // captured next above the revision, and different
  bool operator==(const AuthInterval&) const = default;
};

struct AuthChoices {
  AuthState as_of, latest;
  AuthInterval interval;            // of as_of
  AuthDifference difference;        // from as_of to latest
  std::optional<Error> unreadable;  // why there is no `latest`
};
// Of the target's lineage, at its revision. Where several manifests tell of that, the target's own is asked.
// kPointNotFound when no manifest of the lineage can be read.
Result<AuthChoices> auth_choices(const repository::Repository& repo, const repository::Catalogue& catalogue,
                                 const repository::Catalogue::Target& target);
// The state that one manifest of the lineage holds; kPlanMismatch when it is of another lineage.
Result<AuthState> read_auth(const repository::Repository& repo, const LineageId& lineage, const std::string& object);

// What a restore takes and leaves, for its report.
struct AuthReport {
  AuthMode mode = AuthMode::kAsOf;
  AuthChoices choices;
  std::optional<AuthState> planned;  // a plan file names another state than this run would take
  const AuthState& taken() const {
    if (planned) return *planned;
    return mode == AuthMode::kLatest ? choices.latest : choices.as_of;
  }
};
// Sentences for the plan and for people: what is taken, and how the other differs.
std::vector<std::string> auth_sentences(const AuthReport& report, std::int64_t revision);

}  // namespace lifeboat::operation
