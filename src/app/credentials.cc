#include "app/credentials.h"

#include <fmt/format.h>
#include <strings.h>

#include <utility>

namespace lifeboat::app {
namespace {

using object::RecipientKind;
using repository::Credential;

constexpr std::size_t kMaxSecretBytes = 64u << 10;
constexpr std::size_t kNewKeyBytes = 32;
constexpr std::uint32_t kOthersMode = 0077;

crypto::Secret without_newline(crypto::Secret secret) {
  std::size_t size = secret.size();
  if (size > 0 && secret.view()[size - 1] == std::byte{'\n'}) --size;
  if (size > 0 && secret.view()[size - 1] == std::byte{'\r'}) --size;
  if (size == secret.size()) return secret;
  return crypto::Secret(ByteView(secret.view()).first(size));
}

void warn_when_others_can_read(const CredentialSources& sources, const std::string& path, const std::string& what) {
  const auto info = sources.files.stat(path);
  if (!info || info->kind != io::FileKind::kFile || (info->mode & kOthersMode) == 0) return;
  sources.warn(fmt::format("{} {} can be read by others (mode {:04o}): chmod 600 {}", what, path, info->mode, path));
}

Result<Credential> from_passphrase_file(const CredentialSources& sources, const std::string& path) {
  return Credential{RecipientKind::kPassphrase, TRY(read_secret_file(sources, path, "passphrase file"))};
}

Result<Credential> from_key_file(const CredentialSources& sources, const std::string& path) {
  return Credential{RecipientKind::kKeyFile, TRY(read_secret_file(sources, path, "key file"))};
}

Result<Credential> from_command(const CredentialSources& sources, const std::string& command) {
  auto secret = without_newline(TRY(sources.console.output_of(command, kMaxSecretBytes)));
  if (secret.empty()) return fail(ErrorCode::kUnreadableInput, "the passphrase command printed nothing");
  return Credential{RecipientKind::kPassphrase, std::move(secret)};
}

// In the order in which they are preferred within one origin.
struct Candidate {
  const char* setting;
  Result<Credential> (*read)(const CredentialSources&, const std::string&);
};
constexpr Candidate kCandidates[] = {
    {"repo-key-file", from_key_file}, {"passphrase-file", from_passphrase_file}, {"passphrase-command", from_command}};

const Candidate* strongest(const Settings& settings) {
  const Candidate* best = nullptr;
  for (const Candidate& candidate : kCandidates) {
    const Setting& setting = settings.get(candidate.setting);
    if (setting.value.empty()) continue;
    if (best == nullptr || setting.origin > settings.get(best->setting).origin) best = &candidate;
  }
  return best;
}

Result<std::optional<Credential>> from_systemd(const CredentialSources& sources) {
  const auto folder = variable(sources.environment, "CREDENTIALS_DIRECTORY");
  if (!folder) return std::nullopt;
  const std::string key = io::join(*folder, "lifeboat-repo-key");
  const std::string passphrase = io::join(*folder, "lifeboat-passphrase");
  if (TRY(io::exists(sources.files, key))) return TRY(from_key_file(sources, key));
  if (TRY(io::exists(sources.files, passphrase))) return TRY(from_passphrase_file(sources, passphrase));
  return std::nullopt;
}

bool can_ask(const CredentialSources& sources) {
  return sources.console.is_terminal(Stream::kInput) && sources.console.is_terminal(Stream::kError);
}

Result<Credential> typed_twice(const CredentialSources& sources) {
  auto first = TRY(sources.console.ask_secret("New passphrase for the repo: "));
  if (first.empty()) return fail(ErrorCode::kNoKeyGiven, "the passphrase is empty");
  const auto second = TRY(sources.console.ask_secret("The same again: "));
  if (!crypto::equal_constant_time(first.view(), second.view())) {
    return fail(ErrorCode::kNoKeyGiven, "the two passphrases differ", "they were typed differently",
                "Run the command again.");
  }
  return Credential{RecipientKind::kPassphrase, std::move(first)};
}

// A first key file is often meant to be made.
Status require(const CredentialSources& sources, const std::string& key_file) {
  if (key_file == "-" || TRY(io::exists(sources.files, key_file))) return {};
  return fail(ErrorCode::kUnreadableInput, fmt::format("key file {} is not there", key_file),
              "init takes a key file that exists, unless it is told to make one",
              "Add --new-key to make it, or correct the path.");
}

Status make_key_file(const CredentialSources& sources, io::Random& random, const std::string& path) {
  crypto::Secret bytes(kNewKeyBytes);
  random.fill(bytes.view());
  crypto::Secret text(2 * kNewKeyBytes + 1);
  constexpr std::string_view kDigits = "0123456789abcdef";
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const auto value = static_cast<unsigned>(bytes.view()[i]);
    text.view()[2 * i] = static_cast<std::byte>(kDigits[value >> 4]);
    text.view()[2 * i + 1] = static_cast<std::byte>(kDigits[value & 15]);
  }
  text.view()[2 * kNewKeyBytes] = std::byte{'\n'};
  if (TRY(io::exists(sources.files, path))) {
    return fail(ErrorCode::kRepoExists, "the key file " + path + " is there already",
                "a key that is replaced can never be made again",
                "Leave out --new-key to use that key, or name another file.");
  }
  TRY(io::make_directories(sources.files, io::parent_of(path), 0700));
  return io::publish_file(sources.files, path, text.view(), 0600);
}

}  // namespace

Result<crypto::Secret> read_as_secret(io::FileSystem& files, const std::string& path, std::uint64_t limit_bytes) {
  Bytes bytes = TRY(io::read_whole(files, path, limit_bytes));
  crypto::Secret secret{ByteView(bytes)};
  ::explicit_bzero(bytes.data(), bytes.size());
  return secret;
}

Result<crypto::Secret> read_secret_file(const CredentialSources& sources, const std::string& path,
                                        const std::string& what) {
  crypto::Secret secret;
  if (path == "-") {
    secret = without_newline(TRY(sources.console.read_input(kMaxSecretBytes)));
  } else {
    auto content = read_as_secret(sources.files, path, kMaxSecretBytes);
    if (!content) {
      return fail(ErrorCode::kUnreadableInput, fmt::format("{} {} is not readable", what, path), content.error().why());
    }
    secret = without_newline(std::move(*content));
    warn_when_others_can_read(sources, path, what);
  }
  if (secret.empty()) return fail(ErrorCode::kUnreadableInput, fmt::format("{} {} is empty", what, path));
  return secret;
}

Result<Credential> find_credential(const CredentialSources& sources) {
  if (const Candidate* candidate = strongest(sources.settings)) {
    return candidate->read(sources, sources.settings.text(candidate->setting));
  }
  if (auto credential = TRY(from_systemd(sources))) return std::move(*credential);
  if (!can_ask(sources))
    return fail(ErrorCode::kNoKeyGiven, "no key for the repo was given",
                "no flag, variable or "
                "setting names one, and there is no terminal to ask at");
  auto typed = TRY(sources.console.ask_secret("Passphrase of the repo: "));
  if (typed.empty()) return fail(ErrorCode::kNoKeyGiven, "the passphrase is empty");
  return Credential{RecipientKind::kPassphrase, std::move(typed)};
}

Result<std::vector<Credential>> credentials_for_new_repo(const CredentialSources& sources, io::Random& random,
                                                         bool new_key) {
  const std::string& key_file = sources.settings.text("repo-key-file");
  if (new_key && key_file.empty()) {
    return fail(ErrorCode::kUsage, "--new-key needs to know where to", "no --repo-key-file is given",
                "Pass --repo-key-file FILE with --new-key.");
  }
  std::vector<Credential> found;
  for (const Candidate& candidate : kCandidates) {
    const std::string& value = sources.settings.text(candidate.setting);
    const bool second_passphrase = !found.empty() && found.back().kind == RecipientKind::kPassphrase;
    const bool is_key_file = candidate.read == from_key_file;
    if (value.empty() || second_passphrase || (is_key_file && new_key)) continue;
    if (is_key_file) TRY(require(sources, value));
    found.push_back(TRY(candidate.read(sources, value)));
  }
  // Last, so that a mistake in another credential leaves no key behind, which would refuse the corrected command.
  if (new_key) {
    TRY(make_key_file(sources, random, key_file));
    found.insert(found.begin(), TRY(from_key_file(sources, key_file)));
  }
  if (found.empty()) {
    if (auto credential = TRY(from_systemd(sources))) found.push_back(std::move(*credential));
  }
  if (found.empty() && can_ask(sources)) found.push_back(TRY(typed_twice(sources)));
  if (found.empty()) {
    return fail(ErrorCode::kNoKeyGiven, "a repo needs a key", "neither a passphrase nor a key file was given",
                "Pass --repo-key-file FILE --new-key to make one, or --passphrase-file FILE.");
  }
  return found;
}

}  // namespace lifeboat::app
