#include "cli/parse.h"

#include <gmock/gmock.h>

namespace lifeboat::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Error refusal(const std::vector<std::string>& words) {
  const auto parsed = parse(words);
  return parsed ? Error(ErrorCode::kInternal, "it was understood") : parsed.error();
}

TEST(CommandLine, TakesGlobalFlagsBeforeAndAfterTheCommand) {
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"-r", "/backup", "-q", "backup", "etcd", "--tag", "a=b"},
        std::vector<std::string>{"backup", "-q", "etcd", "--tag=a=b", "--repo=/backup"}}) {
    const auto parsed = parse(words);
    ASSERT_TRUE(parsed) << parsed.error().to_string();
    EXPECT_EQ(parsed->command->path, "backup etcd");
    EXPECT_EQ(parsed->settings.find("repo")->second, "/backup");
    EXPECT_EQ(parsed->settings.find("quiet")->second, "true");
    EXPECT_EQ(parsed->arguments.text("--tag"), "a=b");
  }
}

TEST(CommandLine, TakesWordsInOrderAndFlagsAmongThem) {
  const auto parsed = parse({"ls", "@-15m", "--keys", "/registry/", "--limit", "5"});
  ASSERT_TRUE(parsed) << parsed.error().to_string();
  EXPECT_EQ(parsed->arguments.text("POINT"), "@-15m");
  EXPECT_EQ(parsed->arguments.text("PREFIX"), "/registry/");
  EXPECT_TRUE(parsed->arguments.has("--keys"));
  EXPECT_EQ(parsed->arguments.number("--limit", 1, 1, 10).value(), 5);
}

TEST(CommandLine, TakesEveryWordAfterTwoDashesForAnArgument) {
  const auto shown = parse({"show", "latest", "--utc", "--", "--key"});
  ASSERT_TRUE(shown) << shown.error().to_string();
  EXPECT_EQ(shown->arguments.text("KEY"), "--key");
  EXPECT_TRUE(shown->settings.contains("utc"));
  EXPECT_EQ(parse({"export", "--", "latest", "-o"}).value().arguments.text("FILE"), "-o");
  EXPECT_TRUE(parse({"ls", "--"}));
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"ls", "latest", "/a", "--", "--utc"}, {"restore", "etcd", "--", "--dry-run"}}) {
    const auto refused = parse(words);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().what(), "one word too many: \"" + words.back() + "\"");
  }
}

TEST(CommandLine, KeepsEveryOneOfARepeatedFlagAndTheLastOfOthers) {
  const auto parsed = parse({"backup", "etcd", "--tag", "a=1", "--tag", "b=2", "--from", "x", "--from", "y"});
  ASSERT_TRUE(parsed) << parsed.error().to_string();
  EXPECT_THAT(parsed->arguments.all("--tag"), ElementsAre("a=1", "b=2"));
  EXPECT_EQ(parsed->arguments.text("--from"), "y");
}

TEST(CommandLine, TakesTheNameOfACommandAsAWordOfHelp) {
  const auto parsed = parse({"help", "restore", "etcd"});
  ASSERT_TRUE(parsed) << parsed.error().to_string();
  EXPECT_EQ(parsed->command->path, "help");
  EXPECT_EQ(parsed->arguments.text("TOPIC"), "restore");
  EXPECT_EQ(parsed->arguments.text("WORD"), "etcd");
}

TEST(CommandLine, GivesHelpEvenWhenArgumentsAreMissing) {
  const auto parsed = parse({"show", "--help"});
  ASSERT_TRUE(parsed) << parsed.error().to_string();
  EXPECT_TRUE(parsed->help);
  EXPECT_EQ(parsed->command->path, "show");
}

TEST(CommandLine, SaysWhatWasMeantByAnUnknownCommand) {
  EXPECT_THAT(refusal({"backp", "etcd"}).why(), HasSubstr("lifeboat backup"));
  EXPECT_THAT(refusal({"restore", "ectd"}).why(), HasSubstr("lifeboat restore etcd"));
  EXPECT_EQ(refusal({"zzzzzz"}).code(), ErrorCode::kUsage);
}

TEST(CommandLine, SaysWhatWasMeantByAnUnknownFlag) {
  EXPECT_THAT(refusal({"restore", "etcd", "--data-dirr", "x"}).why(), HasSubstr("--data-dir?"));
  EXPECT_THAT(refusal({"ls", "--keyz"}).why(), HasSubstr("--keys?"));
  EXPECT_THAT(refusal({"ls", "--rep=x"}).why(), HasSubstr("--repo?"));
}

TEST(CommandLine, RefusesMissingAndSurplusWords) {
  EXPECT_THAT(refusal({"show"}).what(), HasSubstr("POINT"));
  EXPECT_THAT(refusal({"status", "now"}).what(), HasSubstr("\"now\""));
  EXPECT_THAT(refusal({"restore"}).what(), HasSubstr("restore what?"));
  EXPECT_EQ(refusal({"ls", "--limit"}).code(), ErrorCode::kUsage);
  EXPECT_EQ(refusal({"ls", "--limit"}).what(), "--limit needs a value");
}

TEST(CommandLine, TakesNoFlagOfAnotherCommand) { EXPECT_EQ(refusal({"ls", "--in-place"}).code(), ErrorCode::kUsage); }

TEST(CommandLine, KeepsNumbersWithinTheirBounds) {
  const auto parsed = parse({"verify", "--level", "5"});
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->arguments.number("--level", 2, 0, 4).error().code(), ErrorCode::kUsage);
  EXPECT_EQ(parsed->arguments.number("--other", 2, 0, 4).value(), 2);
  EXPECT_EQ(parse({"verify", "--level", "2x"})->arguments.number("--level", 2, 0, 4).error().code(), ErrorCode::kUsage);
}

}  // namespace
}  // namespace lifeboat::cli
