// Credentials: finding what opens a repo, and what a new one is locked with.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "app/console.h"
#include "app/environment.h"
#include "app/settings.h"
#include "io/world.h"
#include "repository/store/credential.h"

namespace lifeboat::app {

struct CredentialSources {
  const Settings& settings;
  const Environment& environment;
  io::FileSystem& files;
  Console& console;
  std::function<void(const std::string&)> warn;  // of a key file that others can read, …
};

// The one from the strongest origin; a key file before a passphrase where both have the same. Then
// systemd's $CREDENTIALS_DIRECTORY (lifeboat-repo-key, lifeboat-passphrase), then the terminal.
// kNoKeyGiven, kUnreadableInput.
Result<repository::Credential> find_credential(const CredentialSources& sources);

// Every one that is named, for a new repo; a passphrase typed twice at the terminal when none is.
// With `new_key` the key file is made (32 random bytes in hex, mode 0600) and must not exist.
Result<std::vector<repository::Credential>> credentials_for_new_repo(const CredentialSources& sources,
                                                                     io::Random& random, bool new_key);

// Everything in a file, as a secret; what it was read into is wiped.
Result<crypto::Secret> read_as_secret(io::FileSystem& files, const std::string& path, std::uint64_t limit_bytes);

// The content of a file that holds one secret, without its trailing newline; "-" is standard input.
Result<crypto::Secret> read_secret_file(const CredentialSources& sources, const std::string& path,
                                        const std::string& what);

}  // namespace lifeboat::app
