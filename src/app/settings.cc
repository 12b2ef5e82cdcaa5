#include "app/settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <ranges>

#include "app/settings_file.h"
#include "base/text.h"
#include "base/time.h"

namespace lifeboat::app {
namespace {

using enum SettingType;

std::unexpected<Error> bad(const SettingSpec& spec, std::string_view value, std::string_view where, std::string why) {
  return fail(
      ErrorCode::kBadSetting,
      fmt::format("{} has the unusable value \"{}\" ({})", spec.name, spec.secret ? "…" : printable(value), where),
      std::move(why));
}

bool is_one_of(std::string_view choices, std::string_view value) {
  for (const auto part : std::views::split(choices, '|')) {
    if (std::string_view(part.begin(), part.end()) == value) return true;
  }
  return false;
}

// Of a span: no end to it.
bool is_endless(std::string_view value) { return value == "forever" || value == "0"; }

Result<std::string> checked_switch(const SettingSpec& spec, std::string_view value, std::string_view where) {
  if (value == "true" || value == "1" || value == "yes" || value == "on") return "true";
  if (value == "false" || value == "0" || value == "no" || value == "off") return "false";
  return bad(spec, value, where, "it is neither true nor false");
}

Result<std::string> checked_number(const SettingSpec& spec, std::string_view value, std::string_view where) {
  const std::uint32_t most = spec.value == "MIB" ? 1u << 20 : 1024;
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc{} || end != value.data() + value.size() || number == 0 || number > most) {
    return bad(spec, value, where, fmt::format("it is not a whole number from 1 to {}", most));
  }
  return std::string(value);
}

Result<std::string> checked_repo(const SettingSpec& spec, std::string_view value, std::string_view where,
                                 std::string_view base, const Environment& environment) {
  constexpr std::string_view kFileScheme = "file://";
  if (value.starts_with(kFileScheme)) {
    const std::string_view path = value.substr(kFileScheme.size());
    if (!path.starts_with('/')) return bad(spec, value, where, "a file URL needs three slashes: file:///path");
    return fmt::format("file://{}", TRY(absolute_path(path, base, environment)));
  }
  if (const auto scheme = value.find("://"); scheme != std::string_view::npos) {
    return bad(spec, value, where,
               fmt::format("this version stores repos in directories only, not at {}://", value.substr(0, scheme)));
  }
  return fmt::format("file://{}", TRY(absolute_path(value, base, environment)));
}

// A password beside the user's name would be seen by everybody who can list processes or read the
// file.
Status require_no_password(const SettingSpec& spec, std::string_view value, std::string_view where) {
  if (spec.name != "user" || value.find(':') == std::string_view::npos) return {};
  return fail(ErrorCode::kBadSetting, fmt::format("user holds a password ({})", where),
              "secrets are taken neither from the command line nor from the configuration file",
              "Pass --user NAME --password-file FILE.");
}

class Loader {
 public:
  explicit Loader(const SettingSources& sources) : sources_(sources) {
    for (const SettingSpec& spec : setting_specs()) {
      settings_.push_back(
          {.spec = &spec, .value = std::string(spec.fallback), .origin = Origin::kDefault, .where = {}});
    }
  }

  Status load() {
    TRY(read_files());
    for (Setting& setting : settings_) TRY(read_environment(setting));
    for (const auto& [name, value] : sources_.flags) {
      Setting& setting = of(name);
      const std::string where = flag_of(*setting.spec);
      TRY(require_no_password(*setting.spec, value, where));
      TRY(set(setting, value, Origin::kFlag, where, sources_.working_directory));
    }
    default_spool();
    warn_of_near_misses();
    return {};
  }

  std::vector<Setting> settings_;
  std::vector<std::string> warnings_;

 private:
  Setting& of(std::string_view name) {
    return *std::ranges::find_if(settings_, [&](const Setting& s) { return s.spec->name == name; });
  }

  Status set(Setting& setting, std::string_view value, Origin origin, std::string where, std::string_view base) {
    setting.value = TRY(checked_value(*setting.spec, value, where, base, sources_.environment));
    setting.origin = origin;
    setting.where = std::move(where);
    return {};
  }

  Status read_environment(Setting& setting) {
    for (const std::string_view name : {setting.spec->foreign, setting.spec->variable}) {
      const auto value = name.empty() ? std::nullopt : variable(sources_.environment, name);
      if (!value) continue;
      if (name == "ETCDCTL_USER" && value->find(':') != std::string::npos) {
        TRY(take_user_and_password(setting, *value));
        continue;
      }
      TRY(require_no_password(*setting.spec, *value, name));
      TRY(set(setting, *value, Origin::kEnvironment, std::string(name), sources_.working_directory));
    }
    if (setting.spec->name == "color" && setting.origin != Origin::kEnvironment &&
        variable(sources_.environment, "NO_COLOR")) {
      return set(setting, "never", Origin::kEnvironment, "NO_COLOR", "");
    }
    return {};
  }

  Status take_user_and_password(Setting& user, const std::string& both) {
    const auto colon = both.find(':');
    TRY(set(user, both.substr(0, colon), Origin::kEnvironment, "ETCDCTL_USER", ""));
    return set(of("password"), both.substr(colon + 1), Origin::kEnvironment, "ETCDCTL_USER", "");
  }

  Status read_files() {
    const auto flag = sources_.flags.find("config");
    const auto named =
        flag != sources_.flags.end() ? std::optional(flag->second) : variable(sources_.environment, "LIFEBOAT_CONFIG");
    if (named) return read_file(TRY(absolute_path(*named, sources_.working_directory, sources_.environment)), true);
    TRY(read_file("/etc/lifeboat/lifeboat.yaml", false));
    if (const auto folder = user_folder()) TRY(read_file(io::join(*folder, "lifeboat/lifeboat.yaml"), false));
    return {};
  }

  std::optional<std::string> user_folder() const {
    if (auto folder = variable(sources_.environment, "XDG_CONFIG_HOME")) return folder;
    const auto home = variable(sources_.environment, "HOME");
    return home ? std::optional(io::join(*home, ".config")) : std::nullopt;
  }

  Status read_file(const std::string& path, bool required) {
    for (const FileValue& found : TRY(read_settings_file(sources_.files, path, required))) {
      Setting& setting = of(found.name);
      TRY(require_no_password(*setting.spec, found.value, found.where));
      TRY(set(setting, found.value, Origin::kFile, found.where, io::parent_of(path)));
    }
    return {};
  }

  // Snapshots are large, and /tmp is often memory.
  void default_spool() {
    Setting& spool = of("spool-dir");
    if (spool.value.empty()) spool.value = "/var/tmp";
  }

  // An unknown variable is no error: a Kubernetes service called lifeboat makes
  // LIFEBOAT_SERVICE_HOST.
  void warn_of_near_misses() {
    std::vector<std::string_view> known;
    for (const SettingSpec& spec : setting_specs()) {
      if (!spec.variable.empty()) known.push_back(spec.variable);
    }
    for (const auto& [name, value] : sources_.environment) {
      if (!name.starts_with("LIFEBOAT_") || std::ranges::find(known, name) != known.end()) continue;
      if (const auto meant = nearest(name, known)) {
        warnings_.push_back(fmt::format("the variable {} is not known and not used; did you mean {}?", name, *meant));
      }
    }
  }

  const SettingSources& sources_;
};

}  // namespace

Result<std::string> absolute_path(std::string_view path, std::string_view working_directory,
                                  const Environment& environment) {
  std::filesystem::path whole(path);
  if (path == "~" || path.starts_with("~/")) {
    if (const auto home = variable(environment, "HOME")) whole = *home + std::string(path.substr(1));
  }
  if (whole.is_relative() && working_directory.empty())
    return fail(ErrorCode::kUsage, fmt::format("the relative path {} leads nowhere", printable(path)),
                "the working directory was removed", "Change to a directory that exists, or pass absolute paths.");
  if (whole.is_relative()) whole = std::filesystem::path(working_directory) / whole;
  std::string text = whole.lexically_normal().string();
  while (text.size() > 1 && text.back() == '/') text.pop_back();
  return text;
}

Result<std::string> checked_value(const SettingSpec& spec, std::string_view value, std::string_view where,
                                  std::string_view base_directory, const Environment& environment) {
  if (value.empty()) return bad(spec, value, where, "it is empty");
  switch (spec.type) {
    case kText:
    case kList:
      return std::string(value);
    case kPath:
      return value == "-" ? std::string(value) : absolute_path(value, base_directory, environment);
    case kRepo:
      return checked_repo(spec, value, where, base_directory, environment);
    case kSwitch:
      return checked_switch(spec, value, where);
    case kDuration: {
      const auto ns = parse_duration_ns(value);
      if (!ns || *ns <= 0) return bad(spec, value, where, "it is not a duration such as 90s, 15m or 6h");
      if (*ns < parse_duration_ns(spec.least).value_or(0))
        return bad(spec, value, where, fmt::format("it is shorter than {}, the least that counts", spec.least));
      return std::string(value);
    }
    case kSpan:
      if (is_endless(value)) return std::string(value);
      if (parse_duration_ns(value).value_or(0) > 0) return std::string(value);
      return bad(spec, value, where, "it is neither a duration such as 7d nor forever");
    case kNumber:
      return checked_number(spec, value, where);
    case kChoice:
      if (is_one_of(spec.choices, value)) return std::string(value);
      return bad(spec, value, where, fmt::format("it is none of {}", spec.choices));
  }
  return std::string(value);
}

Result<Settings> Settings::load(const SettingSources& sources) {
  Loader loader(sources);
  TRY(loader.load());
  Settings settings;
  settings.settings_ = std::move(loader.settings_);
  settings.warnings_ = std::move(loader.warnings_);
  return settings;
}

const Setting& Settings::get(std::string_view name) const {
  return *std::ranges::find_if(settings_, [&](const Setting& s) { return s.spec->name == name; });
}

std::vector<std::string> Settings::list(std::string_view name) const {
  std::vector<std::string> out;
  for (const auto part : std::views::split(text(name), ',')) {
    std::string_view item(part.begin(), part.end());
    while (item.starts_with(' ')) item.remove_prefix(1);
    while (item.ends_with(' ')) item.remove_suffix(1);
    if (!item.empty()) out.emplace_back(item);
  }
  return out;
}

std::int64_t Settings::duration_ns(std::string_view name) const {
  if (is_endless(text(name))) return 0;
  return parse_duration_ns(text(name)).value_or(0);
}

std::uint64_t Settings::number(std::string_view name) const {
  std::uint64_t number = 0;
  const std::string& value = text(name);
  std::from_chars(value.data(), value.data() + value.size(), number);
  return number;
}

}  // namespace lifeboat::app
