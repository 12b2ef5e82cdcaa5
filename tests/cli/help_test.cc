#include "cli/help/help.h"

#include <gmock/gmock.h>

#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <sstream>

#include "cli/parse.h"
#include "cli/render/error.h"
#include "cli/table.h"

namespace lifeboat::cli {
namespace {

using ::testing::HasSubstr;

std::string file_text(const std::string& path) {
  std::ifstream file(path);
  EXPECT_TRUE(file) << path << " is not there";
  return {std::istreambuf_iterator<char>(file), {}};
}

// The words of a shell line without quotes, up to a pipe or redirection.
std::vector<std::string> words_of(std::string_view line) {
  std::istringstream in{std::string(line)};
  std::vector<std::string> words;
  for (std::string word; in >> word && word != ">" && word != "|";) words.push_back(word);
  if (!words.empty()) words.erase(words.begin());
  return words;
}

TEST(Help, OfEachCommandBeginsWithExamplesAndEndsWithExitCodes) {
  for (const Command& command : commands()) {
    const std::string text = command_help_text(command);
    EXPECT_FALSE(command.examples.empty()) << command.path;
    EXPECT_LT(text.find("Examples:"), text.find("Usage:")) << command.path;
    EXPECT_LT(text.find("Global flags:"), text.find("Exit codes:")) << command.path;
    EXPECT_THAT(text.substr(text.find("Exit codes:")), HasSubstr("70  a defect of Lifeboat")) << command.path;
    for (const Parameter& parameter : command.parameters) {
      EXPECT_THAT(text, HasSubstr(std::string(parameter.name))) << command.path;
      EXPECT_FALSE(parameter.help.empty()) << command.path << " " << parameter.name;
    }
  }
}

TEST(Help, WrapsWhatIsSaidOfAFlagBelowItself) {
  for (const Command& command : commands()) {
    const std::string text = command_help_text(command);
    std::istringstream lines(text.substr(text.find("Usage:")));
    for (std::string line; std::getline(lines, line);) EXPECT_LE(width(line), 96u) << command.path << ": " << line;
  }
  EXPECT_THAT(command_help_text(*find_command(commands(), "restore etcd")),
              HasSubstr("\n" + std::string(39, ' ') + "NAME.etcd\n"));
}

TEST(Help, HasOnlyExamplesThatParse) {
  for (const Command& command : commands()) {
    for (const Example& example : command.examples) {
      ASSERT_TRUE(example.line.starts_with("lifeboat ")) << example.line;
      const auto parsed = parse(words_of(example.line));
      ASSERT_TRUE(parsed) << example.line << ": " << parsed.error().to_string();
      EXPECT_EQ(parsed->command, &command) << example.line;
    }
  }
}

TEST(Help, NamesNoFlagOfACommandThatIsAlsoASetting) {
  for (const Command& command : commands()) {
    for (const Parameter& parameter : command.parameters) {
      if (!parameter.is_flag()) continue;
      EXPECT_EQ(app::find_setting(parameter.name.substr(2)), nullptr) << command.path << " " << parameter.name;
    }
  }
}

TEST(Help, TellsThatAPointMayBeRefusedOrNotBeThere) {
  for (const Command& command : commands()) {
    if (!command.reads_a_point) continue;
    EXPECT_THAT(command.exits, ::testing::IsSupersetOf({ExitCode::kRefused, ExitCode::kNotFound})) << command.path;
  }
}

TEST(Help, ListsEveryCommand) {
  const std::string overview = overview_text(commands());
  for (const Command& command : commands()) EXPECT_THAT(overview, HasSubstr(std::string(command.path)));
  EXPECT_THAT(group_help_text(commands(), "restore"), HasSubstr("lifeboat restore etcd"));
}

TEST(Help, ExplainsEveryTopicCommandAndErrorCode) {
  for (const char* topic : {"points", "exit-codes", "environment", "flags", "restore", "restore etcd", "ls"}) {
    EXPECT_TRUE(topic_text(commands(), topic)) << topic;
  }
  for (const ErrorEntry& entry : error_catalogue()) {
    const auto page = topic_text(commands(), code_text(entry.code));
    ASSERT_TRUE(page) << code_text(entry.code);
    EXPECT_THAT(*page, HasSubstr(std::string(entry.title)));
    EXPECT_THAT(*page, HasSubstr("Exit code " + std::to_string(static_cast<int>(entry.exit))));
  }
  EXPECT_EQ(topic_text(commands(), "LB-E0000").error().code(), ErrorCode::kUsage);
  EXPECT_THAT(topic_text(commands(), "ponts").error().why(), HasSubstr("did you mean points?"));
}

TEST(Help, OfErrorsNamesOnlyCommandsThatParse) {
  const std::regex quoted("`(lifeboat [^`]*)`");
  for (const ErrorEntry& entry : error_catalogue()) {
    const std::string hint(entry.hint);
    for (std::sregex_iterator match(hint.begin(), hint.end(), quoted), end; match != end; ++match) {
      const std::string line = (*match)[1];
      const auto parsed = parse(words_of(line));
      const bool only_named = line == "lifeboat diff" || line == "lifeboat backup etcd";
      EXPECT_TRUE(parsed || only_named) << code_text(entry.code) << ": " << line;
    }
  }
}

TEST(Help, OfErrorsNamesOnlyFlagsThatAreThere) {
  std::set<std::string, std::less<>> known{"--help", "--cluster"};
  for (const app::SettingSpec& spec : app::setting_specs()) known.insert(app::flag_of(spec));
  for (const Command& command : commands()) {
    for (const Parameter& parameter : command.parameters) known.insert(std::string(parameter.name));
  }
  const std::regex flag("--[a-z][a-z-]*");
  const std::regex quoted("`([^`]*)`");
  for (const ErrorEntry& entry : error_catalogue()) {
    std::string hint = std::regex_replace(std::string(entry.hint), quoted, "");  // commands of other programs, too
    const std::string whole(entry.hint);
    for (std::sregex_iterator match(whole.begin(), whole.end(), quoted), end; match != end; ++match) {
      if ((*match)[1].str().starts_with("lifeboat ")) hint += " " + (*match)[1].str();
    }
    for (std::sregex_iterator match(hint.begin(), hint.end(), flag), end; match != end; ++match) {
      EXPECT_TRUE(known.contains(match->str())) << code_text(entry.code) << " names " << match->str();
    }
  }
}

TEST(Reference, OfCommandsIsWhatTheProgramPrints) {
  EXPECT_EQ(file_text(LIFEBOAT_TEST_DATA "/../docs/cli.md"), commands_markdown(commands()))
      << "write it anew: lifeboat help --markdown > docs/cli.md";
}

TEST(Reference, OfErrorsIsWhatTheProgramPrints) {
  EXPECT_EQ(file_text(LIFEBOAT_TEST_DATA "/../docs/errors.md"), errors_markdown())
      << "write it anew: lifeboat help --errors-markdown > docs/errors.md";
}

TEST(Errors, AreFourLinesWhateverTheyQuote) {
  for (const ErrorEntry& entry : error_catalogue()) {
    for (const Error& error :
         {Error(entry.code, "it failed"), Error(entry.code, "two\nlines", "and\r\nmore\t", "fix\nit")}) {
      const std::string text = error_text(error, Style{});
      EXPECT_EQ(std::ranges::count(text, '\n'), 4) << text;
      const std::regex shape("error: \\S.*\nwhy:   \\S.*\nfix:   \\S.*\ncode:  LB-E[0-9]{4}\n");
      EXPECT_TRUE(std::regex_match(text, shape)) << text;
    }
  }
}

TEST(Errors, AreOneObjectAsJson) {
  const Error error(ErrorCode::kWrongKey, "what", "why", "fix");
  EXPECT_EQ(error_json(error).text(), R"({
  "apiVersion": "lifeboat.dev/v1",
  "kind": "Error",
  "code": "LB-E4005",
  "title": "wrong key for the repo",
  "error": "what",
  "why": "why",
  "fix": "fix",
  "exitCode": 12
}
)");
}

}  // namespace
}  // namespace lifeboat::cli
