#include "cli/commands/key_text.h"

#include <fmt/format.h>

#include "base/text.h"

namespace lifeboat::cli {

Result<Bytes> parse_key(const std::string& text, std::string_view what) {
  auto bytes = parse_printable(text);
  if (bytes) return *std::move(bytes);
  return fail(ErrorCode::kUsage, fmt::format("{} \"{}\" has an unknown escape", what, text),
              "a backslash begins \\xNN or \\\\", "Write a backslash in a key as \\\\, and quote the word.");
}

}  // namespace lifeboat::cli
