// Credential: what opens a repo.
#pragma once

#include "crypto/secret.h"
#include "format/object/key_set.h"

namespace lifeboat::repository {

// A passphrase, or the bytes of a key file.
struct Credential {
  object::RecipientKind kind = object::RecipientKind::kPassphrase;
  crypto::Secret secret;
};

}  // namespace lifeboat::repository
