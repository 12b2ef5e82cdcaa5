// Which users and roles a restore takes, what the report says of the others, and what the plan file carries.
#include "operation/restore/restore_auth.h"

#include <gmock/gmock.h>

#include "operation/backup_support.h"
#include "operation/database/database_sidecar.h"
#include "operation/restore/plan_file.h"
#include "operation/restore/restore_etcd.h"
#include "operation/restore_support.h"
#include "repository/store/manifest_store.h"

namespace lifeboat::operation {
namespace {

using backup_testing::RepoWorld;
using backup_testing::why_not;
using repository::Catalogue;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

struct Row {
  const char* bucket;
  const char* key;
  const char* value;
};

etcd::Sidecar sidecar_with(const std::vector<Row>& rows, bool enabled = false) {
  etcd::Sidecar sidecar;
  const std::byte on[1] = {std::byte{enabled}};
  sidecar.set("auth", "authEnabled", on);
  for (const Row& row : rows) sidecar.set(row.bucket, row.key, as_bytes(row.value));
  return sidecar;
}

TEST(AuthDifference, TellsUsersRolesAndTheSwitchByName) {
  const auto before = sidecar_with({{"authUsers", "alice", "old-hash"},
                                    {"authUsers", "bob", "same"},
                                    {"authUsers", "gone", "hash"},
                                    {"authRoles", "reader", "a"},
                                    {"authRoles", "retired", "b"}});
  const auto after = sidecar_with({{"authUsers", "alice", "new-hash"},
                                   {"authUsers", "bob", "same"},
                                   {"authUsers", "carol", "hash"},
                                   {"authRoles", "reader", "wider"},
                                   {"authRoles", "auditor", "c"}},
                                  true);
  const AuthDifference found = auth_difference(before, after);
  EXPECT_TRUE(found.switched_on);
  EXPECT_FALSE(found.switched_off);
  EXPECT_THAT(found.users_added, ElementsAre("carol"));
  EXPECT_THAT(found.users_removed, ElementsAre("gone"));
  EXPECT_THAT(found.users_changed, ElementsAre("alice"));
  EXPECT_THAT(found.roles_added, ElementsAre("auditor"));
  EXPECT_THAT(found.roles_removed, ElementsAre("retired"));
  EXPECT_THAT(found.roles_changed, ElementsAre("reader"));
  const AuthDifference back = auth_difference(after, before);
  EXPECT_TRUE(back.switched_off);
  EXPECT_THAT(back.users_added, ElementsAre("gone"));
  EXPECT_THAT(back.users_removed, ElementsAre("carol"));
}

TEST(AuthDifference, IsEmptyBetweenEqualsAndWhereNothingWasEverSet) {
  const auto some = sidecar_with({{"authUsers", "alice", "hash"}}, true);
  EXPECT_TRUE(auth_difference(some, some).empty());
  EXPECT_TRUE(auth_difference(etcd::Sidecar(), sidecar_with({})).empty());
}

TEST(AuthRows, ReplaceThoseOfASidecarAndNothingElse) {
  auto into = sidecar_with({{"authUsers", "old", "x"}, {"authRoles", "old", "y"}, {"lease", "12345678", "z"}}, true);
  take_auth(sidecar_with({{"authUsers", "new", "h"}, {"lease", "87654321", "w"}}), into);
  EXPECT_FALSE(into.auth_enabled());
  EXPECT_THAT(into.user_names(), ElementsAre("new"));
  EXPECT_THAT(into.role_names(), IsEmpty());
  EXPECT_TRUE(into.value("lease", "12345678"));
  EXPECT_FALSE(into.value("lease", "87654321"));
}

// ---- of a repo ----

// A lineage whose manifests hold the users given, without a record: what is chosen does not depend on them.
struct AuthRepo : RepoWorld {
  AuthRepo() {
    EXPECT_TRUE(init());
    lineage.bytes[0] = std::byte{5};
  }
  std::string publish(std::int64_t revision, const etcd::Sidecar& sidecar, std::int64_t at_seconds = 0) {
    manifest::Manifest manifest;
    manifest.lineage.id = lineage;
    manifest.lineage.reason = "made by hand";
    manifest.source.kind = "snapshot";
    manifest.source.cluster = "prod";
    manifest.revision = revision;
    manifest.earliest = manifest.latest = Timestamp{(at_seconds == 0 ? revision : at_seconds) * 1'000'000'000};
    manifest.writer = std::to_string(++written);
    const auto object = repository::publish_manifest(*repo, world, manifest, sidecar.encode());
    EXPECT_TRUE(object) << why_not(object);
    return object.value_or("");
  }
  AuthChoices choices(std::int64_t revision) {
    const Catalogue points = catalogue();
    return choices(points, {points.newest_of(lineage), revision});
  }
  AuthChoices choices(const Catalogue& points, const Catalogue::Target& target) {
    auto found = auth_choices(*repo, points, target);
    EXPECT_TRUE(found) << why_not(found);
    return found.value_or(AuthChoices());
  }

  LineageId lineage;
  int written = 0;
};

const etcd::Sidecar kOld = sidecar_with({{"authUsers", "alice", "1"}, {"authUsers", "bob", "1"}}, true);
const etcd::Sidecar kNew = sidecar_with({{"authUsers", "alice", "2"}}, true);

TEST(AuthChoices, TakeWhatWasCapturedAtTheRevisionOrBefore) {
  AuthRepo r;
  const std::string first = r.publish(10, kOld);
  r.publish(20, kOld);
  const std::string last = r.publish(30, kNew);
  for (const std::int64_t revision : {10, 15, 19}) {
    const AuthChoices found = r.choices(revision);
    EXPECT_EQ(found.as_of.object, first) << revision;
    EXPECT_EQ(found.interval, (AuthInterval{.from = 10, .is_above = false, .same_until = 20, .changed_by = 0}));
    EXPECT_EQ(found.latest.object, last);
    EXPECT_THAT(found.difference.users_removed, ElementsAre("bob"));
    EXPECT_THAT(found.difference.users_changed, ElementsAre("alice"));
  }
  EXPECT_EQ(r.choices(25).interval, (AuthInterval{.from = 20, .is_above = false, .same_until = 0, .changed_by = 30}));
  EXPECT_EQ(r.choices(30).as_of.object, last);
  EXPECT_TRUE(r.choices(99).difference.empty());
}

TEST(AuthChoices, OfATimeAreThoseCapturedByThenWhereTheRevisionStoodStill) {
  AuthRepo r;
  const std::string first = r.publish(10, kOld, 10);
  const std::string second = r.publish(10, kNew, 20);
  const Catalogue points = r.catalogue();
  const auto target_of = [&](const std::string& name) { return points.resolve(name, "", {}).value(); };
  const Catalogue::Target then = target_of("@1970-01-01T00:00:15Z");
  EXPECT_EQ(then.point->object, first);
  EXPECT_THAT(repository::read_sidecar_at(*r.repo, then)->user_names(), ElementsAre("alice", "bob"));
  const AuthChoices found = r.choices(points, then);
  EXPECT_EQ(found.as_of.object, first);
  EXPECT_EQ(found.latest.object, second);
  EXPECT_THAT(auth_sentences({.mode = AuthMode::kAsOf, .choices = found, .planned = {}}, 10).at(1),
              HasSubstr("of revision 10, captured at 1970-01-01T00:00:20Z, differ"));
  EXPECT_EQ(r.choices(points, target_of("@1970-01-01T00:00:25Z")).as_of.object, second);
  EXPECT_EQ(r.choices(points, target_of("latest")).as_of.object, second);
}

TEST(AuthChoices, SayWhenNothingWasCapturedSoEarly) {
  AuthRepo r;
  r.publish(10, kOld);
  r.publish(20, kNew);
  const AuthChoices found = r.choices(5);
  EXPECT_EQ(found.as_of.revision, 10);
  EXPECT_TRUE(found.interval.is_above);
  const AuthReport report{.mode = AuthMode::kAsOf, .choices = found, .planned = {}};
  EXPECT_THAT(auth_sentences(report, 5).at(0), HasSubstr("nothing was captured there or before"));
}

TEST(AuthChoices, TakeTheNewestOfTheSameHistoryAlone) {
  AuthRepo r;
  const std::string own = r.publish(10, kOld);
  const LineageId mine = r.lineage;
  r.lineage.bytes[0] = std::byte{6};
  r.publish(40, kNew);
  r.lineage = mine;
  EXPECT_EQ(r.choices(10).latest.object, own);
}

TEST(AuthChoices, ThatCannotBeReadAreToldAndHinderOnlyWhoAsksForThem) {
  AuthRepo r;
  r.publish(10, kOld);
  const std::string last = r.publish(20, kNew);
  // Of the manifest's object the sidecar's frame alone, which lies first.
  const auto bytes = storage::get(*r.store, last, 1 << 20);
  ASSERT_TRUE(bytes);
  Bytes damaged = *bytes;
  damaged[200] ^= std::byte{1};
  const std::string path = io::join(backup_testing::kRoot, last);
  ASSERT_TRUE(io::remove_tree(r.memory, path));
  ASSERT_TRUE(io::publish_file(r.memory, path, damaged, 0600));
  const AuthChoices found = r.choices(10);
  ASSERT_TRUE(found.unreadable);
  EXPECT_EQ(found.as_of.revision, 10);
  const AuthReport report{.mode = AuthMode::kAsOf, .choices = found, .planned = {}};
  EXPECT_THAT(auth_sentences(report, 10).at(1), HasSubstr("cannot be read"));
}

TEST(AuthSentences, NameWhoChangedAndNeverAHash) {
  AuthRepo r;
  r.publish(10, sidecar_with({{"authUsers", "alice", "$2a$10$oldhash"}}));
  r.publish(20, sidecar_with({{"authUsers", "alice", "$2a$10$newhash"}, {"authRoles", "auditor", "perm"}}, true));
  std::string text;
  for (const std::string& sentence :
       auth_sentences({.mode = AuthMode::kAsOf, .choices = r.choices(12), .planned = {}}, 12))
    text += sentence + "\n";
  EXPECT_THAT(text, HasSubstr("captured at revision 10"));
  EXPECT_THAT(text, HasSubstr("authentication was switched on; users changed: alice; roles added: auditor"));
  EXPECT_THAT(text, HasSubstr("--auth latest"));
  EXPECT_THAT(text, Not(HasSubstr("hash")));
}

// ---- in a restore ----

RestoreSource source_with(const etcd::Sidecar& as_of, const etcd::Sidecar& latest) {
  RestoreSource source = restore_testing::small_source();
  AuthChoices choices;
  choices.as_of = {.object = "m/1", .revision = 3, .earliest = {}, .latest = {}, .rows = auth_rows(as_of)};
  choices.latest = {.object = "m/2", .revision = 9, .earliest = {}, .latest = {}, .rows = auth_rows(latest)};
  choices.interval.from = 3;
  choices.difference = auth_difference(as_of, latest);
  take_auth(as_of, source.sidecar);
  source.facts.auth_as_of = "m/1";
  source.facts.auth_latest = "m/2";
  source.read_auth = [](const std::string& object) -> Result<AuthState> {
    return AuthState{.object = object,
                     .revision = 4,
                     .earliest = {},
                     .latest = {},
                     .rows = auth_rows(sidecar_with({{"authUsers", "planned", "3"}}))};
  };
  source.auth = std::move(choices);
  return source;
}

class RestoreAuth : public ::testing::Test {
 protected:
  std::vector<std::string> users_after(RestoreOptions options) {
    options.data_dir = "/srv/" + std::to_string(++runs);
    const auto report = restore_fresh(m.world, source, options, progress);
    EXPECT_TRUE(report) << report.error().to_string();
    if (!report) return {};
    EXPECT_TRUE(report->auth);
    EXPECT_THAT(report->auth->choices.difference.users_removed, ElementsAre("bob"));
    const auto file = m.files.open(options.data_dir + "/member/snap/db", {});
    return read_database_sidecar(**file).value().user_names();
  }

  restore_testing::MemoryWorld m;
  RestoreSource source = source_with(kOld, kNew);
  NoProgress progress;
  int runs = 0;
};

TEST_F(RestoreAuth, IsAsOfTheRevisionUnlessTheNewestIsAskedFor) {
  RestoreOptions options;
  EXPECT_THAT(users_after(options), ElementsAre("alice", "bob"));
  options.auth = AuthMode::kAsOf;
  EXPECT_THAT(users_after(options), ElementsAre("alice", "bob"));
  options.auth = AuthMode::kLatest;
  EXPECT_THAT(users_after(options), ElementsAre("alice"));
}

TEST_F(RestoreAuth, IsThatOfThePlanOnEveryHost) {
  RestoreOptions options;
  options.plan_file = "/share/plan";
  options.initial_cluster = "default=http://10.0.0.1:2380";
  options.auth = AuthMode::kLatest;
  EXPECT_THAT(users_after(options), ElementsAre("alice"));
  options.auth.reset();
  EXPECT_THAT(users_after(options), ElementsAre("alice"));
  source.facts.auth_latest = source.auth->latest.object = "m/3";  // a newer one came in between
  source.auth->latest.rows = auth_rows(kOld);
  EXPECT_THAT(users_after(options), ElementsAre("planned")) << "read from the manifest that the plan names";
  options.auth = AuthMode::kAsOf;
  options.data_dir = "/srv/other";
  const auto misfit = restore_fresh(m.world, source, options, progress);
  ASSERT_FALSE(misfit);
  EXPECT_EQ(misfit.error().code(), ErrorCode::kPlanMismatch);
}

TEST_F(RestoreAuth, IsRefusedWhenTheNewestCannotBeRead) {
  source.auth->unreadable = Error(ErrorCode::kObjectDamaged, "manifest m/2 is damaged");
  source.auth->latest = {};
  source.auth->difference = {};
  source.facts.auth_latest.clear();
  RestoreOptions options;
  options.data_dir = "/srv/etcd";
  options.auth = AuthMode::kLatest;
  const auto refused = restore_fresh(m.world, source, options, progress);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kObjectDamaged);
  EXPECT_THAT(refused.error().fix(), HasSubstr("--auth as-of"));
  options.auth = AuthMode::kAsOf;
  EXPECT_TRUE(restore_fresh(m.world, source, options, progress));
}

TEST_F(RestoreAuth, IsAStepOfTheDryRun) {
  RestoreOptions options;
  options.data_dir = "/srv/etcd";
  options.dry_run = true;
  const auto report = restore_fresh(m.world, source, options, progress);
  ASSERT_TRUE(report);
  std::string steps;
  for (const std::string& step : report->plan) steps += step + "\n";
  EXPECT_THAT(steps, HasSubstr("users removed: bob; users changed: alice"));
}

TEST(PlanFileAuth, IsReadBackAndAPlanWithoutItStaysReadable) {
  SharedPlan plan;
  plan.repo.bytes[0] = plan.lineage.bytes[0] = std::byte{1};
  plan.point = "abcdef012345";
  plan.object = "m/aa/bb";
  plan.revision = 5;
  plan.token = "t";
  plan.members = {{"m1", {"http://127.0.0.1:1"}}};
  const Bytes before = encode_plan(plan);
  EXPECT_THAT(to_string(before), Not(HasSubstr("auth")));
  EXPECT_EQ(decode_plan(before).value(), plan);
  plan.auth = AuthMode::kLatest;
  plan.auth_object = "m/cc/dd";
  const Bytes with = encode_plan(plan);
  EXPECT_EQ(decode_plan(with).value(), plan);
  EXPECT_THAT(to_string(with), HasSubstr("\"auth\": \"latest\""));
}

}  // namespace
}  // namespace lifeboat::operation
