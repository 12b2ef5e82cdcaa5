#include "cli/render/error.h"

#include <fmt/format.h>

#include "base/text.h"
#include "cli/render/parts.h"

namespace lifeboat::cli {

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
