// Strong ids: 128-bit random names of repos and lineages, and the 256-bit names of objects.
#pragma once

#include <array>
#include <compare>
#include <optional>

#include "base/bytes.h"

namespace lifeboat {

template <typename Tag, std::size_t kSize>
struct Id {
  std::array<std::byte, kSize> bytes{};

  auto operator<=>(const Id&) const = default;
  bool is_zero() const { return *this == Id{}; }
  std::string text() const { return hex(bytes); }
  static std::optional<Id> parse(std::string_view text) {
    Id id;
    if (text.size() != 2 * kSize || !parse_hex(text, id.bytes)) return std::nullopt;
    return id;
  }
};

using RepoId = Id<struct RepoTag, 16>;
using LineageId = Id<struct LineageTag, 16>;
using Sha256 = Id<struct Sha256Tag, 32>;

}  // namespace lifeboat
