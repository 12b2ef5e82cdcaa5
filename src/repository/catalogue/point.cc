#include "repository/catalogue/point.h"

#include <fmt/format.h>

#include <utility>

#include "base/endian.h"
#include "crypto/hash.h"

namespace lifeboat::repository {
namespace {

constexpr std::size_t kIdDigits = 12;

}  // namespace

std::string point_id(const LineageId& lineage, std::int64_t revision) {
  Bytes text = to_bytes(lineage.bytes);
  append_be(text, static_cast<std::uint64_t>(revision));
  return crypto::sha256(text).text().substr(0, kIdDigits);
}

std::optional<std::string> doubt_about(const Point& point) {
  const manifest::Attestation* const failed = point.verifications.failed();
  if (failed == nullptr) return std::nullopt;
  return fmt::format("point {} failed its last verification of level {}: {}", point.id, failed->level, failed->reason);
}

PointTarget target_owning(Point point) {
  auto owned = std::make_shared<const Point>(std::move(point));
  const Point* const borrowed = owned.get();
  return {borrowed, revision_of(*borrowed), std::move(owned)};
}

}  // namespace lifeboat::repository
