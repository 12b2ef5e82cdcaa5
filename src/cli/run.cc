#include "cli/run.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <exception>
#include <sstream>

#include "app/signals.h"
#include "cli/help/help.h"
#include "cli/parse.h"
#include "cli/render/error.h"
#include "cli/table.h"
#include "cli/terminal/progress.h"
#include "repository/catalogue/fresh_plan.h"

namespace lifeboat::cli {
namespace {

// Whether JSON is wanted when the settings cannot be read, so that a script gets its errors as it
// asked for them.
bool asks_for_json(const std::vector<std::string>& words, const app::Environment& environment) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    const bool next = (words[i] == "-o" || words[i] == "--output") && i + 1 < words.size() && words[i + 1] == "json";
    if (next || words[i] == "-ojson" || words[i] == "-o=json" || words[i] == "--output=json") return true;
  }
  return app::variable(environment, "LIFEBOAT_OUTPUT") == "json";
}

bool wants_colour(const app::Settings& settings, app::Console& console, app::Stream stream,
                  const app::Environment& environment) {
  const std::string& when = settings.text("color");
  if (when == "always") return true;
  return when == "auto" && console.is_terminal(stream) && app::variable(environment, "TERM") != "dumb";
}

Format format_of(const app::Settings& settings) {
  const std::string& name = settings.text("output");
  return name == "json" ? Format::kJson : name == "raw" ? Format::kRaw : Format::kTable;
}

int exit_of(const Error& error) {
  const int signal = app::stop_signal();
  if (error.code() == ErrorCode::kInterrupted && (signal == SIGTERM || signal == SIGHUP)) {
    return static_cast<int>(ExitCode::kTerminated);
  }
  return static_cast<int>(entry_of(error.code()).exit);
}

class Run {
 public:
  Run(const std::vector<std::string>& words, const app::Surroundings& surroundings, std::ostream& out,
      std::ostream& errors)
      : words_(words), surroundings_(surroundings), out_(out), errors_(errors) {
    json_errors_ = asks_for_json(words, surroundings.environment);
  }

  int finish() {
    const Result<ExitCode> outcome = execute();
    if (!outcome) return report(outcome.error());
    errno = 0;
    out_ << answer_ << std::flush;
    if (out_) return static_cast<int>(*outcome);
    if (errno == EPIPE) return static_cast<int>(ExitCode::kOutputClosed);  // `| head` has what it wants
    return report(Error(ErrorCode::kAnswerNotWritten, done_ + " is done, but its answer could not be written",
                        "standard output: " + system_error(errno, "").why()));
  }

 private:
  Result<ExitCode> execute() {
    const Parsed parsed = TRY(parse(words_));
    if (parsed.help || parsed.command == nullptr) return help(parsed);
    app::Settings settings = TRY(app::Settings::load(
        {parsed.settings, surroundings_.environment, surroundings_.world.files, surroundings_.working_directory}));
    json_errors_ = format_of(settings) == Format::kJson;
    error_style_.colour = wants_colour(settings, surroundings_.console, app::Stream::kError, surroundings_.environment);
    if (format_of(settings) == Format::kRaw && parsed.command->path != "show") {
      return fail(ErrorCode::kUsage, "-o raw is for the value of a key", "only show KEY has one",
                  "Pass -o table or -o json.");
    }
    return run_command(*parsed.command, parsed.arguments, std::move(settings));
  }

  Result<ExitCode> help(const Parsed& parsed) {
    if (parsed.command != nullptr) {
      answer_ = command_help_text(*parsed.command);
    } else {
      answer_ = parsed.group.empty() ? overview_text(commands()) : group_help_text(commands(), parsed.group);
    }
    return parsed.help ? ExitCode::kOk : ExitCode::kUsage;
  }

  Result<ExitCode> run_command(const Command& command, const Arguments& arguments, app::Settings settings) {
    app::App app(surroundings_, std::move(settings));
    const bool quiet = app.settings().is_on("quiet");
    const bool live = surroundings_.console.is_terminal(app::Stream::kError);
    const ProgressKind kind = quiet ? ProgressKind::kSilent : live ? ProgressKind::kLive : ProgressKind::kLog;
    const Style style{
        .colour = wants_colour(app.settings(), surroundings_.console, app::Stream::kOutput, surroundings_.environment),
        .utc = app.settings().is_on("utc"),
        .now = surroundings_.world.clock.now()};
    auto progress = make_progress(kind, app.settings().is_on("verbose"), errors_, surroundings_.world.clock);
    if (!command.writes_log)
      app.on_warning([&](const std::string& sentence) { progress->note("warning: " + sentence); });
    std::ostringstream text;  // held back until the live line is gone
    Context context{
        .commands = commands(),
        .app = app,
        .arguments = arguments,
        .progress = *progress,
        .out = text,
        .errors = errors_,
        .style = style,
        .format = format_of(app.settings()),
        .quiet = quiet,
        .verbose = app.settings().is_on("verbose"),
    };
    const auto once = [&] { return command.run(context); };
    auto outcome = command.reads_a_point ? repository::with_fresh_plan(once) : once();
    progress.reset();
    answer_ = std::move(text).str();
    done_ = command.path;
    return outcome;
  }

  // Whatever failed once the person asked to stop, failed because of that.
  static Error told(const Error& error) {
    if (app::stop_signal() == 0 || error.code() == ErrorCode::kInterrupted) return error;
    return Error(ErrorCode::kInterrupted, "stopped by a signal: " + error.what(), error.why());
  }

  int report(const Error& failure) {
    const Error error = told(failure);
    errors_ << (json_errors_ ? error_json(error).text() : error_text(error, error_style_)) << std::flush;
    return exit_of(error);
  }

  const std::vector<std::string>& words_;
  const app::Surroundings& surroundings_;
  std::ostream& out_;
  std::ostream& errors_;
  std::string answer_;         // written when all else is done
  std::string done_ = "help";  // the command that it is of
  bool json_errors_ = false;
  Style error_style_;
};

}  // namespace

int run(const std::vector<std::string>& words, const app::Surroundings& surroundings, std::ostream& out,
        std::ostream& errors) {
  return Run(words, surroundings, out, errors).finish();
}

int report_internal(const char* what, std::ostream& errors) {
  const Error error(ErrorCode::kInternal, "Lifeboat stopped unexpectedly", what);
  errors << error_text(error, Style{}) << std::flush;
  return exit_of(error);
}

}  // namespace lifeboat::cli
