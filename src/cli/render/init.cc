#include "cli/render/init.h"

#include "base/shell_word.h"
#include "cli/render/parts.h"

namespace lifeboat::cli {

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

}  // namespace lifeboat::cli
