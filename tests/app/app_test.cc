// The App: a new key file stays exactly where it opens something, also on a disk that fails; warnings are heard once.
#include "app/app.h"

#include <gmock/gmock.h>

#include "io/fault_file_system.h"
#include "io/memory_file_system.h"
#include "support/fake_console.h"

namespace lifeboat::app {
namespace {

using ::testing::_;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr const char* kKeyFile = "/keys/repo.key";

struct Making {
  App app() {
    return App({world, console, environment, "/"}, Settings::load({flags, environment, files, "/"}).value());
  }
  bool has_key() { return io::exists(memory, kKeyFile).value(); }
  bool opens() {
    App other = app();
    return other.repo().has_value();
  }

  std::map<std::string, std::string, std::less<>> flags = {{"repo", "/repo"}, {"repo-key-file", kKeyFile}};
  Environment environment;
  io::MemoryFileSystem memory;
  io::FaultFileSystem files{memory};
  testing::FakeConsole console;
  std::unique_ptr<io::Clock> clock = io::system_clock();
  std::unique_ptr<io::Random> random = io::system_random();
  std::unique_ptr<io::Process> processes = io::system_process();
  io::World world{files, *clock, *random, *processes};
};

TEST(InitWithANewKey, CanBeTriedAgainOrHasMadeARepoThatTheKeyOpens) {
  int failed = 0, made_all_the_same = 0;
  for (std::uint64_t change = 0;; ++change) {
    Making w;
    w.files.arm({.at = change, .and_all_later = false});
    const auto first = w.app().init_repo(true);
    if (!w.files.fault_happened()) {
      EXPECT_TRUE(first) << first.error().to_string();
      break;
    }
    SCOPED_TRACE(w.files.describe(change));
    w.files.arm({});
    failed += first ? 0 : 1;
    if (w.opens()) {
      if (first) continue;
      ++made_all_the_same;
      EXPECT_THAT(first.error().fix(), HasSubstr("its new key stays in /keys/repo.key"));
      continue;
    }
    const auto again = w.app().init_repo(!w.has_key());
    EXPECT_TRUE(again) << again.error().to_string();
    EXPECT_TRUE(w.opens());
  }
  EXPECT_GT(failed, 5);
  EXPECT_GT(made_all_the_same, 0);
}

TEST(Warnings, AreHeardOnceEachAsSoonAsTheyAreKnown) {
  Making w;
  w.environment["LIFEBOAT_REPOO"] = "/elsewhere";
  w.flags["password-file"] = "/keys/password";
  ASSERT_TRUE(io::make_directories(w.memory, "/keys", 0700));
  ASSERT_TRUE(io::publish_file(w.memory, "/keys/password", as_bytes("secret"), 0644));
  App app = w.app();
  std::vector<std::string> heard;
  app.on_warning([&](const std::string& sentence) { heard.push_back(sentence); });
  EXPECT_THAT(heard, ElementsAre(HasSubstr("LIFEBOAT_REPOO")));
  for (int connection = 0; connection < 3; ++connection) static_cast<void>(app.etcd());
  EXPECT_THAT(heard, ElementsAre(_, HasSubstr("chmod 600 /keys/password")));
  w.environment["LIFEBOAT_CLUSTR"] = "prod";
  ASSERT_TRUE(app.reload_settings());
  EXPECT_THAT(heard, ElementsAre(_, _, HasSubstr("LIFEBOAT_CLUSTR")));
}

TEST(EtcdUser, NeedsAPasswordBeforeEtcdIsAsked) {
  Making w;
  w.flags["user"] = "root";
  const auto client = w.app().etcd();
  ASSERT_FALSE(client);
  EXPECT_EQ(client.error().what(), "no password of etcd's user root was given");
  w.environment["ETCDCTL_PASSWORD"] = "secret";
  EXPECT_TRUE(w.app().etcd());
}

TEST(InitWithANewKey, LeavesNoneBesideARepoThatWasThereBefore) {
  Making w;
  ASSERT_TRUE(w.app().init_repo(true));
  w.flags["repo-key-file"] = "/keys/other.key";
  const auto refused = w.app().init_repo(true);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kRepoExists);
  EXPECT_FALSE(io::exists(w.memory, "/keys/other.key").value());
}

}  // namespace
}  // namespace lifeboat::app
