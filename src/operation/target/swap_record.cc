#include "operation/target/swap_record.h"

#include <nlohmann/json.hpp>

#include "io/file_system.h"

namespace lifeboat::operation {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kVersion = "lifeboat/swap/v1";

std::string text_of(const Json& document, const char* name) {
  const auto found = document.find(name);
  return found != document.end() && found->is_string() ? found->get<std::string>() : std::string();
}

bool is_plain_name(const std::string& name) {
  return name.find('/') == std::string::npos && name != "." && name != "..";
}

}  // namespace

std::string SwapRecord::kept_path(const std::string& data_dir) const {
  return io::join(kept_inside ? data_dir : io::parent_of(data_dir), kept);
}

std::string SwapRecord::kept_wal_path() const { return io::join(io::parent_of(wal_dir), kept_wal); }

Bytes encode_record(const SwapRecord& record) {
  const Json document = {{"apiVersion", kVersion},
                         {"about",
                          "Written by Lifeboat while it swaps this member's data. Do not remove it: run the "
                          "same restore again, or undo it."},
                         {"id", record.id},
                         {"point", record.point},
                         {"revision", record.revision},
                         {"walDir", record.wal_dir},
                         {"kept", record.kept},
                         {"keptInside", record.kept_inside},
                         {"keptWal", record.kept_wal},
                         {"direction", record.direction == SwapDirection::kUndo ? "undo" : "restore"}};
  return to_bytes(document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

std::optional<SwapRecord> decode_record(ByteView bytes) {
  const Json document = Json::parse(as_text(bytes), nullptr, false);
  if (!document.is_object() || text_of(document, "apiVersion") != kVersion) return std::nullopt;
  SwapRecord record;
  record.id = text_of(document, "id");
  record.point = text_of(document, "point");
  record.wal_dir = text_of(document, "walDir");
  record.kept = text_of(document, "kept");
  record.kept_wal = text_of(document, "keptWal");
  const auto revision = document.find("revision");
  if (revision != document.end() && revision->is_number_integer()) record.revision = revision->get<std::int64_t>();
  const auto inside = document.find("keptInside");
  record.kept_inside = inside != document.end() && inside->is_boolean() && inside->get<bool>();
  if (text_of(document, "direction") == "undo") record.direction = SwapDirection::kUndo;
  if (record.id.empty() || !is_plain_name(record.kept) || !is_plain_name(record.kept_wal)) return std::nullopt;
  return record;
}

}  // namespace lifeboat::operation
