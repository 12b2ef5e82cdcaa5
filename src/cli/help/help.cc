#include "cli/help/help.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "cli/help/topics.h"

namespace lifeboat::cli {
namespace {

constexpr std::size_t kColumns = 96;

// Breaks a paragraph into lines.
std::string wrapped(std::string_view text, std::size_t indent) {
  std::string out, line(indent, ' ');
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t end = std::min(text.find(' ', at), text.size());
    const std::string_view word = text.substr(at, end - at);
    if (width(line) + width(word) + 1 > kColumns && width(line) > indent) {
      out += line + "\n";
      line.assign(indent, ' ');
    }
    if (width(line) > indent) line += ' ';
    line += word;
    at = end + 1;
  }
  return out + line + "\n";
}

std::string parameter_text(const Parameter& parameter) {
  if (parameter.value.empty()) return std::string(parameter.name);
  return fmt::format("{} {}", parameter.name, parameter.value);
}

std::string usage_text(const Command& command) {
  std::string text = fmt::format("lifeboat {}", command.path);
  bool has_flags = false;
  for (const Parameter& parameter : command.parameters) {
    if (parameter.is_flag()) {
      has_flags = true;
    } else {
      text += parameter.required ? fmt::format(" {}", parameter.name) : fmt::format(" [{}]", parameter.name);
    }
  }
  return text + (has_flags ? " [flags]" : "");
}

// "  NAME  HELP", the help wrapped below itself.
std::string flag_row(const std::string& name, std::size_t columns, std::string_view help) {
  const std::string text = wrapped(help, columns + 4);
  return fmt::format("  {}{}", name, std::string(columns + 2 - width(name), ' ')) + text.substr(columns + 4);
}

std::string parameters_text(const Command& command) {
  std::size_t columns = 0;
  for (const Parameter& parameter : command.parameters) columns = std::max(columns, width(parameter_text(parameter)));
  std::string text;
  for (const Parameter& parameter : command.parameters) {
    text += flag_row(parameter_text(parameter), columns, parameter.help);
  }
  return text;
}

std::string setting_flag_text(const app::SettingSpec& spec) {
  const std::string letter = spec.letter == 0 ? "    " : fmt::format("-{}, ", spec.letter);
  return fmt::format("{}{}{}{}", letter, app::flag_of(spec), spec.value.empty() ? "" : " ", spec.value);
}

// Flags of settings: those of every command, or those of one alone.
std::string setting_flags_text(std::string_view command) {
  std::size_t columns = 0;
  for (const app::SettingSpec& spec : app::setting_specs())
    if (spec.command == command) columns = std::max(columns, width(setting_flag_text(spec)));
  std::string text;
  for (const app::SettingSpec& spec : app::setting_specs()) {
    if (!spec.has_flag || spec.command != command) continue;
    text += flag_row(setting_flag_text(spec), columns, spec.help);
  }
  return text;
}

std::vector<ExitCode> exits_of(const Command& command) {
  std::vector<ExitCode> exits{ExitCode::kOk, ExitCode::kUsage, ExitCode::kBug};
  exits.insert(exits.end(), command.exits.begin(), command.exits.end());
  std::ranges::sort(exits);
  return exits;
}

std::string exits_text(const Command& command) {
  std::string text;
  for (const ExitCode code : exits_of(command)) {
    text += fmt::format("  {:>3}  {}\n", static_cast<int>(code), exit_meaning(code));
  }
  return text;
}

std::string exits_markdown(const Command& command) {
  std::string text;
  for (const ExitCode code : exits_of(command)) {
    text += fmt::format("{}`{}` {}", text.empty() ? "" : " · ", static_cast<int>(code), exit_meaning(code));
  }
  return text;
}

std::string markdown_cell(std::string_view text) {
  std::string cell;
  for (const char c : text) cell += c == '|' ? "\\|" : std::string(1, c);
  return cell;
}

std::string command_markdown(const Command& command) {
  std::string text = fmt::format("## lifeboat {}\n\n{}.", command.path, command.summary);
  text[text.find('\n') + 2] = static_cast<char>(std::toupper(text[text.find('\n') + 2]));
  if (!command.details.empty()) text += fmt::format(" {}", command.details);
  text += "\n\n```\n";
  for (const Example& example : command.examples) {
    if (!example.comment.empty()) text += fmt::format("# {}\n", example.comment);
    text += fmt::format("{}\n", example.line);
  }
  text += "```\n";
  if (!command.parameters.empty()) {
    text += "\n| argument or flag | meaning |\n|---|---|\n";
    for (const Parameter& parameter : command.parameters) {
      text += fmt::format("| `{}` | {}{} |\n", markdown_cell(parameter_text(parameter)), markdown_cell(parameter.help),
                          parameter.required ? " (required)" : "");
    }
  }
  return text + fmt::format("\nExit codes: {}.\n", exits_markdown(command));
}

std::string settings_markdown() {
  std::string text = "| flag | variable | key in the file | default | meaning |\n|---|---|---|---|---|\n";
  for (const app::SettingSpec& spec : app::setting_specs()) {
    std::string variables = spec.variable.empty() ? "" : fmt::format("`{}`", spec.variable);
    if (!spec.foreign.empty()) variables += fmt::format("{}`{}`", variables.empty() ? "" : ", ", spec.foreign);
    std::string flag = spec.letter == 0 ? "" : fmt::format("`-{}`, ", spec.letter);
    flag += fmt::format("`{}{}{}`", app::flag_of(spec), spec.value.empty() ? "" : " ", spec.value);
    if (!spec.command.empty()) flag += fmt::format(" of `{}`", spec.command);
    text += fmt::format("| {} | {} | {} | {} | {} |\n", spec.has_flag ? flag : "", variables,
                        spec.in_file ? fmt::format("`{}`", spec.name) : "",
                        spec.fallback.empty() ? "" : fmt::format("`{}`", spec.fallback), markdown_cell(spec.help));
  }
  return text;
}

std::string capitalised(std::string_view text) {
  std::string out(text);
  if (!out.empty() && out[0] >= 'a' && out[0] <= 'z') out[0] = static_cast<char>(out[0] - 'a' + 'A');
  return out;
}

}  // namespace

std::string_view exit_meaning(ExitCode code) {
  switch (code) {
    case ExitCode::kOk:
      return "done";
    case ExitCode::kAnswerIsNo:
      return "the answer is no: differences, nothing found, or not recoverable";
    case ExitCode::kUsage:
      return "usage or configuration";
    case ExitCode::kPartial:
      return "only a part was done";
    case ExitCode::kUnreachable:
      return "etcd not reachable";
    case ExitCode::kCredentials:
      return "credentials or certificates refused";
    case ExitCode::kIntegrity:
      return "integrity: damage, or hashes that disagree";
    case ExitCode::kRefused:
      return "refused: unsafe state, or confirmation needed";
    case ExitCode::kObjectiveMissed:
      return "an objective was missed";
    case ExitCode::kStorage:
      return "storage: full, read-only, or an IO error";
    case ExitCode::kNotFound:
      return "repo, point, key or path not found";
    case ExitCode::kLocked:
      return "locked by somebody else";
    case ExitCode::kWrongKey:
      return "wrong key for the repo";
    case ExitCode::kBug:
      return "a defect of Lifeboat";
    case ExitCode::kInterrupted:
      return "interrupted by Ctrl-C";
    case ExitCode::kOutputClosed:
      return "the reader of standard output went away";
    case ExitCode::kTerminated:
      return "ended by SIGTERM or SIGHUP";
  }
  return "";
}

std::string overview_text(CommandTable commands) {
  std::string text =
      "Lifeboat backs up etcd into an encrypted repo and brings it back, proven.\n\n"
      "  lifeboat init -r /backup/prod --repo-key-file prod.key --new-key\n"
      "  lifeboat backup etcd -r /backup/prod --repo-key-file prod.key --endpoints 127.0.0.1:2379\n"
      "  lifeboat restore etcd -r /backup/prod --repo-key-file prod.key --to latest --data-dir "
      "/var/lib/etcd-new\n\n"
      "Commands:\n";
  for (const Command& command : commands) text += fmt::format("  {:<13} {}\n", command.path, command.summary);
  return text +
         "\nlifeboat COMMAND --help     examples, flags and exit codes of a command\n"
         "lifeboat help TOPIC         points, exit-codes, environment, flags, or an error code "
         "such as LB-E2001\n";
}

std::string command_help_text(const Command& command) {
  std::string text = fmt::format("lifeboat {}: {}\n\nExamples:\n", command.path, command.summary);
  for (const Example& example : command.examples) {
    if (!example.comment.empty()) text += fmt::format("  # {}\n", example.comment);
    text += fmt::format("  {}\n", example.line);
  }
  if (!command.details.empty()) text += "\n" + wrapped(command.details, 0);
  text += fmt::format("\nUsage: {}\n", usage_text(command));
  text += parameters_text(command);
  if (const std::string own = setting_flags_text(command.path); !own.empty()) text += "\nIts own settings:\n" + own;
  return text + "\nGlobal flags:\n" + setting_flags_text("") + "\nExit codes:\n" + exits_text(command);
}

std::string group_help_text(CommandTable commands, std::string_view group) {
  std::string text = fmt::format("lifeboat {}:\n", group);
  for (const Command& command : commands) {
    if (command.path.starts_with(std::string(group) + " ")) {
      text += fmt::format("  lifeboat {:<13} {}\n", command.path, command.summary);
    }
  }
  return text;
}

std::string error_page_text(const ErrorEntry& entry) {
  return fmt::format("{}: {}\n\n{}\n{}\nExit code {}: {}\n", code_text(entry.code), entry.title,
                     wrapped(entry.explanation, 2), wrapped(fmt::format("fix: {}", entry.hint), 2),
                     static_cast<int>(entry.exit), exit_meaning(entry.exit));
}

Result<std::string> topic_text(CommandTable commands, const std::string& topic) {
  if (topic == "points") return std::string(kPointsTopic);
  if (topic == "environment") return environment_topic();
  if (topic == "flags") return "Flags of every command:\n" + setting_flags_text("");
  if (topic == "exit-codes") {
    std::string text = "Exit codes:\n";
    for (const ExitCode code : kAllExits)
      text += fmt::format("  {:>3}  {}\n", static_cast<int>(code), exit_meaning(code));
    return text;
  }
  if (const auto code = parse_code(topic)) return error_page_text(entry_of(*code));
  if (const Command* command = find_command(commands, topic)) return command_help_text(*command);
  for (const Command& command : commands) {
    if (command.path.starts_with(topic + " ")) return group_help_text(commands, topic);
  }
  std::vector<std::string_view> known{"points", "exit-codes", "environment", "flags"};
  for (const Command& command : commands) known.push_back(command.path);
  const auto meant = nearest(topic, known);
  return fail(ErrorCode::kUsage, fmt::format("there is no help on \"{}\"", printable(topic)),
              meant ? fmt::format("did you mean {}?", *meant) : "it is no topic, command or error code",
              "lifeboat help");
}

std::string commands_markdown(CommandTable commands) {
  std::string text =
      "# The command line\n\n"
      "<!-- Written by `lifeboat help --markdown`; a test compares it. -->\n\n"
      "Answers go to standard output; progress, notes and errors to standard error. With `-o json` "
      "every answer is "
      "one JSON object with `apiVersion: lifeboat.dev/v1` and a `kind`; fields are only ever "
      "added. Sizes are bytes, "
      "durations are seconds, times are RFC 3339 in UTC, 64-bit ids of etcd are hexadecimal texts, "
      "revisions are "
      "numbers; a key or value that is not UTF-8 comes with a second field that ends in `Base64` "
      "and has its bytes. "
      "An error is four lines on standard error, or with `-o json` one object of kind `Error` "
      "there.\n";
  for (const Command& command : commands) text += "\n" + command_markdown(command);
  text += "\n## Points\n\n```\n" + std::string(kPointsTopic) + "```\n";
  text +=
      "\n## Settings\n\nA flag wins over a variable, a variable over the configuration file, the "
      "file over the "
      "default. The files are `/etc/lifeboat/lifeboat.yaml`, then "
      "`~/.config/lifeboat/lifeboat.yaml`, or the one "
      "of `--config` alone; an unknown key is an error.\n\n" +
      settings_markdown();
  text +=
      "\n`NO_COLOR` turns colour off. Under systemd, `LoadCredential=lifeboat-repo-key:…` or "
      "`lifeboat-passphrase:…` opens the repo.\n";
  text += "\n## Exit codes\n\n| code | meaning |\n|---|---|\n";
  for (const ExitCode code : kAllExits)
    text += fmt::format("| {} | {} |\n", static_cast<int>(code), exit_meaning(code));
  return text;
}

std::string errors_markdown() {
  std::string text =
      "# Errors\n\n"
      "<!-- Written by `lifeboat help --errors-markdown`; a test compares it. -->\n\n"
      "Every error has a code that never changes its meaning. `lifeboat help LB-E2001` prints the "
      "same page.\n";
  for (const ErrorEntry& entry : error_catalogue()) {
    text +=
        fmt::format("\n## {}: {}\n\n{}\n\n*Fix:* {}\n\nExit code {}: {}.\n", code_text(entry.code), entry.title,
                    entry.explanation, entry.hint, static_cast<int>(entry.exit), capitalised(exit_meaning(entry.exit)));
  }
  return text;
}

}  // namespace lifeboat::cli
