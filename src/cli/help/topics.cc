#include "cli/help/topics.h"

#include <fmt/format.h>

#include "app/settings.h"

namespace lifeboat::cli {

std::string environment_topic() {
  std::string text =
      "A flag wins over a variable, a variable over the configuration file, the file over the "
      "default.\n\n";
  for (const app::SettingSpec& spec : app::setting_specs()) {
    if (!spec.variable.empty()) text += fmt::format("  {:<27} {}\n", spec.variable, spec.help);
    if (!spec.foreign.empty()) text += fmt::format("  {:<27} the same, if Lifeboat's own is not set\n", spec.foreign);
  }
  return text +
         fmt::format(
             "  {:<27} turns colour off\n  {:<27} systemd's folder: lifeboat-repo-key or "
             "lifeboat-passphrase "
             "in it opens the repo\n",
             "NO_COLOR", "CREDENTIALS_DIRECTORY") +
         "\nETCDCTL_USER may be NAME:PASSWORD; a password is never taken from a flag or the "
         "configuration file.\n"
         "Files: /etc/lifeboat/lifeboat.yaml, then ~/.config/lifeboat/lifeboat.yaml (or --config "
         "FILE alone), with\n"
         "one `name: value` a line and the names of the flags without their dashes (capture.flush "
         "and its like\nwith a dot, or as `flush: 1s` below `capture:`).\n";
}

}  // namespace lifeboat::cli
