// What several answers show: the envelope, points, proofs, ranges. docs/cli.md names every kind.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/render/json.h"
#include "cli/terminal/style.h"
#include "repository/catalogue/catalogue.h"

namespace lifeboat::cli {

// {"apiVersion": "lifeboat.dev/v1", "kind": KIND}: what every answer begins with.
Json envelope(std::string_view kind);
// Fields `NAME` (bytes that are not UTF-8 become U+FFFD) and, only then, `NAMEBase64`.
void put_bytes(Json& object, std::string_view name, ByteView bytes);

// "point 1f2e… · revision 42 · 2026-11-21 09:00:00Z (8 min ago)".
std::string echo_of(const repository::Catalogue::Target& target, const Style& style);
// id, revision (the one cut at), pointRevision, lineage, cluster, time.
Json target_json(const repository::Catalogue::Target& target);

// {"fromRevision": …, "toRevision": …}, and a list of them.
Json range_json(const repository::Coverage& range);
Json ranges_json(const std::vector<repository::Coverage>& ranges);

std::string proof_word(repository::Proof proof);  // proven, unproven, disagrees
std::string proof_text(repository::Proof proof, const std::string& reason, const Style& style);

}  // namespace lifeboat::cli
