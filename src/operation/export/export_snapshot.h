// Exporting a point as a snapshot file of etcd.
#pragma once

#include <string>
#include <vector>

#include "base/progress.h"
#include "io/work_limits.h"
#include "repository/catalogue/catalogue.h"

namespace lifeboat::operation {

struct ExportReport {
  std::string path;
  std::int64_t revision = 0;
  std::uint64_t file_bytes = 0, live_keys = 0;
  std::string sha256;
  std::uint64_t leases = 0;
  std::vector<std::string> synthesized_leases;  // one sentence each
  std::int64_t users_revision = 0;              // where the users and roles were captured
  std::string users;                            // the same as a sentence
  std::vector<std::string> warnings;
};
// A snapshot file with its SHA-256 trailer: the point's database with its own members and alarms, users and roles as
// of the revision, and a lease for every id that a key names. Refuses to replace a file. Durable publish.
Result<ExportReport> export_snapshot(const repository::Repository& repo, io::World& world,
                                     const repository::Catalogue::Target& target, const std::string& path,
                                     const io::WorkLimits& limits, Progress& progress);

}  // namespace lifeboat::operation
