// Repository: an opened repo — its store, its keys, its identity.
#pragma once

#include <memory>
#include <optional>

#include "crypto/hash.h"
#include "format/object/key_set.h"
#include "format/object/object.h"
#include "io/world.h"
#include "storage/object_store.h"

namespace lifeboat::repository {

// What opens a repo: a passphrase or the bytes of a key file.
struct Credential {
  object::RecipientKind kind = object::RecipientKind::kPassphrase;
  crypto::Secret secret;
};

class Repository {
 public:
  struct InitReport {
    RepoId id;
    std::vector<std::string> recipients;  // labels
    bool single_recipient = false;        // warn: losing it loses the repo
  };
  // Order of durable writes: key sets, then format.1 (which makes it a repo). kRepoExists when a format object is
  // there; leftovers of an interrupted init (keys without a format) are reported by the same code with another why.
  static Result<InitReport> init(storage::ObjectStore& store, io::World& world,
                                 const std::vector<Credential>& credentials, crypto::Argon2Cost cost);

  // kRepoNotFound, kRepoVersionUnknown, kRepoFeatureUnknown, kWrongKey, kObjectDamaged.
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

}  // namespace lifeboat::repository
