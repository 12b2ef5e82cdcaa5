#include "repository/store/key_sets.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>

#include "repository/store/layout.h"

namespace lifeboat::repository {
namespace {

constexpr std::uint64_t kMaxKeySetBytes = 1u << 20;
constexpr std::uint32_t kFirstGeneration = 1;

std::string_view kind_text(object::RecipientKind kind) {
  switch (kind) {
    case object::RecipientKind::kPassphrase:
      return "passphrase";
    case object::RecipientKind::kKeyFile:
      return "keyfile";
  }
  return {};
}

bool equal_keys(const object::EpochKeys& a, const object::EpochKeys& b) {
  return a.epoch == b.epoch && crypto::equal_constant_time(a.content.view(), b.content.view()) &&
         crypto::equal_constant_time(a.planning.view(), b.planning.view()) &&
         crypto::equal_constant_time(a.identity.view(), b.identity.view());
}

// A key set as stored, with every byte of it compared with its name and its own encoding.
struct StoredKeySet {
  Bytes bytes;
  object::WrappedKeys described;
};

// "keys/<epoch>-<generation>-<label>-<sha256>" says what the object says.
bool name_fits(const std::string& name, const object::WrappedKeys& described, const Sha256& sha) {
  const std::string front = fmt::format("keys/{}-", described.epoch);
  const std::string back = fmt::format("-{}-{}", described.recipient.label, sha.text());
  if (name.size() <= front.size() + back.size()) return false;
  if (!name.starts_with(front) || !name.ends_with(back)) return false;
  const std::string_view generation =
      std::string_view(name).substr(front.size(), name.size() - front.size() - back.size());
  return generation.find_first_not_of("0123456789") == std::string_view::npos;
}

Result<StoredKeySet> read_key_set(storage::ObjectStore& store, const std::string& name) {
  const auto damaged = [&](std::string why) {
    return fail(ErrorCode::kObjectDamaged, fmt::format("key set {} is damaged", name), std::move(why));
  };
  StoredKeySet set{TRY(storage::get(store, name, kMaxKeySetBytes)), {}};
  const Sha256 sha = crypto::sha256(set.bytes);
  if (sha256_in_name(name) != sha) {
    return damaged("its bytes do not have the SHA-256 that its name says");
  }
  auto described = object::describe_wrapped(set.bytes);
  if (!described) return std::unexpected(described.error().in(name));
  set.described = *std::move(described);
  if (!name_fits(name, set.described, sha)) return damaged("its name does not fit what it holds");
  return set;
}

// What was found while no key set opened.
struct Tried {
  std::vector<DamagedObject> damaged;
  std::vector<std::string> labels;  // of this repo's whole key sets, of any kind
};

std::unexpected<Error> nothing_opened(const Tried& tried, const Credential& credential, const std::string& url) {
  if (!tried.damaged.empty()) return std::unexpected(tried.damaged.front().error);
  if (tried.labels.empty()) {
    return fail(ErrorCode::kObjectMissing, fmt::format("the repo at {} has no key set", url),
                "nothing under keys/ belongs to this repo", "Copy the keys/ folder back from a replica of the repo.");
  }
  return fail(ErrorCode::kWrongKey,
              fmt::format("the {} given does not open the repo at {}",
                          credential.kind == object::RecipientKind::kPassphrase ? "passphrase" : "key file", url),
              fmt::format("it was tried on the key sets of its kind; the repo can be opened by: {}",
                          fmt::join(tried.labels, ", ")));
}

}  // namespace

Result<std::vector<NewKeySet>> wrap_for_all(const object::EpochKeys& keys, const RepoId& repo,
                                            const std::vector<Credential>& credentials, io::Random& random,
                                            crypto::Argon2Cost cost) {
  std::vector<NewKeySet> sets;
  std::map<object::RecipientKind, int> of_kind;
  for (const Credential& credential : credentials) {
    const std::string label = fmt::format("{}-{}", kind_text(credential.kind), ++of_kind[credential.kind]);
    std::array<std::byte, 16> salt{};
    random.fill(salt);
    Bytes bytes = TRY(object::wrap_keys(keys, repo, {credential.kind, label}, credential.secret.view(), salt, cost));
    const auto again = object::unwrap_keys(bytes, repo, credential.secret.view());
    if (!again || !equal_keys(*again, keys)) {
      return fail(ErrorCode::kVerifyBeforePublish, fmt::format("key set {} did not open again", label),
                  again ? "it holds other keys" : again.error().to_string());
    }
    std::string name = key_set_name(keys.epoch, kFirstGeneration, label, crypto::sha256(bytes));
    sets.push_back({std::move(name), label, std::move(bytes)});
  }
  return sets;
}

Result<object::RepoKeys> open_key_sets(storage::ObjectStore& store, const RepoId& repo, const Credential& credential) {
  object::RepoKeys keys{.repo = repo, .epochs = {}};
  std::set<std::uint32_t> opened;
  Tried tried;
  for (const storage::ObjectInfo& info : TRY(store.list(kKeySetPrefix))) {
    const auto set = read_key_set(store, info.name);
    if (!set) {
      tried.damaged.push_back({info.name, set.error()});
      continue;
    }
    const object::WrappedKeys& described = set->described;
    if (described.repo != repo) continue;
    tried.labels.push_back(described.recipient.label);
    if (described.recipient.kind != credential.kind || opened.contains(described.epoch)) continue;
    auto epoch = object::unwrap_keys(set->bytes, repo, credential.secret.view());
    if (epoch) {
      opened.insert(described.epoch);
      keys.epochs.push_back(*std::move(epoch));
    } else if (epoch.error().code() == ErrorCode::kObjectDamaged) {
      tried.damaged.push_back({info.name, epoch.error().in(info.name)});
    } else if (epoch.error().code() != ErrorCode::kWrongKey) {
      return std::unexpected(epoch.error().in(info.name));
    }
  }
  if (keys.epochs.empty()) return nothing_opened(tried, credential, store.url());
  std::ranges::sort(keys.epochs, {}, &object::EpochKeys::epoch);
  return keys;
}

std::vector<DamagedObject> check_key_sets(storage::ObjectStore& store, const RepoId& repo) {
  const auto listed = store.list(kKeySetPrefix);
  if (!listed) return {{kKeySetPrefix, listed.error()}};
  std::vector<DamagedObject> damage;
  bool any = false;
  for (const storage::ObjectInfo& info : *listed) {
    const auto set = read_key_set(store, info.name);
    if (!set) damage.push_back({info.name, set.error()});
    if (set && set->described.repo == repo) any = true;
  }
  if (!any) {
    damage.push_back({kKeySetPrefix, Error(ErrorCode::kObjectMissing, "the repo has no whole key set left",
                                           "nothing under keys/ belongs to it and can be read")});
  }
  return damage;
}

}  // namespace lifeboat::repository
