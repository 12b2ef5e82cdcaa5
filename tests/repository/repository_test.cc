#include "repository/store/repository.h"

#include <gmock/gmock.h>

#include "repository/catalogue/catalogue.h"
#include "repository/interrupted_store.h"
#include "repository/store/layout.h"
#include "repository/support.h"
#include "storage/fault_store.h"
#include "storage/local_store.h"

namespace lifeboat::repository {
namespace {

using namespace testing;  // NOLINT: the helpers of this folder
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

Result<Repository::InitReport> init(storage::ObjectStore& store, TestWorld& world) {
  return Repository::init(store, world.world, two_credentials(), kCheapCost);
}

TEST(RepositoryInit, MakesARepoThatEachOfItsKeysOpens) {
  TestWorld world;
  storage::MemoryStore store;
  const auto report = init(store, world);
  ASSERT_TRUE(report) << why_not(report);
  EXPECT_THAT(report->recipients, ElementsAre("passphrase-1", "keyfile-1"));
  EXPECT_FALSE(report->single_recipient);
  EXPECT_THAT(report->leftovers, IsEmpty());

  const auto by_passphrase = Repository::open(store, passphrase("correct horse"));
  ASSERT_TRUE(by_passphrase) << why_not(by_passphrase);
  const auto by_file = Repository::open(store, key_file(kKeyFileText));
  ASSERT_TRUE(by_file) << why_not(by_file);
  EXPECT_EQ((*by_passphrase)->format().repo, report->id);
  EXPECT_EQ((*by_passphrase)->format().created, world.clock.time);
  ASSERT_THAT((*by_file)->keys().epochs, SizeIs(1));
  EXPECT_TRUE(equal((*by_file)->keys().epochs[0].content.view(), (*by_passphrase)->keys().epochs[0].content.view()));
  EXPECT_THAT(check_keys_and_format(**by_file), IsEmpty());
}

TEST(RepositoryInit, NumbersRecipientsOfOneKind) {
  TestWorld world;
  storage::MemoryStore store;
  std::vector<Credential> three = two_credentials();
  three.push_back(passphrase("another"));
  const auto report = Repository::init(store, world.world, three, kCheapCost);
  ASSERT_TRUE(report) << why_not(report);
  EXPECT_THAT(report->recipients, ElementsAre("passphrase-1", "keyfile-1", "passphrase-2"));
  EXPECT_TRUE(Repository::open(store, passphrase("another")));
}

TEST(RepositoryInit, SaysThatASingleRecipientIsAllThereIs) {
  TestWorld world;
  storage::MemoryStore store;
  const auto report = Repository::init(store, world.world, credentials_of(passphrase("x")), kCheapCost);
  ASSERT_TRUE(report) << why_not(report);
  EXPECT_TRUE(report->single_recipient);
}

TEST(RepositoryInit, NeedsAKeyThatIsNotEmpty) {
  TestWorld world;
  storage::MemoryStore store;
  const auto none = Repository::init(store, world.world, {}, kCheapCost);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code(), ErrorCode::kNoKeyGiven);
  const auto empty = Repository::init(store, world.world, credentials_of(passphrase("")), kCheapCost);
  ASSERT_FALSE(empty);
  EXPECT_EQ(empty.error().code(), ErrorCode::kNoKeyGiven);
  EXPECT_THAT(names_in(store), IsEmpty());
}

TEST(RepositoryInit, RefusesToMakeARepoTwice) {
  TestWorld world;
  storage::MemoryStore store;
  ASSERT_TRUE(init(store, world));
  const auto names = names_in(store);
  const auto again = init(store, world);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code(), ErrorCode::kRepoExists);
  EXPECT_EQ(names_in(store), names);
}

TEST(RepositoryInit, RefusesAPlaceWithOtherObjects) {
  TestWorld world;
  storage::MemoryStore store;
  store.overwrite("m/some/manifest", to_bytes("x"));
  const auto report = init(store, world);
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code(), ErrorCode::kRepoExists);
  EXPECT_THAT(report.error().why(), HasSubstr("m/some/manifest"));
  EXPECT_THAT(names_in(store), ElementsAre("m/some/manifest"));
}

TEST(RepositoryInit, CutAtAnyCallLeavesNoHalfRepoAndCanBeRunAgain) {
  bool finished = false;
  for (std::uint64_t at = 0; !finished; ++at) {
    ASSERT_LT(at, 200u);
    TestWorld world(at + 1);
    storage::MemoryStore inner;
    storage::FaultStore store(inner);
    store.arm({.at = at, .and_all_later = true});
    const auto first = init(store, world);
    finished = first.has_value();
    store.arm({});

    const bool committed = !names_in(inner).empty() && inner.head(format_name(1)).has_value();
    if (committed) {  // the call that failed came after the last step
      EXPECT_TRUE(Repository::open(store, passphrase("correct horse"))) << "cut at call " << at;
      continue;
    }
    ASSERT_FALSE(first) << "cut at call " << at;
    const auto opened = Repository::open(store, passphrase("correct horse"));
    ASSERT_FALSE(opened) << "cut at call " << at;
    EXPECT_EQ(opened.error().code(), ErrorCode::kRepoNotFound);
    const std::vector<std::string> found = names_in(inner);
    const auto second = init(store, world);
    ASSERT_TRUE(second) << "cut at call " << at << ": " << why_not(second);
    EXPECT_EQ(second->leftovers, found);
    const auto repo = Repository::open(store, passphrase("correct horse"));
    ASSERT_TRUE(repo) << why_not(repo);
    EXPECT_EQ((*repo)->format().repo, second->id);
    EXPECT_THAT(check_keys_and_format(**repo), IsEmpty());
  }
}

TEST(RepositoryInit, OnADirectorySurvivesPowerLossAtOnceAfterwards) {
  for (const io::CrashMode mode : io::kCrashModes) {
    TestWorld world;
    ASSERT_TRUE(storage::create_local_root(world.files, "/backup/repo"));
    const auto store = storage::local_store(world.files, "/backup/repo");
    ASSERT_TRUE(init(*store, world));
    world.files.crash(mode, 3);
    const auto after = storage::local_store(world.files, "/backup/repo");
    const auto repo = Repository::open(*after, key_file(kKeyFileText));
    ASSERT_TRUE(repo) << why_not(repo);
    EXPECT_THAT(check_keys_and_format(**repo), IsEmpty());
  }
}

TEST(RepositoryInit, OfTwoAtOnceOneSucceedsAndItsRepoOpens) {
  TestWorld world;
  TestWorld other(99);
  storage::MemoryStore inner;
  InterruptedStore store(inner, format_name(1));
  Result<Repository::InitReport> won = fail(ErrorCode::kInternal, "not run");
  store.work = [&] { won = init(inner, other); };
  const auto lost = init(store, world);
  ASSERT_TRUE(won) << why_not(won);
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().code(), ErrorCode::kRepoExists);
  const auto repo = Repository::open(inner, passphrase("correct horse"));
  ASSERT_TRUE(repo) << why_not(repo);
  EXPECT_EQ((*repo)->format().repo, won->id);
  EXPECT_THAT(check_keys_and_format(**repo), IsEmpty());
}

TEST(RepositoryOpen, SaysThatThereIsNoRepo) {
  storage::MemoryStore store;
  const auto repo = Repository::open(store, passphrase("x"));
  ASSERT_FALSE(repo);
  EXPECT_EQ(repo.error().code(), ErrorCode::kRepoNotFound);
}

TEST(RepositoryOpen, SaysThatTheKeyIsWrongAndWhoCanOpen) {
  TestWorld world;
  storage::MemoryStore store;
  ASSERT_TRUE(init(store, world));
  std::vector<Credential> both = credentials_of(passphrase("correct horse "));
  both.push_back(key_file("another key file of 32 bytes...."));
  for (const Credential& wrong : both) {
    const auto repo = Repository::open(store, wrong);
    ASSERT_FALSE(repo);
    EXPECT_EQ(repo.error().code(), ErrorCode::kWrongKey);
    EXPECT_THAT(repo.error().why(), HasSubstr("passphrase-1"));
    EXPECT_THAT(repo.error().why(), HasSubstr("keyfile-1"));
  }
}

TEST(RepositoryOpen, RefusesANewerFormatAndNamesIt) {
  TestWorld world;
  for (const char* newer : {"format.2", "format.7"}) {
    storage::MemoryStore store;
    ASSERT_TRUE(init(store, world));
    store.overwrite(newer, to_bytes("whatever a later version writes"));
    const auto repo = Repository::open(store, passphrase("correct horse"));
    ASSERT_FALSE(repo);
    EXPECT_EQ(repo.error().code(), ErrorCode::kRepoVersionUnknown);
    EXPECT_THAT(repo.error().fix(), HasSubstr(std::string(newer).substr(7)));
  }
}

TEST(RepositoryOpen, RefusesAMandatoryFeatureItDoesNotKnow) {
  TestWorld world;
  storage::MemoryStore store;
  ASSERT_TRUE(init(store, world));
  auto format = object::parse_repo_format(*storage::get(store, "format.1", 1 << 20));
  ASSERT_TRUE(format);
  format->read_features = {"!time-travel"};
  store.overwrite("format.1", object::encode_repo_format(*format));
  const auto repo = Repository::open(store, passphrase("correct horse"));
  ASSERT_FALSE(repo);
  EXPECT_EQ(repo.error().code(), ErrorCode::kRepoFeatureUnknown);
  format->read_features = {"optional"};
  store.overwrite("format.1", object::encode_repo_format(*format));
  EXPECT_TRUE(Repository::open(store, passphrase("correct horse")));
}

TEST(RepositoryOpen, SaysThatNoKeySetIsLeft) {
  TestWorld world;
  storage::MemoryStore store;
  ASSERT_TRUE(init(store, world));
  for (const std::string& name : names_in(store)) {
    if (name.starts_with("keys/")) {
      ASSERT_TRUE(store.remove(name));
    }
  }
  const auto repo = Repository::open(store, passphrase("correct horse"));
  ASSERT_FALSE(repo);
  EXPECT_EQ(repo.error().code(), ErrorCode::kObjectMissing);
}

// Every byte of every object that init writes, one at a time.
TEST(RepositoryDamage, AnyFlippedByteIsFoundByOpenOrByTheCheck) {
  TestWorld world;
  storage::MemoryStore store;
  ASSERT_TRUE(init(store, world));
  const auto repo = Repository::open(store, key_file(kKeyFileText));
  ASSERT_TRUE(repo) << why_not(repo);
  std::size_t flipped = 0;
  for (const std::string& name : names_in(store)) {
    const Bytes whole = *storage::get(store, name, 1 << 20);
    for (std::size_t i = 0; i < whole.size(); ++i) {
      Bytes edited = whole;
      edited[i] ^= std::byte{1};
      store.overwrite(name, edited);
      const auto damage = check_keys_and_format(**repo);
      ASSERT_THAT(damage, SizeIs(1)) << name << " byte " << i;
      EXPECT_EQ(damage.front().object, name);
      ++flipped;
    }
    store.overwrite(name, whole);
  }
  EXPECT_GT(flipped, 500u);
  EXPECT_THAT(check_keys_and_format(**repo), IsEmpty());
}

TEST(RepositoryDamage, ADamagedKeySetIsAnErrorUnlessAnotherOpens) {
  TestWorld world;
  storage::MemoryStore store;
  ASSERT_TRUE(init(store, world));
  std::string of_passphrase;
  for (const std::string& name : names_in(store)) {
    if (name.find("passphrase-1") != std::string::npos) of_passphrase = name;
  }
  Bytes edited = *storage::get(store, of_passphrase, 1 << 20);
  edited[edited.size() / 2] ^= std::byte{4};
  store.overwrite(of_passphrase, edited);

  const auto refused = Repository::open(store, passphrase("correct horse"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kObjectDamaged);
  EXPECT_THAT(refused.error().what(), HasSubstr(of_passphrase));

  const auto repo = Repository::open(store, key_file(kKeyFileText));
  ASSERT_TRUE(repo) << why_not(repo);
  const auto damage = check_keys_and_format(**repo);
  ASSERT_THAT(damage, SizeIs(1));
  EXPECT_EQ(damage.front().object, of_passphrase);
}

TEST(RepositoryDamage, TheCheckSeesThatTheFormatIsGone) {
  TestWorld world;
  storage::MemoryStore store;
  ASSERT_TRUE(init(store, world));
  const auto repo = Repository::open(store, key_file(kKeyFileText));
  ASSERT_TRUE(repo);
  ASSERT_TRUE(store.remove("format.1"));
  const auto damage = check_keys_and_format(**repo);
  ASSERT_THAT(damage, SizeIs(1));
  EXPECT_EQ(damage.front().object, "format.1");
  EXPECT_EQ(damage.front().error.code(), ErrorCode::kObjectMissing);
}

TEST(RepositoryDamage, TheCheckPassesOverKeySetsOfAnInterruptedInit) {
  TestWorld world;
  TestWorld other(7);
  storage::MemoryStore store;
  storage::MemoryStore elsewhere;
  ASSERT_TRUE(init(store, world));
  ASSERT_TRUE(init(elsewhere, other));
  for (const std::string& name : names_in(elsewhere)) {
    if (name.starts_with("keys/")) store.overwrite(name, *storage::get(elsewhere, name, 1 << 20));
  }
  const auto repo = Repository::open(store, passphrase("correct horse"));
  ASSERT_TRUE(repo) << why_not(repo);
  EXPECT_THAT(check_keys_and_format(**repo), IsEmpty());
}

// An agent has the repo open while its disk is unmounted: what it finds then is no empty repo, in which a first backup
// would begin.
TEST(RepositoryOpen, TakesTheFolderUnderAnUnmountedDiskForAnErrorAndNotForAnEmptyRepo) {
  TestWorld world;
  ASSERT_TRUE(storage::create_local_root(world.files, "/repo"));
  const auto store = storage::local_store(world.files, "/repo");
  ASSERT_TRUE(init(*store, world));
  const auto repo = Repository::open(*store, key_file(kKeyFileText)).value();
  EXPECT_TRUE(Catalogue::load(*repo));
  ASSERT_TRUE(world.files.rename_new("/repo", "/elsewhere"));
  ASSERT_TRUE(storage::create_local_root(world.files, "/repo"));
  const auto nothing = Catalogue::load(*repo);
  ASSERT_FALSE(nothing);
  EXPECT_EQ(nothing.error().code(), ErrorCode::kStorageFailed);
  ASSERT_TRUE(world.files.exchange("/repo", "/elsewhere"));
  EXPECT_TRUE(Catalogue::load(*repo));
}

}  // namespace
}  // namespace lifeboat::repository
