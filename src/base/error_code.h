// ErrorCode: the stable numbers of every error Lifeboat can report. Never renumbered, never reused.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace lifeboat {

enum class ExitCode : int {
  kOk = 0,
  kAnswerIsNo = 1,
  kUsage = 2,
  kPartial = 3,
  kUnreachable = 4,
  kCredentials = 5,
  kIntegrity = 6,
  kRefused = 7,
  kObjectiveMissed = 8,
  kStorage = 9,
  kNotFound = 10,
  kLocked = 11,
  kWrongKey = 12,
  kBug = 70,
  kInterrupted = 130,
  kOutputClosed = 141,  // as SIGPIPE ends a program
  kTerminated = 143,
};

// The first digit groups: 1 usage and settings, 2 etcd, 3 storage, 4 repository, 5 integrity, 6 restore, 9 own faults.
enum class ErrorCode : std::uint16_t {
  kUsage = 1001,
  kUnknownSetting = 1002,
  kBadSetting = 1003,
  kNoRepoGiven = 1004,
  kNoKeyGiven = 1005,
  kUnreadableInput = 1006,
  kAddressUnusable = 1007,

  kEndpointUnreachable = 2001,
  kTlsRefused = 2002,
  kCredentialsRefused = 2003,
  kPermissionDenied = 2004,
  kEtcdFailed = 2005,
  kSnapshotStreamBroken = 2006,
  kTimeout = 2007,
  kClientCertificateUnusable = 2008,
  kMembersDisagree = 2009,

  kStorageFailed = 3001,
  kStorageFull = 3002,
  kStorageReadOnly = 3003,
  kStoragePermission = 3004,
  kFileNotFound = 3005,
  kAnswerNotWritten = 3006,

  kRepoNotFound = 4001,
  kRepoExists = 4002,
  kRepoVersionUnknown = 4003,
  kRepoFeatureUnknown = 4004,
  kWrongKey = 4005,
  kPointNotFound = 4006,
  kPointAmbiguous = 4007,
  kRevisionInGap = 4008,
  kObjectMissing = 4009,
  kKeyNotFound = 4010,

  kObjectDamaged = 5001,
  kNotADatabase = 5002,
  kSnapshotTruncated = 5003,
  kSnapshotChecksum = 5004,
  kDatabaseDamaged = 5005,
  kUnsupportedContent = 5006,
  kLogRuleBroken = 5007,
  kProofMismatch = 5008,
  kVerifyBeforePublish = 5009,
  kWalDamaged = 5010,

  kTargetNotEmpty = 6001,
  kEtcdRunning = 6002,
  kNotEnoughSpace = 6003,
  kBadCluster = 6004,
  kConfirmationNeeded = 6005,
  kPlanMismatch = 6006,
  kNothingToUndo = 6007,
  kSandboxFailed = 6008,
  kEtcdBinaryMissing = 6009,
  kForeignWal = 6010,

  kInternal = 9001,
  kInterrupted = 9002,
};

// One row of the catalogue; docs/errors.md is generated from the same rows and compared by a test.
struct ErrorEntry {
  ErrorCode code;
  ExitCode exit;
  std::string_view title;        // a noun clause: "etcd endpoint not reachable"
  std::string_view explanation;  // what it means and how it comes about, a few sentences
  std::string_view hint;         // what to do now, when the error itself has nothing better
};

std::span<const ErrorEntry> error_catalogue();
const ErrorEntry& entry_of(ErrorCode code);

// "LB-E2001", and back; parsing ignores case and accepts the bare number.
std::string code_text(ErrorCode code);
std::optional<ErrorCode> parse_code(std::string_view text);

}  // namespace lifeboat
