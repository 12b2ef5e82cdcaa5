#include "cli/parse.h"

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <ranges>

#include "base/text.h"
#include "cli/table.h"

namespace lifeboat::cli {
namespace {

std::vector<std::string> words_of(std::string_view path) {
  std::vector<std::string> words;
  for (const auto part : std::views::split(path, ' ')) words.emplace_back(part.begin(), part.end());
  return words;
}

// The parser of one run: its options write into `parsed`.
class Parser {
 public:
  Parser() : root_("lifeboat") {
    prepare(root_);
    for (const app::SettingSpec& spec : app::setting_specs()) {
      if (spec.command.empty()) add_setting(root_, spec);
    }
    root_.add_flag_callback("-h,--help", [this] { parsed_.help = true; });
    root_.add_flag_callback("--version", [this] { version_ = true; });
    for (const Command& command : commands()) add_command(command);
  }

  Result<Parsed> run(const std::vector<std::string>& words) {
    const auto mark = std::ranges::find(words, "--");
    std::vector<std::string> reversed(words.begin(), mark);
    std::ranges::reverse(reversed);  // as CLI11 takes them
    try {
      root_.parse(reversed);
    } catch (const CLI::ParseError& error) {
      return not_understood(error.what());
    }
    if (version_) parsed_.command = find_command(commands(), "version");
    TRY(refuse_extras());
    if (mark != words.end()) TRY(take_words({mark + 1, words.end()}));
    if (parsed_.command != nullptr && !parsed_.help) TRY(require_arguments(*parsed_.command));
    return std::move(parsed_);
  }

 private:
  // CLI11 says "--limit: 1 required TEXT missing" where the last word is a flag that takes a value.
  std::unexpected<Error> not_understood(const std::string& what) const {
    const std::string flag = what.substr(0, what.find(':'));
    if (!what.starts_with("--") || !what.ends_with("missing"))
      return fail(ErrorCode::kUsage, "the command line was not understood", what);
    return fail(ErrorCode::kUsage, fmt::format("{} needs a value", printable(flag)), "nothing follows it",
                fmt::format("lifeboat {}{}--help", parsed_.group, parsed_.group.empty() ? "" : " "));
  }

  static void prepare(CLI::App& app) {
    app.set_help_flag();
    app.allow_extras();
    app.require_subcommand(0, 1);
    app.fallthrough();
  }

  void add_setting(CLI::App& app, const app::SettingSpec& spec) {
    if (!spec.has_flag) return;
    const std::string name(spec.name);
    const std::string flag = app::flag_of(spec);
    const std::string flags = spec.letter == 0 ? flag : fmt::format("-{},{}", spec.letter, flag);
    if (spec.type == app::SettingType::kSwitch) {
      app.add_flag_callback(flags, [this, name] { parsed_.settings[name] = "true"; });
    } else {
      app.add_option_function<std::string>(flags,
                                           [this, name](const std::string& value) { parsed_.settings[name] = value; })
          ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
    }
  }

  // The parser of "restore etcd" is made inside that of "restore".
  CLI::App& node(std::string_view path) {
    CLI::App* app = &root_;
    std::string so_far;
    for (const std::string& word : words_of(path)) {
      so_far += (so_far.empty() ? "" : " ") + word;
      CLI::App*& child = nodes_[so_far];
      if (child == nullptr) {
        child = app->add_subcommand(word);
        prepare(*child);
        child->preparse_callback([this, so_far](std::size_t) {
          parsed_.command = find_command(commands(), so_far);
          parsed_.group = so_far;
        });
      }
      app = child;
    }
    return *app;
  }

  void add_command(const Command& command) {
    CLI::App& app = node(command.path);
    for (const app::SettingSpec& spec : app::setting_specs()) {
      if (spec.command == command.path) add_setting(app, spec);
    }
    for (const Parameter& parameter : command.parameters) {
      const std::string name(parameter.name);
      const auto add = [this, name](const std::string& value) { parsed_.arguments.add(name, value); };
      if (parameter.is_flag() && parameter.value.empty()) {
        app.add_flag_callback(name, [add] { add("true"); });
      } else if (parameter.repeated) {
        app.add_option_function<std::vector<std::string>>(name,
                                                          [add](const std::vector<std::string>& values) {
                                                            for (const std::string& value : values) add(value);
                                                          })
            ->expected(1)
            ->take_all();
      } else {
        app.add_option_function<std::string>(name, add)->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
      }
    }
  }

  // What follows "--": words, whatever they begin with.
  Status take_words(const std::vector<std::string>& words) {
    for (const std::string& word : words) {
      if (parsed_.command == nullptr) return unknown_command(word);
      const auto next = std::ranges::find_if(parsed_.command->parameters, [&](const Parameter& parameter) {
        return !parameter.is_flag() && !parsed_.arguments.has(parameter.name);
      });
      if (next == parsed_.command->parameters.end()) return one_word_too_many(word);
      parsed_.arguments.add(next->name, word);
    }
    return {};
  }

  Status refuse_extras() const {
    const std::vector<std::string> extras = root_.remaining(true);
    if (extras.empty()) {
      if (parsed_.command != nullptr || parsed_.help || parsed_.group.empty()) return {};
      return fail(ErrorCode::kUsage, fmt::format("{} what?", parsed_.group), "the command needs a second word",
                  fmt::format("lifeboat {} --help", parsed_.group));
    }
    const auto flag = std::ranges::find_if(extras, [](const std::string& word) { return word.starts_with('-'); });
    if (flag != extras.end()) return unknown_flag(*flag);
    if (parsed_.command != nullptr) return one_word_too_many(extras.front());
    return unknown_command(extras.front());
  }

  std::unexpected<Error> one_word_too_many(const std::string& word) const {
    return fail(ErrorCode::kUsage, fmt::format("one word too many: \"{}\"", printable(word)),
                fmt::format("{} takes {}", parsed_.command->path, positionals_text(*parsed_.command)),
                fmt::format("lifeboat {} --help", parsed_.command->path));
  }

  static std::string positionals_text(const Command& command) {
    std::string text;
    for (const Parameter& parameter : command.parameters) {
      if (!parameter.is_flag()) text += (text.empty() ? "" : ", then ") + std::string(parameter.name);
    }
    return text.empty() ? "flags only" : "only " + text;
  }

  std::unexpected<Error> unknown_flag(const std::string& word) const {
    const std::string flag = word.substr(0, word.find('='));
    std::vector<std::string> names;
    if (parsed_.command != nullptr) {
      for (const Parameter& parameter : parsed_.command->parameters) {
        if (parameter.is_flag()) names.emplace_back(parameter.name);
      }
    }
    for (const app::SettingSpec& spec : app::setting_specs()) {
      const bool usable = spec.command.empty() || (parsed_.command != nullptr && spec.command == parsed_.command->path);
      if (spec.has_flag && usable) names.push_back(app::flag_of(spec));
    }
    const std::vector<std::string_view> known(names.begin(), names.end());
    const auto meant = nearest(flag, known);
    return fail(ErrorCode::kUsage, fmt::format("unknown flag {}", printable(flag)),
                meant ? fmt::format("did you mean {}?", *meant) : "there is no such flag",
                fmt::format("lifeboat {}{}--help", parsed_.group, parsed_.group.empty() ? "" : " "));
  }

  std::unexpected<Error> unknown_command(const std::string& word) const {
    const std::string prefix = parsed_.group.empty() ? "" : parsed_.group + " ";
    std::vector<std::string_view> known;
    for (const Command& command : commands()) {
      if (!command.path.starts_with(prefix)) continue;
      const std::string_view rest = command.path.substr(prefix.size());
      known.push_back(rest.substr(0, rest.find(' ')));
    }
    const auto meant = nearest(word, known);
    return fail(ErrorCode::kUsage, fmt::format("unknown command \"{}{}\"", prefix, printable(word)),
                meant ? fmt::format("did you mean `lifeboat {}{}`?", prefix, *meant) : "there is no such command",
                fmt::format("lifeboat {}--help", prefix));
  }

  Status require_arguments(const Command& command) const {
    for (const Parameter& parameter : command.parameters) {
      if (!parameter.required || parsed_.arguments.has(parameter.name)) continue;
      return fail(ErrorCode::kUsage, fmt::format("{} needs {}", command.path, parameter.name),
                  std::string(parameter.help), fmt::format("lifeboat {} --help", command.path));
    }
    return {};
  }

  CLI::App root_;
  std::map<std::string, CLI::App*> nodes_;  // owned by their parents
  Parsed parsed_;
  bool version_ = false;
};

}  // namespace

Result<Parsed> parse(const std::vector<std::string>& words) { return Parser().run(words); }

}  // namespace lifeboat::cli
