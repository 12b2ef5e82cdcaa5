// What several answers share: the envelope, points, proofs, errors, the version.
#include <fmt/format.h>

#include "base/shell_word.h"
#include "base/text.h"
#include "base/version.h"
#include "cli/command.h"
#include "cli/render.h"

namespace lifeboat::cli {
Json envelope(std::string_view kind) {
  Json json = Json::object();
  json.put("apiVersion", "lifeboat.dev/v1").put("kind", kind);
  return json;
}

void put_bytes(Json& object, std::string_view name, ByteView bytes) {
  const std::string_view text = as_text(bytes);
  object.put(name, text);
  if (!is_utf8(text)) object.put(std::string(name) + "Base64", base64(text));
}

std::string proof_word(repository::Proof proof) {
  switch (proof) {
    case repository::Proof::kProven:
      return "proven";
    case repository::Proof::kUnproven:
      return "unproven";
    case repository::Proof::kDisagrees:
      return "disagrees";
  }
  return "unproven";
}

std::string proof_text(repository::Proof proof, const std::string& reason, const Style& style) {
  const std::string because = reason.empty() ? "" : ": " + reason;
  switch (proof) {
    case repository::Proof::kProven:
      return style.good("proven");
    case repository::Proof::kUnproven:
      return style.warn("unproven") + because;
    case repository::Proof::kDisagrees:
      return style.bad("disagrees") + because;
  }
  return "";
}

Json range_json(const repository::Coverage& range) {
  return Json::object().put("fromRevision", range.from).put("toRevision", range.to);
}

Json ranges_json(const std::vector<repository::Coverage>& ranges) {
  Json items = Json::array();
  for (const repository::Coverage& range : ranges) items.add(range_json(range));
  return items;
}

std::string echo_of(const Catalogue::Target& target, const Style& style) {
  const repository::Point& point = *target.point;
  const bool cut = target.revision != point.manifest.revision;
  const std::string& cluster = point.manifest.source.cluster;
  return fmt::format("point {} · revision {}{} · {}{}{}", point.id, target.revision,
                     cut ? fmt::format(" (cut from {})", point.manifest.revision) : "", cut ? "before " : "",
                     style.time_and_age(point.last_seen), cluster.empty() ? "" : " · cluster " + cluster);
}

Json target_json(const Catalogue::Target& target) {
  const repository::Point& point = *target.point;
  Json json = Json::object();
  json.put("id", point.id)
      .put("revision", target.revision)
      .put("pointRevision", point.manifest.revision)
      .put("lineage", point.manifest.lineage.id.text())
      .put("cluster", point.manifest.source.cluster)
      .put("time", rfc3339(point.last_seen));
  return json;
}

std::string init_text(const InitAnswer& answer, const Style& style) {
  std::string text = style.good("repo created") + " at " + answer.url + "\n";
  Facts facts;
  facts.put("id", answer.report.id.text());
  for (const std::string& recipient : answer.report.recipients) facts.put("opened by", recipient);
  text += facts.text();
  if (answer.report.single_recipient) {
    text += style.warn("one key alone opens it: without that key nobody can read the backups.") +
            "\n  Keep a copy where this machine's loss does not reach it.\n";
  }
  for (const std::string& leftover : answer.report.leftovers) {
    text += "  left by an interrupted init, harmless: " + leftover + "\n";
  }
  text += "next: lifeboat backup etcd --repo " + shell_word(answer.url);
  if (!answer.key_file.empty()) text += " --repo-key-file " + shell_word(answer.key_file);
  return text + "\n";
}

Json init_json(const InitAnswer& answer) {
  Json json = envelope("Repo");
  json.put("url", answer.url)
      .put("id", answer.report.id.text())
      .put("recipients", answer.report.recipients)
      .put("singleRecipient", answer.report.single_recipient)
      .put("leftovers", answer.report.leftovers);
  return json.put_text("keyFile", answer.key_file);
}

std::string settings_text(const app::Settings& settings, bool with_origin) {
  std::vector<std::string> titles{"SETTING", "VALUE"};
  if (with_origin) titles.insert(titles.end(), {"ORIGIN", "WHERE"});
  Table table(titles);
  constexpr std::string_view kOrigins[] = {"default", "file", "environment", "flag"};
  for (const app::Setting& setting : settings.all()) {
    const bool hidden = setting.spec->secret && !setting.value.empty();
    std::vector<std::string> row{std::string(setting.spec->name), hidden ? "(hidden)"
                                                                  : setting.value.empty()
                                                                      ? "-"
                                                                      : printable(as_bytes(setting.value))};
    if (with_origin) {
      row.insert(row.end(), {std::string(kOrigins[static_cast<int>(setting.origin)]), setting.where});
    }
    table.row(std::move(row));
  }
  return table.text();
}

Json settings_json(const app::Settings& settings) {
  constexpr std::string_view kOrigins[] = {"default", "file", "environment", "flag"};
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

std::string version_text() { return fmt::format("lifeboat {}\n", kLifeboatVersion); }

Json version_json() {
  return envelope("Version").put("version", kLifeboatVersion).put("repoFormats", Json::array().add(1));
}

std::string error_text(const Error& error, const Style& style) {
  const ErrorEntry& entry = entry_of(error.code());
  const std::string why = error.why().empty() ? std::string(entry.title) : error.why();
  const char* const red = style.colour ? "\x1b[31m" : "";
  const char* const plain = style.colour ? "\x1b[0m" : "";
  return fmt::format("{}error:{} {}\nwhy:   {}\nfix:   {}\ncode:  {}\n", red, plain, one_line(error.what()),
                     one_line(why), one_line(error.fix()), code_text(error.code()));
}

Json error_json(const Error& error) {
  const ErrorEntry& entry = entry_of(error.code());
  Json json = envelope("Error");
  return json.put("code", code_text(error.code()))
      .put("title", entry.title)
      .put("error", error.what())
      .put("why", error.why())
      .put("fix", error.fix())
      .put("exitCode", static_cast<int>(entry.exit));
}

}  // namespace lifeboat::cli
