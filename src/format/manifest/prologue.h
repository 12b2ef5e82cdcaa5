// How the documents of this folder begin: a magic, and the version of the format.
#pragma once

#include <cstdint>
#include <string_view>

#include "format/canonical_json.h"

namespace lifeboat::manifest {

struct Prologue {
  std::string_view what;  // "a manifest": for errors
  std::string_view magic;
  std::uint64_t version = 1;
};

// kObjectDamaged for another magic, kRepoVersionUnknown for another version.
Status read_prologue(json::Fields& in, const Prologue& expected);

}  // namespace lifeboat::manifest
