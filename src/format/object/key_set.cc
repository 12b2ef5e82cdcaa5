#include "format/object/key_set.h"

#include <algorithm>

#include "crypto/aead.h"
#include "format/canonical_json.h"

namespace lifeboat::object {
namespace {

using json::Fields;
using json::Json;

constexpr std::string_view kWhat = "a key set";
constexpr std::string_view kMagicText = "lifeboat keys";
constexpr std::uint64_t kVersion = 1;
constexpr std::size_t kMaxObjectBytes = 16u << 10;
constexpr std::size_t kRootBytes = 32;
constexpr std::size_t kRoots = 3;  // content, planning, identity
constexpr std::size_t kMinKeyFileBytes = 16;

// What a file may make us spend before it is known to be ours.
constexpr std::uint64_t kMaxReadMemoryBytes = 1ull << 30;
constexpr std::uint32_t kMaxReadPasses = 20;
constexpr std::uint64_t kMinMemoryBytes = 8192;  // the least that argon2id takes

struct KeySet {
  std::uint32_t epoch = 0;
  RepoId repo;
  Recipient recipient;
  crypto::Argon2Cost cost;  // zero for a key file
  std::array<std::byte, 16> salt{};
  std::array<std::byte, 32> commitment{};
  std::array<std::byte, kRoots * kRootBytes + crypto::kAeadTagBytes> sealed{};
};

std::unexpected<Error> damaged(std::string why) {
  return fail(ErrorCode::kObjectDamaged, std::string(kWhat) + " is damaged", std::move(why));
}

std::string_view kind_text(RecipientKind kind) {
  switch (kind) {
    case RecipientKind::kPassphrase:
      return "passphrase";
    case RecipientKind::kKeyFile:
      return "key-file";
  }
  return {};
}

bool valid_label(std::string_view label) {
  return !label.empty() && label.size() <= 32 && std::ranges::all_of(label, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
}

// All fields but those that depend on the seal: what the AEAD authenticates beside the keys.
Json describe(const KeySet& set) {
  return {{"magic", kMagicText},
          {"version", kVersion},
          {"epoch", set.epoch},
          {"repo", set.repo.text()},
          {"kind", kind_text(set.recipient.kind)},
          {"label", set.recipient.label},
          {"argon2id_passes", set.cost.passes},
          {"argon2id_memory_bytes", set.cost.memory_bytes},
          {"salt", hex(set.salt)}};
}

Bytes encode(const KeySet& set) {
  Json out = describe(set);
  out["commitment"] = hex(set.commitment);
  out["sealed"] = hex(set.sealed);
  return json::with_checksum(std::move(out));
}

Result<KeySet> decode(ByteView object) {
  const Json root = TRY(json::parse_checksummed(object, kMaxObjectBytes, kWhat));
  Fields fields(root, kWhat);
  if (fields.text("magic") != kMagicText) return damaged("it is something else");
  const std::uint64_t version = fields.number("version");
  if (fields.status() && version != kVersion)
    return fail(ErrorCode::kRepoVersionUnknown, "a key set needs a newer Lifeboat",
                "it has version " + std::to_string(version));
  KeySet set;
  set.epoch = fields.number32("epoch");
  set.repo = fields.id<RepoId>("repo");
  const std::string kind = fields.text("kind");
  set.recipient.kind =
      kind == kind_text(RecipientKind::kKeyFile) ? RecipientKind::kKeyFile : RecipientKind::kPassphrase;
  if (kind != kind_text(set.recipient.kind)) fields.refuse("kind", "is not known");
  set.recipient.label = fields.text("label");
  if (!valid_label(set.recipient.label)) fields.refuse("label", "is not one");
  set.cost.passes = static_cast<std::uint32_t>(fields.number("argon2id_passes", kMaxReadPasses));
  set.cost.memory_bytes = fields.number("argon2id_memory_bytes", kMaxReadMemoryBytes);
  const bool by_passphrase = set.recipient.kind == RecipientKind::kPassphrase;
  if (by_passphrase && set.cost.passes == 0) fields.refuse("argon2id_passes", "is too low");
  if (by_passphrase && set.cost.memory_bytes < kMinMemoryBytes) fields.refuse("argon2id_memory_bytes", "is too low");
  fields.hex_bytes("salt", set.salt);
  fields.hex_bytes("commitment", set.commitment);
  fields.hex_bytes("sealed", set.sealed);
  TRY(fields.status());
  if (!equal(encode(set), object)) return damaged("it is not the text that was written");
  return set;
}

struct WrappingKeys {
  crypto::Secret key;
  std::array<std::byte, 32> commitment{};
};

Result<WrappingKeys> derive(const KeySet& set, ByteView credential) {
  crypto::Secret stretched = set.recipient.kind == RecipientKind::kPassphrase
                                 ? TRY(crypto::argon2id(credential, set.salt, set.cost, crypto::kAeadKeyBytes))
                                 : crypto::Secret(credential);
  WrappingKeys keys{crypto::Secret(crypto::kAeadKeyBytes), {}};
  const std::string info = "lifeboat/v1/keys/" + set.repo.text();
  crypto::hkdf_sha256(stretched.view(), set.salt, info, keys.key.view());
  crypto::hkdf_sha256(stretched.view(), set.salt, info + "/commitment", keys.commitment);
  return keys;
}

}  // namespace

Result<Bytes> wrap_keys(const EpochKeys& keys, const RepoId& repo, const Recipient& recipient, ByteView credential,
                        const std::array<std::byte, 16>& salt, crypto::Argon2Cost cost) {
  if (!valid_label(recipient.label))
    return fail(ErrorCode::kBadSetting, "the recipient's label \"" + recipient.label + "\" cannot be used",
                "a label is 1 to 32 characters of a-z, 0-9 and -");
  const bool by_file = recipient.kind == RecipientKind::kKeyFile;
  if (by_file && credential.size() < kMinKeyFileBytes)
    return fail(ErrorCode::kBadSetting, "the key file is too short",
                "it has " + std::to_string(credential.size()) + " bytes; it needs at least 16 random ones",
                "Make one with `head -c 32 /dev/urandom > FILE`.");
  if (!by_file && (cost.passes > kMaxReadPasses || cost.memory_bytes > kMaxReadMemoryBytes))
    return fail(ErrorCode::kBadSetting, "the passphrase's cost is too high",
                "at most 20 passes and 1 GiB can be read back");
  KeySet set{keys.epoch, repo, recipient, by_file ? crypto::Argon2Cost{0, 0} : cost, salt, {}, {}};
  const WrappingKeys wrapping = TRY(derive(set, credential));
  set.commitment = wrapping.commitment;

  crypto::Secret roots(kRoots * kRootBytes);
  std::byte* at = roots.view().data();
  for (const crypto::Secret* root : {&keys.content, &keys.planning, &keys.identity}) {
    if (root->size() != kRootBytes)
      return fail(ErrorCode::kInternal, "wrap the keys", "a root key does not have 32 bytes");
    at = std::ranges::copy(root->view(), at).out;
  }
  const MutableByteView sealed = set.sealed;
  crypto::Aead(wrapping.key)
      .seal(0, json::dump(describe(set)), roots.view(), sealed.first(roots.size()), sealed.subspan(roots.size()));

  Bytes object = encode(set);
  const Result<EpochKeys> check = unwrap_keys(object, repo, credential);
  if (!check || !equal(check->content.view(), keys.content.view()) ||
      !equal(check->planning.view(), keys.planning.view()) || !equal(check->identity.view(), keys.identity.view()))
    return fail(ErrorCode::kVerifyBeforePublish, "the wrapped keys did not open again");
  return object;
}

Result<WrappedKeys> describe_wrapped(ByteView object) {
  const KeySet set = TRY(decode(object));
  return WrappedKeys{set.repo, set.epoch, set.recipient};
}

Result<EpochKeys> unwrap_keys(ByteView object, const RepoId& repo, ByteView credential) {
  const KeySet set = TRY(decode(object));
  if (set.repo != repo) return damaged("it belongs to another repo, " + set.repo.text());
  const WrappingKeys wrapping = TRY(derive(set, credential));
  if (!crypto::equal_constant_time(wrapping.commitment, set.commitment))
    return fail(ErrorCode::kWrongKey, "the " + std::string(kind_text(set.recipient.kind)) +
                                          " does not open the keys \"" + set.recipient.label + "\"");
  crypto::Secret roots(kRoots * kRootBytes);
  const ByteView sealed = set.sealed;
  if (!crypto::Aead(wrapping.key)
           .open(0, json::dump(describe(set)), sealed.first(roots.size()), sealed.subspan(roots.size()), roots.view()))
    return damaged("it does not match its seal");
  const ByteView all = roots.view();
  return EpochKeys{set.epoch, crypto::Secret(all.first(kRootBytes)),
                   crypto::Secret(all.subspan(kRootBytes, kRootBytes)), crypto::Secret(all.last(kRootBytes))};
}

}  // namespace lifeboat::object
