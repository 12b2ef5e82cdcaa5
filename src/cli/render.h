// Rendering: each report as text for people and as JSON for programs. docs/cli.md names every kind.
#pragma once

#include <string>

#include "app/settings.h"
#include "cli/json.h"
#include "cli/style.h"
#include "operation/backup/backup_etcd.h"
#include "operation/export/export_snapshot.h"
#include "operation/inspect/diff.h"
#include "operation/inspect/history.h"
#include "operation/inspect/keys.h"
#include "operation/inspect/status.h"
#include "operation/restore/restore_types.h"
#include "operation/verify/verify.h"
#include "repository/catalogue/points.h"
#include "repository/store/repository.h"

namespace lifeboat::cli {

using repository::Catalogue;

// {"apiVersion": "lifeboat.dev/v1", "kind": KIND}: what every answer begins with.
Json envelope(std::string_view kind);
// Fields `NAME` (bytes that are not UTF-8 become U+FFFD) and, only then, `NAMEBase64`.
void put_bytes(Json& object, std::string_view name, ByteView bytes);

// "point 1f2e… · revision 42 · 2026-11-21 09:00:00Z (8 min ago)".
std::string echo_of(const Catalogue::Target& target, const Style& style);

// {"fromRevision": …, "toRevision": …}, and a list of them.
Json range_json(const repository::Coverage& range);
Json ranges_json(const std::vector<repository::Coverage>& ranges);

std::string proof_word(repository::Proof proof);  // proven, unproven, disagrees
std::string proof_text(repository::Proof proof, const std::string& reason, const Style& style);
// id, revision (the one cut at), pointRevision, lineage, cluster, time.
Json target_json(const Catalogue::Target& target);

struct InitAnswer {
  std::string url, key_file;
  repository::Repository::InitReport report;
};
std::string init_text(const InitAnswer& answer, const Style& style);
Json init_json(const InitAnswer& answer);

std::string backup_text(const operation::BackupReport& report, const Style& style);
Json backup_json(const operation::BackupReport& report, std::string_view kind);

std::string points_text(const Catalogue& catalogue, const std::vector<const repository::Point*>& points,
                        const Style& style);
Json points_json(const Catalogue& catalogue, const std::vector<const repository::Point*>& points);
struct PointAnswer {
  Catalogue::Target target;
  Result<std::vector<etcd::Member>> members;  // of the cluster then, as its database named them
};
std::string point_text(const PointAnswer& answer, const Style& style, bool verbose);
Json point_json(const PointAnswer& answer);

struct KeysAnswer {
  Catalogue::Target target;
  Bytes prefix;
  operation::KeyListing listing;
  bool with_keys = false;
};
std::string keys_text(const KeysAnswer& answer, const Style& style);
Json keys_json(const KeysAnswer& answer);

std::string value_text(const Catalogue::Target& target, const operation::KeyValueAt& found, const Style& style);
Json value_json(const Catalogue::Target& target, const operation::KeyValueAt& found);

struct DifferenceAnswer {
  Catalogue::Target a, b;
  operation::DifferenceReport report;
};
std::string difference_text(const DifferenceAnswer& answer, const Style& style);
Json difference_json(const DifferenceAnswer& answer);

std::string history_text(const Catalogue::Target& target, const operation::HistoryReport& report, const Style& style);
Json history_json(const Catalogue::Target& target, const operation::HistoryReport& report);

std::string export_text(const Catalogue::Target& target, const operation::ExportReport& report, const Style& style);
Json export_json(const Catalogue::Target& target, const operation::ExportReport& report);

std::string verify_text(const operation::VerifyReport& report, const Style& style);
Json verify_json(const operation::VerifyReport& report);

enum class RestoreKind { kFresh, kInPlace, kUndo };
std::string restore_text(const operation::RestoreReport& report, RestoreKind kind, const Style& style);
Json restore_json(const operation::RestoreReport& report, RestoreKind kind);
// The plan that stands before a prompt.
std::string plan_text(const operation::RestoreReport& report, const Style& style);

std::string status_text(const operation::StatusReport& report, const std::string& url, const Style& style);
Json status_json(const operation::StatusReport& report, const std::string& url);

std::string settings_text(const app::Settings& settings, bool with_origin);
Json settings_json(const app::Settings& settings);

std::string version_text();
Json version_json();

// Exactly four lines: error, why, fix, code.
std::string error_text(const Error& error, const Style& style);
Json error_json(const Error& error);

}  // namespace lifeboat::cli
