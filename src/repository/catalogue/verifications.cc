#include "repository/catalogue/verifications.h"

#include <algorithm>

namespace lifeboat::repository {

using manifest::Attestation;

void Verifications::add(const Attestation& attestation) {
  std::erase_if(kept_, [&](const Attestation& other) {
    return other.level == attestation.level && other.agreed == attestation.agreed;
  });
  kept_.push_back(attestation);
}

const Attestation* Verifications::failed() const {
  const Attestation* deepest = nullptr;
  int clean_level = -1;  // of those that came later
  for (auto at = kept_.rbegin(); at != kept_.rend(); ++at) {
    if (at->agreed)
      clean_level = std::max(clean_level, at->level);
    else if (at->level > clean_level && (deepest == nullptr || at->level > deepest->level))
      deepest = &*at;
  }
  return deepest;
}

const Attestation* Verifications::clean() const {
  const Attestation* deepest = nullptr;
  for (auto at = kept_.rbegin(); at != kept_.rend() && at->agreed; ++at)
    if (deepest == nullptr || at->level > deepest->level) deepest = &*at;
  return deepest;
}

const Attestation* Verifications::telling() const {
  const Attestation* const failure = failed();
  return failure != nullptr ? failure : clean();
}

bool Verifications::is_clean_since(Timestamp time, int level) const {
  for (auto at = kept_.rbegin(); at != kept_.rend() && at->agreed && at->made >= time; ++at)
    if (at->level >= level) return true;
  return false;
}

}  // namespace lifeboat::repository
