#include <gmock/gmock.h>

#include <cstdlib>
#include <fstream>
#include <iterator>

#include "cli/render/init.h"
#include "cli/reports.h"

namespace lifeboat::cli {
namespace {

using repository::Catalogue;

using namespace lifeboat::testing;
using ::testing::HasSubstr;
using ::testing::Not;

// Compares with tests/cli/golden/NAME; LIFEBOAT_WRITE_GOLDEN=1 writes it. Fields are only ever
// added.
void expect_golden(const std::string& name, const std::string& text) {
  const std::string path = std::string(LIFEBOAT_TEST_DATA) + "/cli/golden/" + name;
  if (std::getenv("LIFEBOAT_WRITE_GOLDEN") != nullptr) std::ofstream(path, std::ios::binary) << text;
  std::ifstream file(path, std::ios::binary);
  ASSERT_TRUE(file) << path << " is not there";
  EXPECT_EQ((std::string{std::istreambuf_iterator<char>(file), {}}), text) << name;
}

const Style kPlain{.colour = false, .utc = true, .now = kNow};

class Rendering : public ::testing::Test {
 protected:
  repository::Point point_ = point();
  repository::Point other_ = point(48211000);
  Catalogue::Target target_{&point_, 48211907};
  Catalogue::Target cut_{&point_, 48211000};
};

TEST_F(Rendering, OfABackup) {
  expect_golden("backup.txt", backup_text(backup(), kPlain));
  expect_golden("backup.json", backup_json(backup(), "Backup").text());
}

TEST_F(Rendering, OfABackupThatContinues) {
  operation::BackupReport report = backup();
  report.new_lineage = false;
  report.gap.reset();
  report.proof = {repository::Proof::kProven, "", 900, 0xdeadbeef, 1, 0.5};
  expect_golden("backup_continued.txt", backup_text(report, kPlain));
  report.previous_revision = report.revision;
  EXPECT_THAT(backup_text(report, kPlain), HasSubstr("nothing changed since the last point"));
}

TEST_F(Rendering, OfPoints) {
  const Catalogue catalogue =
      Catalogue::build({}, {}, {{"m/9", Error(ErrorCode::kObjectDamaged, "object m/9 is damaged")}});
  point_.proof = repository::Proof::kProven;
  expect_golden("points.txt", points_text(catalogue, {&point_, &other_}, kPlain));
  expect_golden("points.json", points_json(catalogue, {&point_, &other_}).text());
  EXPECT_THAT(points_text(Catalogue::build({}, {}), {}, kPlain), HasSubstr("no points yet"));
}

TEST_F(Rendering, OfOnePoint) {
  PointAnswer answer{
      cut_,
      std::vector<etcd::Member>{
          {.id = 0x1234,
           .name = "m1",
           .peer_urls = {"http://10.0.0.1:2380", "http://m1:2380"},
           .client_urls = {"http://10.0.0.1:2379"}},
          {.id = 0x5678, .name = "m2", .peer_urls = {"http://10.0.0.2:2380"}, .client_urls = {}, .is_learner = true},
          {.id = 0x9abc, .name = "m3", .peer_urls = {"http://10.0.0.3:2380"}, .client_urls = {}}}};
  expect_golden("point.txt", point_text(answer, kPlain, false));
  expect_golden("point.json", point_json(answer).text());
  answer.target = target_;
  EXPECT_THAT(point_text(answer, kPlain, true), HasSubstr("s/a"));
  answer.members->back().name.clear();
  EXPECT_THAT(point_text(answer, kPlain, true), AllOf(HasSubstr("(never started)"), Not(HasSubstr("initial-cluster"))));
  answer.members->pop_back();
  EXPECT_THAT(point_text(answer, kPlain, true), Not(HasSubstr("initial-cluster"))) << "a single voter needs none";
  answer.members = std::unexpected(Error(ErrorCode::kObjectDamaged, "object m/9 is damaged"));
  EXPECT_THAT(point_text(answer, kPlain, true), HasSubstr("not readable: object m/9 is damaged"));
  EXPECT_THAT(point_json(answer).text(), Not(HasSubstr("peerUrls")));
}

TEST_F(Rendering, OfKeys) {
  KeysAnswer answer{target_, to_bytes("/registry/"), listing(), true};
  expect_golden("keys.txt", keys_text(answer, kPlain));
  expect_golden("keys.json", keys_json(answer).text());
  answer.with_keys = false;
  expect_golden("groups.txt", keys_text(answer, kPlain));
  EXPECT_THAT(keys_json(answer).text(), Not(HasSubstr("items")));
}

TEST_F(Rendering, OfAValue) {
  const operation::KeyValueAt found{key_line("/registry/\xff"), to_bytes(std::string_view("a\0\xff\n", 4))};
  expect_golden("value.txt", value_text(target_, found, kPlain));
  expect_golden("value.json", value_json(target_, found).text());
}

TEST_F(Rendering, OfDifferences) {
  const DifferenceAnswer answer{cut_, target_, differences()};
  expect_golden("difference.txt", difference_text(answer, kPlain));
  expect_golden("difference.json", difference_json(answer).text());
  EXPECT_THAT(difference_text({cut_, target_, {}}, kPlain), HasSubstr("no differences"));
}

TEST_F(Rendering, OfAnExport) {
  const operation::ExportReport report{
      .path = "/tmp/s.db",
      .revision = 48211907,
      .file_bytes = 1'300'000'000,
      .live_keys = 400'000,
      .sha256 = "ab12",
      .leases = 12,
      .synthesized_leases = {"Lease 1f is named by a key but was not captured: it gets a TTL of 3600 s."},
      .users_revision = 48211000,
      .users = "Users and roles are those captured at revision 48211000, as of revision 48211907."};
  expect_golden("export.txt", export_text(target_, report, kPlain));
  expect_golden("export.json", export_json(target_, report).text());
}

TEST_F(Rendering, OfAVerification) {
  expect_golden("verification.txt", verify_text(verification(), kPlain));
  expect_golden("verification.json", verify_json(verification()).text());
  operation::VerifyReport clean = verification();
  clean.findings.clear();
  EXPECT_THAT(verify_text(clean, kPlain), HasSubstr("no findings"));
}

TEST_F(Rendering, OfALongFindingIsShortenedForPeopleOnly) {
  operation::VerifyReport report = verification();
  report.findings.front().sentence = std::string(399, 'x') + "é" + std::string(5000, 'y');
  EXPECT_LT(verify_text(report, kPlain).size(), 1500u);
  EXPECT_TRUE(is_utf8(verify_text(report, kPlain)));
  EXPECT_GT(verify_json(report).text().size(), 5000u);
}

TEST_F(Rendering, OfARestore) {
  operation::RestoreReport report = restore();
  expect_golden("restore_in_place.txt", restore_text(report, RestoreKind::kInPlace, kPlain));
  expect_golden("restore.json", restore_json(report, RestoreKind::kInPlace).text());
  report.replaced_dir.clear();
  report.undo_command.clear();
  expect_golden("restore.txt", restore_text(report, RestoreKind::kFresh, kPlain));
  report.dry_run = true;
  expect_golden("restore_plan.txt", restore_text(report, RestoreKind::kFresh, kPlain));
  expect_golden("restore_undo.txt", restore_text(report, RestoreKind::kUndo, kPlain));
  expect_golden("restore_undo.json", restore_json(report, RestoreKind::kUndo).text());
}

TEST_F(Rendering, OfTheUsersThatARestoreTakesAndLeaves) {
  operation::RestoreReport report = restore();
  operation::AuthReport auth;
  auth.choices.as_of.object = "m/1";
  auth.choices.as_of.revision = 48211900;
  auth.choices.as_of.earliest = auth.choices.as_of.latest = kNow;
  auth.choices.latest = auth.choices.as_of;
  auth.choices.latest.object = "m/2";
  auth.choices.latest.revision = 48211999;
  auth.choices.latest.rows.set("auth", "authEnabled", to_bytes(std::string_view("\1")));
  auth.choices.interval = {.from = 48211900, .is_above = false, .same_until = 0, .changed_by = 48211999};
  auth.choices.difference.switched_on = true;
  auth.choices.difference.users_removed = {"leaver"};
  auth.choices.difference.users_changed = {"alice"};
  auth.choices.difference.roles_added = {"auditor", "reader"};
  report.auth = auth;
  expect_golden("restore_auth.txt", restore_text(report, RestoreKind::kFresh, kPlain));
  expect_golden("restore_auth.json", restore_json(report, RestoreKind::kFresh).text());
  report.auth->mode = operation::AuthMode::kLatest;
  EXPECT_THAT(restore_text(report, RestoreKind::kFresh, kPlain), HasSubstr("latest: captured at revision 48211999"));
}

TEST_F(Rendering, OfAVerificationSaysThatItWasNotRecorded) {
  operation::VerifyReport report = verification();
  report.notes = {"the result could not be recorded in the repo: it is read-only"};
  EXPECT_THAT(verify_text(report, kPlain), HasSubstr("▲ the result could not be recorded"));
  EXPECT_THAT(verify_json(report).text(), HasSubstr("it is read-only"));
}

TEST_F(Rendering, OfAStatus) {
  operation::StatusReport report = status();
  expect_golden("status.txt", status_text(report, "file:///backup", kPlain));
  expect_golden("status.json", status_json(report, "file:///backup").text());
  report.clusters.front().recoverability = operation::Recoverability::kNotRecoverable;
  EXPECT_THAT(status_text(report, "", kPlain), HasSubstr("✖ NOT RECOVERABLE"));
}

TEST_F(Rendering, OfAStatusOfTwoClustersTellsTheWorstFirst) {
  const operation::StatusReport report = status_of_two();
  expect_golden("status_clusters.txt", status_text(report, "file:///backup", kPlain));
  expect_golden("status_clusters.json", status_json(report, "file:///backup").text());
}

TEST_F(Rendering, OfANewRepo) {
  InitAnswer answer{"file:///backup", "/k", {{}, {"keyfile-1"}, true, {"keys/1-old"}}};
  expect_golden("init.txt", init_text(answer, kPlain));
  expect_golden("init.json", init_json(answer).text());
}

TEST(Style, NeverUsesColourAlone) {
  const Style colour{.colour = true, .utc = true, .now = kNow};
  EXPECT_EQ(colour.good("proven"), "\x1b[32m✔ proven\x1b[0m");
  EXPECT_EQ(kPlain.good("proven"), "✔ proven");
  EXPECT_EQ(width(colour.bad("no")), width(kPlain.bad("no")));
}

TEST(Style, TellsTimesWithTheirAge) {
  EXPECT_EQ(kPlain.time_and_age(ago(480)), "2026-11-21 08:52:00Z (8 min 0 s ago)");
  EXPECT_EQ(kPlain.age(kNow), "now");
  EXPECT_THAT(kPlain.age(ago(-60)), HasSubstr("ahead of this clock"));
}

TEST(Table, AlignsColumnsAndLeavesNoSpacesAtLineEnds) {
  using enum Table::Align;
  Table table({"A", "N", "Z"}, {kLeft, kRight});
  table.row({"é", "1", ""});
  table.row({"long", "1000", "x"});
  EXPECT_EQ(table.text(), "A        N  Z\né        1\nlong  1000  x\n");
}

TEST(Json, EscapesWhatJsonCannotHold) {
  Json json = Json::object();
  json.put("t", "a\"b\\\n\x01\xff é").put("n", -1).put("u", UINT64_MAX).put("d", 1.5).put("b", true).put("z", Json());
  json.put("a", Json::array()).put("o", Json::object().put("x", std::vector<std::string>{"y"}));
  EXPECT_EQ(json.text(),
            "{\n  \"t\": \"a\\\"b\\\\\\n\\u0001\xEF\xBF\xBD é\",\n  \"n\": -1,\n  \"u\": "
            "18446744073709551615,\n"
            "  \"d\": 1.500,\n  \"b\": true,\n  \"z\": null,\n  \"a\": [],\n  \"o\": {\n    \"x\": "
            "[\n      \"y\"\n"
            "    ]\n  }\n}\n");
}

TEST(Json, KnowsUtf8AndBase64) {
  for (const char* good : {"", "abc", "é", "✔", "\xF0\x9F\x98\x80"}) EXPECT_TRUE(is_utf8(good)) << good;
  for (const char* bad : {"\xff", "\xC0\x80", "\xE0\x80\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xC3", "\x80"}) {
    EXPECT_FALSE(is_utf8(bad));
  }
  EXPECT_EQ(base64(""), "");  // RFC 4648, section 10
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foo"), "Zm9v");
  EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
}

}  // namespace
}  // namespace lifeboat::cli
