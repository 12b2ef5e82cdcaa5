#include "app/settings_file.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>

#include "app/setting_specs.h"
#include "base/text.h"

namespace lifeboat::app {
namespace {

constexpr std::uint64_t kMaxFileBytes = 1u << 20;

// yaml-cpp counts from 0, people and editors from 1.
std::string place(const std::string& path, const YAML::Mark& mark) {
  return mark.is_null() ? path : fmt::format("{}:{}:{}", path, mark.line + 1, mark.column + 1);
}

std::unexpected<Error> unknown(const std::string& name, const std::string& where) {
  std::vector<std::string_view> known;
  for (const SettingSpec& spec : setting_specs()) {
    if (spec.in_file) known.push_back(spec.name);
  }
  const auto meant = nearest(name, known);
  return fail(
      ErrorCode::kUnknownSetting, fmt::format("{}: unknown setting \"{}\"", where, printable(name)),
      meant ? fmt::format("there is none of that name; did you mean \"{}\"?", *meant) : "there is none of that name");
}

Result<std::string> value_text(const std::string& name, const YAML::Node& node, const std::string& where) {
  if (node.IsScalar()) return node.Scalar();
  const SettingSpec* spec = find_setting(name);
  if (node.IsSequence() && spec->type == SettingType::kList) {
    std::string joined;
    for (const YAML::Node& item : node) {
      if (!item.IsScalar()) return fail(ErrorCode::kBadSetting, where + ": " + name + " must be a list of texts");
      joined += (joined.empty() ? "" : ",") + item.Scalar();
    }
    return joined;
  }
  return fail(
      ErrorCode::kBadSetting, fmt::format("{}: {} has no usable value", where, name),
      spec->type == SettingType::kList ? "it must be a text or a list of texts" : "it must be one text or number");
}

// "capture" where there is a "capture.flush".
bool is_section(const std::string& name) {
  return std::ranges::any_of(
      setting_specs(), [&](const SettingSpec& spec) { return spec.in_file && spec.name.starts_with(name + "."); });
}

// Of two values one would be ignored without a word.
Status refuse_second(const std::vector<FileValue>& values, const std::string& name, const std::string& where) {
  const auto first = std::ranges::find(values, name, &FileValue::name);
  if (first == values.end()) return {};
  return fail(ErrorCode::kBadSetting, fmt::format("{}: {} is set twice", where, name),
              fmt::format("it has a value at {}, too", first->where), "Keep one of the two.");
}

// The rows of a map; those of a section are named "section.name".
Status add_rows(const YAML::Node& map, const std::string& section, const std::string& path,
                std::vector<FileValue>& values) {
  for (const auto& row : map) {
    const std::string where = place(path, row.first.Mark());
    const std::string name = section + (row.first.IsScalar() ? row.first.Scalar() : "?");
    if (section.empty() && row.second.IsMap() && is_section(name)) {
      TRY(add_rows(row.second, name + ".", path, values));
      continue;
    }
    const SettingSpec* spec = find_setting(name);
    if (spec == nullptr || !spec->in_file) return unknown(name, where);
    TRY(refuse_second(values, name, where));
    const std::string value_place = place(path, row.second.Mark());
    std::string text = TRY(value_text(name, row.second, value_place));
    values.push_back({name, std::move(text), value_place});
  }
  return {};
}

// What stands in a second document would be ignored without a word.
Result<YAML::Node> only_document(const std::string& text, const std::string& path) {
  const std::vector<YAML::Node> documents = YAML::LoadAll(text);
  for (std::size_t i = 1; i < documents.size(); ++i) {
    if (documents[i].IsNull()) continue;
    return fail(ErrorCode::kUnreadableInput, place(path, documents[i].Mark()) + ": a second YAML document",
                "a configuration file is one document", "Remove the `---` above it, or the document.");
  }
  return documents.empty() ? YAML::Node() : documents.front();
}

Result<std::vector<FileValue>> values_of(const YAML::Node& root, const std::string& path) {
  std::vector<FileValue> values;
  if (root.IsNull()) return values;
  if (!root.IsMap()) {
    return fail(ErrorCode::kUnreadableInput, place(path, root.Mark()) + ": not a configuration file",
                "it must be lines of the form `name: value`");
  }
  TRY(add_rows(root, "", path, values));
  return values;
}

}  // namespace

Result<std::vector<FileValue>> parse_settings(const std::string& text, const std::string& path) {
  try {
    return values_of(TRY(only_document(text, path)), path);
  } catch (const YAML::Exception& error) {
    return fail(ErrorCode::kUnreadableInput, place(path, error.mark) + ": not readable as YAML", error.msg,
                "Correct the file at this line and column, or just before it.");
  }
}

Result<std::vector<FileValue>> read_settings_file(io::FileSystem& files, const std::string& path, bool required) {
  const auto bytes = io::read_whole(files, path, kMaxFileBytes);
  if (bytes) return parse_settings(to_string(*bytes), path);
  const bool absent =
      bytes.error().code() == ErrorCode::kFileNotFound || bytes.error().code() == ErrorCode::kStoragePermission;
  if (absent && !required) return std::vector<FileValue>{};
  return fail(ErrorCode::kUnreadableInput, "configuration file " + path + " is not readable", bytes.error().why());
}

}  // namespace lifeboat::app
