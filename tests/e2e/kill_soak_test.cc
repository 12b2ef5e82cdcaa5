// Hundreds of kills at random times.
#include "e2e/kills.h"

namespace lifeboat::e2e {
namespace {

TEST(KillSoak, HundredsOfBackupsCutHarmNothing) { kill_backups(300, std::random_device{}()); }

TEST(KillSoak, HundredsOfRestoresCutHarmNothing) { kill_restores(300, std::random_device{}()); }

}  // namespace
}  // namespace lifeboat::e2e
