// Repository: an opened repo — its store, its keys, its identity.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "crypto/hash.h"
#include "format/object/key_set.h"
#include "format/object/object.h"
#include "io/world.h"
#include "repository/store/credential.h"
#include "repository/store/damaged_object.h"
#include "storage/object_store.h"

namespace lifeboat::repository {

class Repository {
 public:
  struct InitReport {
    RepoId id;
    std::vector<std::string> recipients;  // labels
    bool single_recipient = false;        // warn: losing it loses the repo
    std::vector<std::string> leftovers;   // key sets of an interrupted init found there: harmless, left as they are
  };
  // Order of durable writes: key sets, then format.1 (which makes it a repo). kRepoExists when a format object is
  // there, or anything but key sets of an interrupted init; kNoKeyGiven without credentials. Of several inits at once
  // one succeeds.
  static Result<InitReport> init(storage::ObjectStore& store, io::World& world,
                                 const std::vector<Credential>& credentials, crypto::Argon2Cost cost);

  // Whether a format object is there.
  static Result<bool> exists(storage::ObjectStore& store);

  // kRepoNotFound, kRepoVersionUnknown, kRepoFeatureUnknown, kWrongKey, kObjectMissing (no key set is left),
  // kObjectDamaged (the format; or a key set, when no other opens).
  static Result<std::unique_ptr<Repository>> open(storage::ObjectStore& store, const Credential& credential);

  storage::ObjectStore& store() const { return store_; }
  const object::RepoKeys& keys() const { return keys_; }
  const object::RepoFormat& format() const { return format_; }

 private:
  Repository(storage::ObjectStore& store, object::RepoFormat format, object::RepoKeys keys);
  storage::ObjectStore& store_;
  object::RepoFormat format_;
  object::RepoKeys keys_;
};

// Compares every byte of every format and key set object with its checksum, its own encoding and its name; also those
// that were not needed to open the repo. Empty when all are whole.
std::vector<DamagedObject> check_keys_and_format(const Repository& repo);

}  // namespace lifeboat::repository
