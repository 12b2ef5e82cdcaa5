#include "app/settings.h"

#include <gmock/gmock.h>

#include <set>

#include "app/settings_file.h"
#include "io/memory_file_system.h"

namespace lifeboat::app {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class SettingsTest : public ::testing::Test {
 protected:
  Result<Settings> load() { return Settings::load({flags_, environment_, files_, "/here"}); }
  Settings loaded() {
    auto settings = load();
    if (!settings) throw std::runtime_error(settings.error().to_string());
    return *std::move(settings);
  }
  Error refusal() {
    const auto settings = load();
    return settings ? Error(ErrorCode::kInternal, "it was accepted") : settings.error();
  }
  void write(const std::string& path, std::string_view text) {
    ASSERT_TRUE(io::make_directories(files_, io::parent_of(path), 0755));
    ASSERT_TRUE(io::publish_file(files_, path, as_bytes(text), 0644));
  }

  std::map<std::string, std::string, std::less<>> flags_;
  Environment environment_{{"HOME", "/home/ada"}};
  io::MemoryFileSystem files_;
};

TEST_F(SettingsTest, HaveDefaultsThatNobodyGave) {
  const Settings settings = loaded();
  EXPECT_EQ(settings.text("timeout"), "30s");
  EXPECT_EQ(settings.get("timeout").origin, Origin::kDefault);
  EXPECT_FALSE(settings.is_given("endpoints"));
  EXPECT_EQ(settings.text("spool-dir"), "/var/tmp");
  EXPECT_TRUE(settings.text("repo").empty());
}

TEST_F(SettingsTest, OfASectionStandBelowItOrWithADot) {
  write("/etc/lifeboat/lifeboat.yaml", "capture:\n  flush: 2s\nobjectives.rpo: 10s\n");
  flags_["audit.interval"] = "1m";
  const Settings settings = loaded();
  EXPECT_EQ(settings.text("capture.flush"), "2s");
  EXPECT_EQ(settings.get("capture.flush").where, "/etc/lifeboat/lifeboat.yaml:2:10");
  EXPECT_EQ(settings.text("objectives.rpo"), "10s");
  EXPECT_EQ(settings.get("audit.interval").where, "--audit-interval");
}

TEST_F(SettingsTest, RefuseAnUnknownNameInASection) {
  write("/etc/lifeboat/lifeboat.yaml", "capture:\n  flash: 2s\n");
  const Error error = refusal();
  EXPECT_EQ(error.code(), ErrorCode::kUnknownSetting);
  EXPECT_THAT(error.what(), HasSubstr("/etc/lifeboat/lifeboat.yaml:2:3"));
  EXPECT_THAT(error.why(), HasSubstr("capture.flush"));
}

TEST_F(SettingsTest, RefuseASectionThatIsNone) {
  write("/etc/lifeboat/lifeboat.yaml", "timeout:\n  flush: 2s\n");
  EXPECT_EQ(refusal().code(), ErrorCode::kBadSetting);
}

TEST_F(SettingsTest, PreferFlagOverVariableOverFileOverDefault) {
  write("/etc/lifeboat/lifeboat.yaml", "cluster: from-file\ntimeout: 1m\nthreads: 3\n");
  environment_["LIFEBOAT_CLUSTER"] = "from-variable";
  environment_["LIFEBOAT_TIMEOUT"] = "2m";
  flags_["cluster"] = "from-flag";
  const Settings settings = loaded();
  EXPECT_EQ(settings.text("cluster"), "from-flag");
  EXPECT_EQ(settings.get("cluster").where, "--cluster");
  EXPECT_EQ(settings.text("timeout"), "2m");
  EXPECT_EQ(settings.get("timeout").origin, Origin::kEnvironment);
  EXPECT_EQ(settings.get("timeout").where, "LIFEBOAT_TIMEOUT");
  EXPECT_EQ(settings.number("threads"), 3u);
  EXPECT_EQ(settings.get("threads").origin, Origin::kFile);
  EXPECT_EQ(settings.get("threads").where, "/etc/lifeboat/lifeboat.yaml:3:10");
  EXPECT_EQ(settings.duration_ns("timeout"), 120'000'000'000);
}

TEST_F(SettingsTest, PreferTheUsersFileOverTheSystems) {
  write("/etc/lifeboat/lifeboat.yaml", "cluster: system\nthreads: 3\n");
  write("/home/ada/.config/lifeboat/lifeboat.yaml", "cluster: ada\n");
  const Settings settings = loaded();
  EXPECT_EQ(settings.text("cluster"), "ada");
  EXPECT_EQ(settings.number("threads"), 3u);
}

TEST_F(SettingsTest, ReadOnlyTheFileOfTheConfigFlag) {
  write("/etc/lifeboat/lifeboat.yaml", "threads: 3\n");
  write("/here/mine.yaml", "cluster: mine\n");
  flags_["config"] = "mine.yaml";
  const Settings settings = loaded();
  EXPECT_EQ(settings.text("cluster"), "mine");
  EXPECT_EQ(settings.number("threads"), 2u);
}

TEST_F(SettingsTest, RefuseAConfigFileThatIsNotThere) {
  flags_["config"] = "/nowhere.yaml";
  EXPECT_EQ(refusal().code(), ErrorCode::kUnreadableInput);
}

TEST_F(SettingsTest, SayWhereAnUnknownKeyStandsAndWhatWasMeant) {
  write("/etc/lifeboat/lifeboat.yaml", "# ours\ncluster: prod\n  \nendpoint: a:1\n");
  const Error error = refusal();
  EXPECT_EQ(error.code(), ErrorCode::kUnknownSetting);
  EXPECT_THAT(error.what(), HasSubstr("/etc/lifeboat/lifeboat.yaml:4:1"));
  EXPECT_THAT(error.why(), HasSubstr("did you mean \"endpoints\"?"));
}

TEST_F(SettingsTest, SayWhereABadValueStands) {
  write("/etc/lifeboat/lifeboat.yaml", "timeout: 30\n");
  const Error error = refusal();
  EXPECT_EQ(error.code(), ErrorCode::kBadSetting);
  EXPECT_THAT(error.what(), HasSubstr("/etc/lifeboat/lifeboat.yaml:1:10"));
}

TEST_F(SettingsTest, SayWhereAFileIsNotYaml) {
  write("/etc/lifeboat/lifeboat.yaml", "cluster: [prod\n");
  const Error error = refusal();
  EXPECT_EQ(error.code(), ErrorCode::kUnreadableInput);
  EXPECT_THAT(error.what(), HasSubstr("/etc/lifeboat/lifeboat.yaml:2:1"));
}

TEST_F(SettingsTest, RefuseSecretsOutsideTheEnvironment) {
  write("/etc/lifeboat/lifeboat.yaml", "password: hunter2\n");
  EXPECT_EQ(refusal().code(), ErrorCode::kUnknownSetting);
}

TEST_F(SettingsTest, RefuseAPasswordBesideAUserOnTheCommandLine) {
  flags_["user"] = "root:hunter2";
  const Error error = refusal();
  EXPECT_EQ(error.code(), ErrorCode::kBadSetting);
  EXPECT_THAT(error.fix(), HasSubstr("--password-file"));
  EXPECT_THAT(error.to_string(), ::testing::Not(HasSubstr("hunter2")));
}

TEST_F(SettingsTest, TakeUserAndPasswordFromEtcdctlsVariable) {
  environment_["ETCDCTL_USER"] = "root:a:b";
  const Settings settings = loaded();
  EXPECT_EQ(settings.text("user"), "root");
  EXPECT_EQ(settings.text("password"), "a:b");
}

TEST_F(SettingsTest, PreferOurVariablesOverEtcdctls) {
  environment_["ETCDCTL_ENDPOINTS"] = "theirs:2379";
  EXPECT_THAT(loaded().list("endpoints"), ElementsAre("theirs:2379"));
  environment_["LIFEBOAT_ENDPOINTS"] = "a:1, b:2,";
  EXPECT_THAT(loaded().list("endpoints"), ElementsAre("a:1", "b:2"));
}

TEST_F(SettingsTest, ReadListsOfAFile) {
  write("/etc/lifeboat/lifeboat.yaml", "endpoints:\n  - https://10.0.0.1:2379\n  - https://10.0.0.2:2379\n");
  EXPECT_THAT(loaded().list("endpoints"), ElementsAre("https://10.0.0.1:2379", "https://10.0.0.2:2379"));
}

TEST_F(SettingsTest, MakePathsAbsoluteFromWhereTheyStand) {
  write("/etc/lifeboat/lifeboat.yaml", "cacert: ca.crt\ncert: ~/cert.pem\n");
  flags_["key"] = "./pki/../key.pem";
  const Settings settings = loaded();
  EXPECT_EQ(settings.text("cacert"), "/etc/lifeboat/ca.crt");
  EXPECT_EQ(settings.text("cert"), "/home/ada/cert.pem");
  EXPECT_EQ(settings.text("key"), "/here/key.pem");
}

TEST_F(SettingsTest, TakeARepoAsUrlOrPath) {
  flags_["repo"] = "file:///backup/prod/";
  EXPECT_EQ(loaded().text("repo"), "file:///backup/prod");
  flags_["repo"] = "prod";
  EXPECT_EQ(loaded().text("repo"), "file:///here/prod");
  flags_["repo"] = "file://prod";
  EXPECT_EQ(refusal().code(), ErrorCode::kBadSetting);
  flags_["repo"] = "s3://bucket";
  EXPECT_THAT(refusal().why(), HasSubstr("s3://"));
}

TEST_F(SettingsTest, RefuseValuesThatCannotBeUsed) {
  const std::pair<const char*, const char*> rows[] = {{"timeout", "-1s"},
                                                      {"timeout", "soon"},
                                                      {"threads", "0"},
                                                      {"threads", "many"},
                                                      {"threads", "99999999999"},
                                                      {"timeout", "500us"},
                                                      {"capture.flush", "999us"},
                                                      {"merge.grace", "500ms"},
                                                      {"output", "xml"},
                                                      {"color", ""},
                                                      {"cluster", ""},
                                                      {"utc", "perhaps"}};
  for (const auto& [name, value] : rows) {
    flags_ = {{name, value}};
    const Error error = refusal();
    EXPECT_EQ(error.code(), ErrorCode::kBadSetting) << name << "=" << value;
    EXPECT_THAT(error.what(), HasSubstr(flag_of(*find_setting(name)))) << value;
  }
}

TEST_F(SettingsTest, ObeyNoColorUnlessOursSaysOtherwise) {
  environment_["NO_COLOR"] = "1";
  EXPECT_EQ(loaded().text("color"), "never");
  environment_["LIFEBOAT_COLOR"] = "always";
  EXPECT_EQ(loaded().text("color"), "always");
}

TEST_F(SettingsTest, WarnOfVariablesThatAreNearMissesOnly) {
  environment_["LIFEBOAT_RPEO"] = "/backup";
  environment_["LIFEBOAT_SERVICE_HOST"] = "10.96.0.12";
  EXPECT_THAT(loaded().warnings(), ElementsAre(HasSubstr("did you mean LIFEBOAT_REPO?")));
}

TEST_F(SettingsTest, TakeScratchSpaceFromTmpdir) {
  environment_["TMPDIR"] = "/scratch";
  EXPECT_EQ(loaded().text("spool-dir"), "/scratch");
}

TEST(SettingSpecs, HaveOneNameVariableAndLetterEach) {
  std::set<std::string_view> names, variables;
  std::set<char> letters;
  for (const SettingSpec& spec : setting_specs()) {
    EXPECT_TRUE(names.insert(spec.name).second) << spec.name;
    EXPECT_FALSE(spec.help.empty()) << spec.name;
    if (!spec.variable.empty()) {
      EXPECT_TRUE(variables.insert(spec.variable).second) << spec.variable;
    }
    if (spec.letter != 0) {
      EXPECT_TRUE(letters.insert(spec.letter).second) << spec.letter;
    }
    if (spec.secret) {
      EXPECT_FALSE(spec.has_flag || spec.in_file) << spec.name;
    }
  }
}

TEST(SettingsFile, IsFineWhenEmpty) {
  const auto values = parse_settings("# nothing yet\n", "x.yaml");
  ASSERT_TRUE(values);
  EXPECT_TRUE(values->empty());
}

TEST(SettingsFile, RefusesASecondDocument) {
  const auto values = parse_settings("repo: a\n---\ncluster: prod\n", "x.yaml");
  ASSERT_FALSE(values);
  EXPECT_EQ(values.error().code(), ErrorCode::kUnreadableInput);
  EXPECT_THAT(values.error().what(), HasSubstr("x.yaml:3:1"));
  EXPECT_EQ(parse_settings("---\nrepo: a\n...\n", "x.yaml").value().size(), 1u);
  EXPECT_EQ(parse_settings("repo: a\n---\n", "x.yaml").value().size(), 1u);
}

TEST(SettingsFile, RefusesASettingThatStandsTwice) {
  for (const char* text : {"repo: a\nrepo: b\n", "capture:\n  flush: 1s\ncapture.flush: 2s\n"}) {
    const auto values = parse_settings(text, "x.yaml");
    ASSERT_FALSE(values) << text;
    EXPECT_EQ(values.error().code(), ErrorCode::kBadSetting);
    EXPECT_THAT(values.error().what(), HasSubstr("is set twice"));
    EXPECT_THAT(values.error().why(), HasSubstr("x.yaml:"));
  }
}

TEST(SettingsFile, RefusesAnythingButOneMapOfTexts) {
  EXPECT_FALSE(parse_settings("- repo\n", "x.yaml"));
  EXPECT_FALSE(parse_settings("repo: {a: b}\n", "x.yaml"));
  EXPECT_FALSE(parse_settings("repo: [a]\n", "x.yaml"));
  EXPECT_FALSE(parse_settings("endpoints: [[a]]\n", "x.yaml"));
  EXPECT_FALSE(parse_settings("? [a]\n: b\n", "x.yaml"));
}

}  // namespace
}  // namespace lifeboat::app
