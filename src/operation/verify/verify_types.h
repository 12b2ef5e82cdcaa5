// What verifying takes and tells: options, findings, the report.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error_code.h"
#include "io/work_limits.h"

namespace lifeboat::operation {

struct VerifyOptions {
  int level = 2;  // 0 present with size, 1 SHA-256, 2 decrypt and parse, 3 rules, HashKV, rebuilt database, 4 boot
  std::string etcd_binary;  // level 4; empty: found on PATH
  std::string sandbox_directory;
  io::WorkLimits limits;
  bool attest = true;             // write an attestation
  bool missing_is_error = false;  // an object that is missing ends it: the caller makes its plan again
};
struct Finding {
  std::string object;  // empty: the point as a whole
  std::string sentence;
  ErrorCode code{};
};
struct VerifiedPoint {
  std::string point;
  std::int64_t revision = 0;
  std::vector<Finding> findings;
};
struct VerifyReport {
  int level = 0;
  std::vector<VerifiedPoint> points;
  std::vector<Finding> findings;   // of the repo: keys, format, unreadable manifests, every point's own
  std::vector<std::string> notes;  // sentences that are no findings: a result that could not be recorded
  std::uint64_t objects = 0, bytes = 0, records = 0;
  double seconds = 0;
  bool clean() const { return findings.empty(); }
};
}  // namespace lifeboat::operation
