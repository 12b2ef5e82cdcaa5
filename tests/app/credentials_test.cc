#include "app/credentials.h"

#include <gmock/gmock.h>

#include "io/memory_file_system.h"
#include "support/fake_console.h"

namespace lifeboat::app {
namespace {

using object::RecipientKind;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class CredentialsTest : public ::testing::Test {
 protected:
  void write(const std::string& path, std::string_view text, std::uint32_t mode = 0600) {
    ASSERT_TRUE(io::make_directories(files_, io::parent_of(path), 0700));
    ASSERT_TRUE(io::publish_file(files_, path, as_bytes(text), mode));
  }
  Result<repository::Credential> find() {
    const Settings settings = Settings::load({flags_, environment_, files_, "/here"}).value();
    return find_credential({settings, environment_, files_, console_, warner()});
  }
  Result<std::vector<repository::Credential>> for_new_repo(bool new_key) {
    const Settings settings = Settings::load({flags_, environment_, files_, "/here"}).value();
    const auto random = io::system_random();
    return credentials_for_new_repo({settings, environment_, files_, console_, warner()}, *random, new_key);
  }
  std::function<void(const std::string&)> warner() {
    return [this](const std::string& sentence) { warnings_.push_back(sentence); };
  }
  static std::string text_of(const Result<repository::Credential>& found) {
    return found ? to_string(found->secret.view()) : "error: " + found.error().to_string();
  }

  std::map<std::string, std::string, std::less<>> flags_;
  Environment environment_;
  io::MemoryFileSystem files_;
  testing::FakeConsole console_;
  std::vector<std::string> warnings_;
};

TEST_F(CredentialsTest, ComeFromAFileWithoutItsTrailingNewline) {
  write("/k/pass", "correct horse \n");
  flags_["passphrase-file"] = "/k/pass";
  const auto found = find();
  EXPECT_EQ(text_of(found), "correct horse ");
  EXPECT_EQ(found->kind, RecipientKind::kPassphrase);
  EXPECT_THAT(warnings_, IsEmpty());
}

TEST_F(CredentialsTest, PreferTheStrongestOrigin) {
  write("/k/key", "key");
  write("/k/pass", "pass");
  environment_["LIFEBOAT_REPO_KEY_FILE"] = "/k/key";
  EXPECT_EQ(text_of(find()), "key");
  flags_["passphrase-file"] = "/k/pass";
  EXPECT_EQ(text_of(find()), "pass");
  flags_["repo-key-file"] = "/k/key";
  EXPECT_EQ(text_of(find()), "key");
}

TEST_F(CredentialsTest, WarnOfAKeyThatOthersCanRead) {
  write("/k/key", "key", 0644);
  flags_["repo-key-file"] = "/k/key";
  EXPECT_EQ(text_of(find()), "key");
  EXPECT_THAT(warnings_, ElementsAre(HasSubstr("chmod 600 /k/key")));
}

TEST_F(CredentialsTest, ComeFromStandardInput) {
  console_.input = "piped\n";
  flags_["passphrase-file"] = "-";
  EXPECT_EQ(text_of(find()), "piped");
}

TEST_F(CredentialsTest, ComeFromACommand) {
  console_.command_output = "printed\n";
  environment_["LIFEBOAT_PASSPHRASE_COMMAND"] = "pass show lifeboat";
  EXPECT_EQ(text_of(find()), "printed");
  EXPECT_THAT(console_.prompts, ElementsAre("pass show lifeboat"));
}

TEST_F(CredentialsTest, ComeFromSystemdWhenNothingElseIsGiven) {
  write("/run/credentials/lifeboat-passphrase", "from systemd\n");
  environment_["CREDENTIALS_DIRECTORY"] = "/run/credentials";
  EXPECT_EQ(text_of(find()), "from systemd");
  write("/run/credentials/lifeboat-repo-key", "its key\n");
  EXPECT_EQ(text_of(find()), "its key");
}

TEST_F(CredentialsTest, AreAskedForOnlyAtATerminal) {
  EXPECT_EQ(find().error().code(), ErrorCode::kNoKeyGiven);
  console_.terminal = true;
  console_.answers = {"typed"};
  EXPECT_EQ(text_of(find()), "typed");
}

TEST_F(CredentialsTest, RefuseFilesThatAreMissingOrEmpty) {
  flags_["repo-key-file"] = "/k/missing";
  EXPECT_EQ(find().error().code(), ErrorCode::kUnreadableInput);
  write("/k/empty", "\n");
  flags_["repo-key-file"] = "/k/empty";
  EXPECT_EQ(find().error().code(), ErrorCode::kUnreadableInput);
}

TEST_F(CredentialsTest, OfANewRepoAreAllThatAreNamed) {
  write("/k/key", "key");
  write("/k/pass", "pass");
  flags_ = {{"repo-key-file", "/k/key"}, {"passphrase-file", "/k/pass"}};
  const auto found = for_new_repo(false);
  ASSERT_TRUE(found);
  ASSERT_EQ(found->size(), 2u);
  EXPECT_EQ((*found)[0].kind, RecipientKind::kKeyFile);
  EXPECT_EQ((*found)[1].kind, RecipientKind::kPassphrase);
}

TEST_F(CredentialsTest, OfANewRepoMayBeANewKeyFileThatIsNeverReplaced) {
  flags_["repo-key-file"] = "/k/new";
  const auto found = for_new_repo(true);
  ASSERT_TRUE(found) << found.error().to_string();
  EXPECT_EQ(found->front().secret.size(), 64u);
  EXPECT_EQ(files_.stat("/k/new")->mode, 0600u);
  EXPECT_EQ(to_string(io::read_whole(files_, "/k/new", 100).value()), to_string(found->front().secret.view()) + "\n");
  EXPECT_EQ(for_new_repo(true).error().code(), ErrorCode::kRepoExists);
}

TEST_F(CredentialsTest, OfANewRepoNeedAPlaceForANewKey) {
  EXPECT_EQ(for_new_repo(true).error().code(), ErrorCode::kUsage);
}

TEST_F(CredentialsTest, OfANewRepoAreTypedTwice) {
  console_.terminal = true;
  console_.answers = {"one", "two"};
  EXPECT_EQ(for_new_repo(false).error().code(), ErrorCode::kNoKeyGiven);
  console_.answers = {"one", "one"};
  const auto found = for_new_repo(false);
  ASSERT_TRUE(found);
  EXPECT_EQ(to_string(found->front().secret.view()), "one");
  console_.terminal = false;
  EXPECT_EQ(for_new_repo(false).error().code(), ErrorCode::kNoKeyGiven);
}

}  // namespace
}  // namespace lifeboat::app
