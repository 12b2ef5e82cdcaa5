#include "repository/store/repository.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "repository/store/key_sets.h"
#include "repository/store/layout.h"

namespace lifeboat::repository {
namespace {

constexpr int kNewestFormat = 1;
// How far above the highest format found the next is looked for: an upgrade adds one at a time.
constexpr int kFormatLookahead = 8;
constexpr std::uint64_t kMaxFormatBytes = 1u << 20;

// 0: none.
Result<int> highest_format(storage::ObjectStore& store) {
  int highest = 0;
  for (int version = 1; version <= highest + kFormatLookahead; ++version) {
    const auto info = store.head(format_name(version));
    if (info) {
      highest = version;
    } else if (info.error().code() != ErrorCode::kObjectMissing) {
      return std::unexpected(info.error());
    }
  }
  return highest;
}

std::unexpected<Error> newer_format(int version) {
  return fail(ErrorCode::kRepoVersionUnknown, "the repo has a newer format than this Lifeboat knows",
              fmt::format("it has format version {}; this one knows versions up to {}", version, kNewestFormat),
              fmt::format("Use a Lifeboat that knows repo format version {}.", version));
}

Result<object::RepoFormat> read_format(storage::ObjectStore& store, int version) {
  if (version > kNewestFormat) return newer_format(version);
  const std::string name = format_name(version);
  const Bytes bytes = TRY(storage::get(store, name, kMaxFormatBytes));
  auto format = object::parse_repo_format(bytes);
  if (!format) return std::unexpected(format.error().in(name));
  if (format->version != version) {
    return fail(ErrorCode::kObjectDamaged, fmt::format("object {} is damaged", name),
                fmt::format("it says that it is format version {}", format->version));
  }
  return *std::move(format);
}

// What an interrupted init leaves: key sets and nothing else. Anything else is somebody's data.
Result<std::vector<std::string>> leftovers_of_init(storage::ObjectStore& store) {
  std::vector<std::string> key_sets;
  for (const storage::ObjectInfo& object : TRY(store.list(""))) {
    if (object.name.starts_with(kKeySetPrefix)) {
      key_sets.push_back(object.name);
      continue;
    }
    return fail(ErrorCode::kRepoExists, fmt::format("{} is not empty", store.url()),
                fmt::format("there is no format object in it, but {} is there", object.name),
                "Choose an empty directory; if it was a repo, put its format object back from a "
                "copy.");
  }
  return key_sets;
}

std::unexpected<Error> repo_exists(const std::string& url) {
  return fail(ErrorCode::kRepoExists, fmt::format("there is a repo at {} already", url), "it has a format object");
}

object::EpochKeys fresh_keys(io::Random& random) {
  const auto root = [&] {
    crypto::Secret secret(32);
    random.fill(secret.view());
    return secret;
  };
  return {.epoch = 1, .content = root(), .planning = root(), .identity = root()};
}

// Durable, and equal when read again.
Status put_checked(storage::ObjectStore& store, const std::string& name, ByteView bytes) {
  TRY(storage::put(store, name, bytes));
  const Bytes again = TRY(storage::get(store, name, bytes.size() + 1));
  if (!equal(again, bytes)) {
    return fail(ErrorCode::kVerifyBeforePublish, fmt::format("object {} did not read back equal", name),
                "the store returned other bytes than were written");
  }
  return {};
}

// Makes it a repo. Of several inits at once, the first to come here wins.
Status publish_format(storage::ObjectStore& store, const object::RepoFormat& format) {
  const Bytes bytes = object::encode_repo_format(format);
  TRY(object::parse_repo_format(bytes));
  const Status put = put_checked(store, format_name(format.version), bytes);
  if (!put && put.error().code() == ErrorCode::kObjectDamaged) return repo_exists(store.url());
  return put;
}

}  // namespace

// The durable writes, in this order:
// 1. every key set, read back
// 2. format.1, which makes it a repo
Result<Repository::InitReport> Repository::init(storage::ObjectStore& store, io::World& world,
                                                const std::vector<Credential>& credentials, crypto::Argon2Cost cost) {
  for (const Credential& credential : credentials) {
    if (credential.secret.empty()) return fail(ErrorCode::kNoKeyGiven, "a key for the repo is empty");
  }
  if (credentials.empty()) return fail(ErrorCode::kNoKeyGiven, "a repo needs at least one key");
  if (TRY(highest_format(store)) != 0) return repo_exists(store.url());

  InitReport report;
  report.leftovers = TRY(leftovers_of_init(store));
  world.random.fill(report.id.bytes);
  const object::EpochKeys keys = fresh_keys(world.random);
  for (const NewKeySet& set : TRY(wrap_for_all(keys, report.id, credentials, world.random, cost))) {
    TRY(put_checked(store, set.name, set.bytes));
    report.recipients.push_back(set.label);
  }
  report.single_recipient = report.recipients.size() == 1;
  TRY(publish_format(store, {.repo = report.id,
                             .version = kNewestFormat,
                             .created = world.clock.now(),
                             .read_features = {},
                             .write_features = {},
                             .gc_features = {}}));
  return report;
}

Result<bool> Repository::exists(storage::ObjectStore& store) { return TRY(highest_format(store)) != 0; }

Result<std::unique_ptr<Repository>> Repository::open(storage::ObjectStore& store, const Credential& credential) {
  const int version = TRY(highest_format(store));
  if (version == 0) {
    return fail(ErrorCode::kRepoNotFound, fmt::format("there is no repo at {}", store.url()),
                "it has no format object");
  }
  object::RepoFormat format = TRY(read_format(store, version));
  object::RepoKeys keys = TRY(open_key_sets(store, format.repo, credential));
  return std::unique_ptr<Repository>(new Repository(store, std::move(format), std::move(keys)));
}

Repository::Repository(storage::ObjectStore& store, object::RepoFormat format, object::RepoKeys keys)
    : store_(store), format_(std::move(format)), keys_(std::move(keys)) {}

std::vector<DamagedObject> check_keys_and_format(const Repository& repo) {
  std::vector<DamagedObject> damage = check_key_sets(repo.store(), repo.format().repo);
  const auto highest = highest_format(repo.store());
  if (!highest) {
    damage.push_back({"format", highest.error()});
    return damage;
  }
  for (int version = 1; version <= std::max(*highest, repo.format().version); ++version) {
    const auto format = read_format(repo.store(), version);
    if (!format) {
      damage.push_back({format_name(version), format.error()});
    } else if (format->repo != repo.format().repo) {
      damage.push_back({format_name(version),
                        Error(ErrorCode::kObjectDamaged, fmt::format("object {} is damaged", format_name(version)),
                              "it names another repo")});
    }
  }
  return damage;
}

}  // namespace lifeboat::repository
