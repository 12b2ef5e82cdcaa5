// The raft snapshot file: a checksum around etcd's v2 store, which names the members, and the raft
// position. Source: etcd v3.6 server/etcdserver/api/snap/snapshotter.go, snappb/snap.proto,
// api/v2store/{store,node}.go.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "crypto/crc32c.h"
#include "format/etcd/go_json.h"
#include "format/etcd/wire.h"
#include "format/wal/messages.h"
#include "format/wal/wal.h"

namespace lifeboat::wal {
namespace {

using Json = nlohmann::json;

// The v2 store holds the members and at most 1000 events; these bound what a file may allocate.
constexpr std::size_t kMaxSnapBytes = 8 * 1024 * 1024;
constexpr int kMaxJsonDepth = 32;
constexpr std::uint64_t kFirstTerm = 1;

std::unexpected<Error> damaged(std::string why) {
  return fail(ErrorCode::kWalDamaged, "raft snapshot file is damaged", std::move(why));
}

// ---- Writing. Nodes are printed as etcd's v2 store prints them; `children` empty means a file.

struct Node {
  std::string path;
  std::uint64_t index = 0;  // created and modified
  std::string value;
  std::string children;  // "{…}" of a directory
};

std::string print(const Node& node) {
  return fmt::format(
      R"({{"Path":{},"CreatedIndex":{},"ModifiedIndex":{},"ExpireTime":"0001-01-01T00:00:00Z","Value":{},"Children":{}}})",
      etcd::json_text(node.path), node.index, node.index, etcd::json_text(node.value),
      node.children.empty() ? "null" : node.children);
}

std::string member_node(const etcd::Member& member, std::uint64_t index) {
  const std::string path = "/0/members/" + etcd::id_text(member.id);
  const Node attributes{.path = path + "/raftAttributes",
                        .index = index,
                        .value = "{\"peerURLs\":" + etcd::json_list(member.peer_urls) + '}',
                        .children = {}};
  return print(
      {.path = path, .index = index, .value = {}, .children = "{\"raftAttributes\":" + print(attributes) + '}'});
}

// Go prints a map by its keys; the order of creation, which etcdutl leaves to chance, is that of
// the ids.
std::string members_children(const etcd::NewCluster& cluster) {
  std::vector<std::pair<std::string, std::string>> nodes;
  for (std::size_t i = 0; i < cluster.members.size(); ++i) {
    const etcd::Member& member = cluster.members[i];
    nodes.emplace_back(etcd::id_text(member.id), member_node(member, i + 1));
  }
  std::ranges::sort(nodes);
  std::string out = "{";
  for (const auto& [key, node] : nodes) {
    if (out.size() > 1) out += ',';
    out += fmt::format(R"("{}":{})", key, node);
  }
  return out + '}';
}

// Without WatcherHub and Stats, which every version from 3.4 on makes anew.
std::string v2_store(const etcd::NewCluster& cluster) {
  const Node members{.path = "/0/members", .index = 1, .value = {}, .children = members_children(cluster)};
  const Node cluster_root{.path = "/0", .index = 0, .value = {}, .children = "{\"members\":" + print(members) + '}'};
  const Node keys_root{.path = "/1", .index = 0, .value = {}, .children = "{}"};
  const Node root{.path = "/",
                  .index = 0,
                  .value = {},
                  .children = "{\"0\":" + print(cluster_root) + ",\"1\":" + print(keys_root) + '}'};
  return fmt::format(R"({{"Root":{},"CurrentIndex":{},"CurrentVersion":2}})", print(root), cluster.members.size());
}

// raftpb.SnapshotMetadata: 1 conf_state, 2 index, 3 term.
Bytes encode_metadata(const etcd::NewCluster& cluster) {
  Bytes out;
  etcd::append_bytes_field(out, 1, encode_conf_state(cluster));
  etcd::append_varint_field(out, 2, cluster.members.size());
  etcd::append_varint_field(out, 3, kFirstTerm);
  return out;
}

// ---- Reading.

struct SnapParts {
  ByteView store;
  ByteView metadata;
};

// snappb.snapshot: 1 crc, 2 data.
Result<ByteView> checked_data(ByteView file) {
  std::uint64_t crc[1] = {};
  ByteView data;
  if (!parse_scalars_then_bytes(file, crc, data)) return damaged("it is no snapshot message");
  if (crc[0] == 0 || data.empty()) return damaged("it is empty or has no checksum");
  const std::uint32_t actual = crypto::crc32c(0, data);
  if (crc[0] != actual) {
    return damaged(fmt::format("its checksum is {:08x}, but the bytes give {:08x}", crc[0], actual));
  }
  return data;
}

// raftpb.Snapshot: 1 data, 2 metadata.
Result<SnapParts> split(ByteView data) {
  SnapParts parts;
  etcd::WireReader reader(data);
  etcd::WireField field;
  while (reader.next(field)) {
    if (field.type != etcd::WireType::kBytes) continue;
    if (field.number == 1) parts.store = field.bytes;
    if (field.number == 2) parts.metadata = field.bytes;
  }
  if (!reader.ok()) return damaged("its data is no raft snapshot");
  return parts;
}

Status read_metadata(ByteView metadata, SnapSummary& summary) {
  etcd::WireReader reader(metadata);
  etcd::WireField field;
  ByteView conf_state;
  while (reader.next(field)) {
    const bool is_bytes = field.type == etcd::WireType::kBytes;
    if (field.number == 1 && is_bytes) conf_state = field.bytes;
    if (field.number == 2 && !is_bytes) summary.index = field.scalar;
    if (field.number == 3 && !is_bytes) summary.term = field.scalar;
  }
  std::optional<std::vector<std::uint64_t>> voters = parse_voters(conf_state);
  if (!reader.ok() || !voters) return damaged("its metadata does not parse");
  summary.voters = std::move(*voters);
  return {};
}

// The child of a directory of the v2 store; null when there is none.
const Json* child(const Json* node, const char* name) {
  if (node == nullptr || !node->is_object()) return nullptr;
  const auto children = node->find("Children");
  if (children == node->end() || !children->is_object()) return nullptr;
  const auto at = children->find(name);
  return at == children->end() ? nullptr : &*at;
}

// Whatever lies deeper than any v2 store goes is left out while it is parsed: copies and printing recurse.
Json parse_shallow(std::string_view text) {
  const auto shallow = [](int depth, Json::parse_event_t, Json&) { return depth <= kMaxJsonDepth; };
  return Json::parse(text, shallow, false);
}

// The JSON text that a file of the v2 store holds; discarded when it is absent or no object.
Json file_value(const Json* node) {
  if (node == nullptr || !node->is_object()) return Json::value_t::discarded;
  const auto value = node->find("Value");
  if (value == node->end() || !value->is_string()) return Json::value_t::discarded;
  Json parsed = parse_shallow(value->get_ref<const std::string&>());
  return parsed.is_object() ? parsed : Json(Json::value_t::discarded);
}

// raftAttributes and attributes together have the fields of a member, without its id.
Result<etcd::Member> read_member(const std::string& key, const Json& node) {
  std::uint64_t id = 0;
  const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id, 16);
  if (error != std::errc{} || end != key.data() + key.size()) {
    return damaged("its store has a member whose name is no id");
  }
  Json fields = file_value(child(&node, "raftAttributes"));
  if (fields.is_discarded()) return damaged("its store has no raft attributes for member " + key);
  const Json attributes = file_value(child(&node, "attributes"));
  if (attributes.is_object()) fields.update(attributes);
  fields["id"] = id;
  Result<etcd::Member> member = etcd::parse_member_json(fields.dump(-1, ' ', false, Json::error_handler_t::replace));
  if (!member) return damaged("member " + key + " of its store does not parse: " + member.error().why());
  return member;
}

Status read_members(ByteView store, SnapSummary& summary) {
  const Json json = parse_shallow(as_text(store));
  if (!json.is_object()) return damaged("its store is not a JSON object");
  const auto root = json.find("Root");
  if (root == json.end()) return damaged("its store has no root");
  const Json* members = child(child(&*root, "0"), "members");
  if (members == nullptr) return damaged("its store has no members");
  const auto children = members->find("Children");
  if (children == members->end() || !children->is_object()) {
    return damaged("its store has no list of members");
  }
  for (const auto& [key, node] : children->items()) {
    summary.members.push_back(TRY(read_member(key, node)));
  }
  std::ranges::sort(summary.members, {}, &etcd::Member::id);
  return {};
}

}  // namespace

Bytes fresh_snap(const etcd::NewCluster& cluster) {
  Bytes snapshot;
  etcd::append_bytes_field(snapshot, 1, as_bytes(v2_store(cluster)));
  etcd::append_bytes_field(snapshot, 2, encode_metadata(cluster));
  Bytes file;
  etcd::append_varint_field(file, 1, crypto::crc32c(0, snapshot));
  etcd::append_bytes_field(file, 2, snapshot);
  return file;
}

std::string snap_file_name(std::uint64_t term, std::uint64_t index) {
  return fmt::format("{:016x}-{:016x}.snap", term, index);
}

Result<SnapSummary> read_snap(ByteView file) {
  if (file.size() > kMaxSnapBytes) return damaged("it is larger than any that etcd writes");
  const ByteView data = TRY(checked_data(file));
  const SnapParts parts = TRY(split(data));
  SnapSummary summary;
  TRY(read_metadata(parts.metadata, summary));
  TRY(read_members(parts.store, summary));
  return summary;
}

}  // namespace lifeboat::wal
