// The wrapped key sets of a repo in its store: made at init, tried at open, checked at verify.
#pragma once

#include <string>
#include <vector>

#include "base/ids.h"
#include "crypto/hash.h"
#include "io/world.h"
#include "repository/store/credential.h"
#include "repository/store/damaged_object.h"
#include "storage/object_store.h"

namespace lifeboat::repository {

struct NewKeySet {
  std::string name;   // of the object
  std::string label;  // "passphrase-1", "keyfile-1", …
  Bytes bytes;
};
// `keys` wrapped once for each credential, each opened again and compared (kVerifyBeforePublish).
Result<std::vector<NewKeySet>> wrap_for_all(const object::EpochKeys& keys, const RepoId& repo,
                                            const std::vector<Credential>& credentials, io::Random& random,
                                            crypto::Argon2Cost cost);

// The keys of every epoch that the credential opens; key sets of another repo id (an interrupted
// init) are passed over. kWrongKey, kObjectMissing, kObjectDamaged as Repository::open says.
Result<object::RepoKeys> open_key_sets(storage::ObjectStore& store, const RepoId& repo, const Credential& credential);

std::vector<DamagedObject> check_key_sets(storage::ObjectStore& store, const RepoId& repo);

}  // namespace lifeboat::repository
