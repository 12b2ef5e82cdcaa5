// Settings: every value a person can set, with the place each one came from.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/environment.h"
#include "app/setting_specs.h"
#include "base/result.h"
#include "io/file_system.h"

namespace lifeboat::app {

enum class Origin { kDefault, kFile, kEnvironment, kFlag };

struct Setting {
  const SettingSpec* spec = nullptr;
  std::string value;  // lists joined by ","; switches "true" or "false"; paths absolute
  Origin origin = Origin::kDefault;
  std::string where;  // "--repo", "LIFEBOAT_REPO", "/etc/lifeboat/lifeboat.yaml:3:7"; empty for defaults
};

struct SettingSources {
  std::map<std::string, std::string, std::less<>> flags;  // by setting name
  const Environment& environment;
  io::FileSystem& files;
  std::string working_directory;  // empty: it was removed
};

class Settings {
 public:
  // Flag, then environment, then file (--config, else the user's over the system's), then default.
  // kUnknownSetting (file:line:column and the nearest name), kBadSetting, kUnreadableInput.
  static Result<Settings> load(const SettingSources& sources);

  const Setting& get(std::string_view name) const;  // of a name in the table
  const std::string& text(std::string_view name) const { return get(name).value; }
  bool is_given(std::string_view name) const { return get(name).origin != Origin::kDefault; }
  bool is_on(std::string_view name) const { return get(name).value == "true"; }
  std::vector<std::string> list(std::string_view name) const;
  std::int64_t duration_ns(std::string_view name) const;
  std::uint64_t number(std::string_view name) const;

  const std::vector<Setting>& all() const { return settings_; }  // in the table's order
  const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  std::vector<Setting> settings_;
  std::vector<std::string> warnings_;
};

// "~/x" and relative paths made absolute and plain ("a/./b/" is "a/b"). kUsage for a relative one where
// `working_directory` is empty.
Result<std::string> absolute_path(std::string_view path, std::string_view working_directory,
                                  const Environment& environment);

// The value as it is kept, or kBadSetting with what is wrong. `where` names its place in messages.
Result<std::string> checked_value(const SettingSpec& spec, std::string_view value, std::string_view where,
                                  std::string_view base_directory, const Environment& environment);

}  // namespace lifeboat::app
