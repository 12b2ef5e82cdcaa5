// Command: one verb of the command line as data: what drives parsing, help and the reference.
#pragma once

#include <ostream>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "app/app.h"
#include "base/error_code.h"
#include "base/progress.h"
#include "base/result.h"
#include "cli/grammar/arguments.h"
#include "cli/render/json.h"
#include "cli/terminal/style.h"

namespace lifeboat::cli {

// A positional word ("POINT") or a flag ("--to"). A flag without `value` is a switch.
struct Parameter {
  std::string_view name;
  std::string_view value;
  std::string_view help;
  bool required = false;
  bool repeated = false;
  bool is_flag() const { return name.starts_with("--"); }
};

struct Example {
  std::string_view line;
  std::string_view comment;
};

enum class Format { kTable, kJson, kRaw };

struct Command;
using CommandTable = std::span<const Command>;  // in the order in which help lists them

struct Context {
  CommandTable commands;
  app::App& app;
  const Arguments& arguments;
  Progress& progress;
  std::ostream& out;
  std::ostream& errors;
  Style style;
  Format format = Format::kTable;
  bool quiet = false;
  bool verbose = false;
};

struct Command {
  std::string_view path;     // "backup etcd"
  std::string_view summary;  // one line
  std::string_view details;  // a paragraph or none
  std::vector<Example> examples;
  std::vector<Parameter> parameters;
  std::vector<ExitCode> exits;  // beyond 0, 2, 70, 130 and 141
  Result<ExitCode> (*run)(Context&);
  // It resolves a point and reads it, and leaves nothing behind when that fails: run once more when an object of
  // the point is missing, because a merge may have replaced it meanwhile (repository/catalogue/fresh_plan.h).
  bool reads_a_point = false;
  // What it says are the lines of a log, and it takes the App's warnings into that itself.
  bool writes_log = false;
};

// Null when no command has this path.
const Command* find_command(CommandTable commands, std::string_view path);

// Prints the one form of the answer that was asked for.
void answer(Context& context, const std::string& text, const Json& json);

}  // namespace lifeboat::cli
