#include "format/manifest/prologue.h"

#include <string>

namespace lifeboat::manifest {

Status read_prologue(json::Fields& in, const Prologue& expected) {
  if (in.text("magic") != expected.magic) in.refuse("magic", "is another");
  const std::uint64_t version = in.number("version");
  TRY(in.status());
  if (version == expected.version) return {};
  return fail(ErrorCode::kRepoVersionUnknown, std::string(expected.what) + " needs a newer Lifeboat",
              "it has version " + std::to_string(version));
}

}  // namespace lifeboat::manifest
