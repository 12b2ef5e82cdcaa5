// Wrapped key sets: the root keys of an epoch, sealed for one recipient (passphrase or key file).
// docs/format/keys.md is the specification.
#pragma once

#include <array>
#include <string>
#include <vector>

#include <string>
#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "crypto/hash.h"
#include "format/object/object.h"

namespace lifeboat::object {

enum class RecipientKind { kPassphrase, kKeyFile };

struct Recipient {
  RecipientKind kind{};
  std::string label;  // [a-z0-9-]{1,32}: part of the object's name
};

// The bytes of keys/<epoch>-<generation>-<label>-<sha256>: canonical JSON (any edit is found: it
// must equal its own re-encoding). `credential`: the passphrase, or the key file's bytes. salt,
// nonce: fresh random.
Result<Bytes> wrap_keys(const EpochKeys& keys, const RepoId& repo, const Recipient& recipient, ByteView credential,
                        const std::array<std::byte, 16>& salt, crypto::Argon2Cost cost);
struct WrappedKeys {
  RepoId repo;
  std::uint32_t epoch = 0;
  Recipient recipient;
};
Result<WrappedKeys> describe_wrapped(ByteView object);  // without a credential
// kWrongKey when the credential does not open it; kObjectDamaged when the bytes are not a key set.
Result<EpochKeys> unwrap_keys(ByteView object, const RepoId& repo, ByteView credential);

// format.N: canonical JSON with its own checksum; any edited byte is kObjectDamaged.
struct RepoFormat {
  RepoId repo;
  int version = 1;
  Timestamp created;
  std::vector<std::string> read_features, write_features,
      gc_features;  // a leading '!' marks a mandatory one
};
Bytes encode_repo_format(const RepoFormat& format);
// kRepoVersionUnknown, kRepoFeatureUnknown (mandatory and not known here) say which version can.
Result<RepoFormat> parse_repo_format(ByteView bytes);

}  // namespace lifeboat::object
