// The console of the system: what a passphrase command prints, and what it is shown.
#include "app/console.h"

#include <gmock/gmock.h>

#include <cstdlib>

namespace lifeboat::app {
namespace {

using ::testing::HasSubstr;

std::string output_of(const std::string& command, std::size_t limit = 100) {
  const auto output = system_console()->output_of(command, limit);
  return output ? to_string(output->view()) : output.error().to_string();
}

TEST(PassphraseCommand, IsACommandLineWhoseOutputCounts) {
  EXPECT_EQ(output_of("printf 'a b'; echo aside >&2"), "a b");
  EXPECT_EQ(output_of("true"), "");
  EXPECT_THAT(output_of("printf secret; exit 3"), HasSubstr("it ended with exit code 3"));
  EXPECT_THAT(output_of("kill -9 $$"), HasSubstr("it did not end by itself"));
  EXPECT_THAT(output_of("no-such-program-anywhere"), HasSubstr("exit code 127"));
  EXPECT_THAT(output_of("exec yes", 10), HasSubstr("it did not end by itself"));
}

TEST(PassphraseCommand, SeesTheEnvironmentWithoutThePasswordOfEtcd) {
  ::setenv("ETCDCTL_PASSWORD", "of etcd", 1);
  ::setenv("LIFEBOAT_REPO", "/backup", 1);
  EXPECT_EQ(output_of("echo \"$ETCDCTL_PASSWORD,$LIFEBOAT_REPO,${HOME:+home}\""), ",/backup,home\n");
  ::unsetenv("ETCDCTL_PASSWORD");
  ::unsetenv("LIFEBOAT_REPO");
}

}  // namespace
}  // namespace lifeboat::app
