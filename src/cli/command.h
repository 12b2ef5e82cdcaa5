// Command: one verb of the command line as data: what drives parsing, help and the reference.
#pragma once

#include <map>
#include <optional>
#include <ostream>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "app/app.h"
#include "base/error_code.h"
#include "base/progress.h"
#include "base/result.h"
#include "cli/json.h"
#include "cli/style.h"
#include "repository/catalogue/points.h"

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

// What was given, by the parameter's name.
class Arguments {
 public:
  void add(std::string_view name, std::string value) { values_[std::string(name)].push_back(std::move(value)); }
  bool has(std::string_view name) const { return values_.contains(name); }
  std::string text(std::string_view name, std::string_view fallback = "") const;
  std::optional<std::string> optional(std::string_view name) const;
  std::vector<std::string> all(std::string_view name) const;
  // kUsage unless it is a whole number in [min, max].
  Result<std::int64_t> number(std::string_view name, std::int64_t fallback, std::int64_t min, std::int64_t max) const;

 private:
  std::map<std::string, std::vector<std::string>, std::less<>> values_;
};

enum class Format { kTable, kJson, kRaw };

struct Context {
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

Command init_command();
Command backup_etcd_command();
Command import_command();
Command export_command();
Command ls_command();
Command show_command();
Command diff_command();
Command log_command();
Command verify_command();
Command restore_etcd_command();
Command status_command();
Command agent_command();
Command config_view_command();
Command help_command();
Command version_command();

// In the order in which help lists them.
std::span<const Command> commands();
const Command* find_command(std::string_view path);

// ---- what command files share ----

// Prints the one form of the answer that was asked for.
void answer(Context& context, const std::string& text, const Json& json);

// A point resolved by name, with the catalogue it lives in.
struct Resolved {
  const repository::Repository& repo;
  repository::Catalogue catalogue;
  repository::Catalogue::Target target;
};
Result<Resolved> resolve_point(Context& context, const std::string& name);
// A further name in the same catalogue, `before-delete:KEY` included.
Result<repository::Catalogue::Target> find_target(Context& context, const repository::Catalogue& catalogue,
                                                  const std::string& name);
// Notes what a name was taken for before the work begins. The JSON form says it in the answer, and an error stands
// alone on standard error there.
void tell_target(Context& context, const repository::Catalogue::Target& target);

}  // namespace lifeboat::cli
