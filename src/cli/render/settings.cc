#include "cli/render/settings.h"

#include "base/text.h"
#include "cli/render/parts.h"
#include "cli/terminal/style.h"

namespace lifeboat::cli {
namespace {

constexpr std::string_view kOrigins[] = {"default", "file", "environment", "flag"};  // of app::Origin

}  // namespace

std::string settings_text(const app::Settings& settings, bool with_origin) {
  std::vector<std::string> titles{"SETTING", "VALUE"};
  if (with_origin) titles.insert(titles.end(), {"ORIGIN", "WHERE"});
  Table table(titles);
  for (const app::Setting& setting : settings.all()) {
    const bool hidden = setting.spec->secret && !setting.value.empty();
    std::vector<std::string> row{std::string(setting.spec->name), hidden                  ? "(hidden)"
                                                                  : setting.value.empty() ? "-"
                                                                                          : printable(setting.value)};
    if (with_origin) {
      row.insert(row.end(), {std::string(kOrigins[static_cast<int>(setting.origin)]), setting.where});
    }
    table.row(std::move(row));
  }
  return table.text();
}

Json settings_json(const app::Settings& settings) {
  Json items = Json::array();
  for (const app::Setting& setting : settings.all()) {
    Json item = Json::object();
    item.put("name", setting.spec->name);
    if (setting.spec->secret) {
      item.put("isSet", !setting.value.empty());
    } else {
      item.put("value", setting.value);
    }
    item.put("origin", kOrigins[static_cast<int>(setting.origin)]).put_text("where", setting.where);
    items.add(std::move(item));
  }
  return envelope("SettingList").put("items", std::move(items));
}

}  // namespace lifeboat::cli
