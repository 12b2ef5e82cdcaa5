#include "format/canonical_json.h"

#include <cmath>

#include "crypto/hash.h"

namespace lifeboat::json {
namespace {

Error damaged(std::string_view what, std::string why) {
  return Error(ErrorCode::kObjectDamaged, std::string(what) + " is damaged", std::move(why));
}

// The library writes recursively, so nesting is bounded before anything is parsed. Nothing we write
// nests deeper than five levels.
bool shallow(std::string_view text) {
  constexpr int kMaxDepth = 16;
  int depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      if (++depth > kMaxDepth) return false;
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return true;
}

const Json& empty_array() {
  static const Json empty = Json::array();
  return empty;
}
const Json& empty_object() {
  static const Json empty = Json::object();
  return empty;
}

}  // namespace

Bytes dump(const Json& value) { return to_bytes(value.dump(-1, ' ', false, Json::error_handler_t::replace)); }

Result<Json> parse_object(ByteView bytes, std::size_t limit, std::string_view what) {
  if (bytes.size() > limit) return std::unexpected(damaged(what, "it is larger than any that was written"));
  if (!shallow(as_text(bytes))) return std::unexpected(damaged(what, "it nests deeper than any that was written"));
  Json value = Json::parse(as_text(bytes), nullptr, false);
  if (!value.is_object()) return std::unexpected(damaged(what, "it is not a JSON object"));
  return value;
}

Bytes with_checksum(Json object) {
  object.erase("checksum");
  object["checksum"] = crypto::sha256(dump(object)).text();
  return dump(object);
}

Result<Json> parse_checksummed(ByteView bytes, std::size_t limit, std::string_view what) {
  Json root = TRY(parse_object(bytes, limit, what));
  Fields fields(root, what);
  const std::string stated = fields.text("checksum");
  TRY(fields.status());
  root.erase("checksum");
  if (crypto::sha256(dump(root)).text() != stated)
    return std::unexpected(damaged(what, "it does not match its checksum"));
  return root;
}

const Json* Fields::find(const char* name, bool (Json::*is_type)() const noexcept) {
  if (!why_.empty()) return nullptr;
  const auto found = object_.find(name);
  if (found == object_.end()) {
    refuse(name, "is missing");
    return nullptr;
  }
  if (!((*found).*is_type)()) {
    refuse(name, "has another type");
    return nullptr;
  }
  return &*found;
}

std::string Fields::text(const char* name, std::size_t max) {
  const Json* value = find(name, &Json::is_string);
  if (value == nullptr) return {};
  const auto& text = value->get_ref<const std::string&>();
  if (text.size() > max) {
    refuse(name, "is too long");
    return {};
  }
  return text;
}

std::uint64_t Fields::number(const char* name, std::uint64_t max) {
  const Json* value = find(name, &Json::is_number_unsigned);
  if (value == nullptr) return 0;
  const auto number = value->get<std::uint64_t>();
  if (number > max) {
    refuse(name, "is too large");
    return 0;
  }
  return number;
}

std::int64_t Fields::integer(const char* name) {
  const Json* value = find(name, &Json::is_number_integer);
  if (value == nullptr) return 0;
  if (value->is_number_unsigned() && value->get<std::uint64_t>() > INT64_MAX) {
    refuse(name, "is too large");
    return 0;
  }
  return value->get<std::int64_t>();
}

double Fields::real(const char* name) {
  const Json* value = find(name, &Json::is_number);
  if (value == nullptr) return 0;
  const auto number = value->get<double>();
  if (!std::isfinite(number) || number < 0) {
    refuse(name, "is out of bounds");
    return 0;
  }
  return number;
}

bool Fields::flag(const char* name) {
  const Json* value = find(name, &Json::is_boolean);
  return value != nullptr && value->get<bool>();
}

void Fields::hex_bytes(const char* name, MutableByteView out) {
  const std::string value = text(name);
  if (why_.empty() && (value.size() != 2 * out.size() || !parse_hex(value, out) || hex(out) != value))
    refuse(name, "is not " + std::to_string(out.size()) + " bytes in hex");
}

std::vector<std::string> Fields::texts(const char* name, std::size_t max_count) {
  std::vector<std::string> out;
  for (const Json& item : array(name, max_count)) {
    if (!item.is_string() || item.get_ref<const std::string&>().size() > kMaxText) {
      refuse(name, "holds what is not a short text");
      return {};
    }
    out.push_back(item.get_ref<const std::string&>());
  }
  return out;
}

std::map<std::string, std::string> Fields::text_map(const char* name, std::size_t max_count) {
  std::map<std::string, std::string> out;
  const Json& object = child(name);
  if (object.size() > max_count) refuse(name, "has too many entries");
  if (!why_.empty()) return out;
  for (const auto& [key, value] : object.items()) {
    if (key.size() > kMaxText || !value.is_string() || value.get_ref<const std::string&>().size() > kMaxText) {
      refuse(name, "holds what is not a short text");
      return {};
    }
    out.emplace(key, value.get_ref<const std::string&>());
  }
  return out;
}

const Json& Fields::array(const char* name, std::size_t max_count) {
  const Json* value = find(name, &Json::is_array);
  if (value == nullptr) return empty_array();
  if (value->size() > max_count) {
    refuse(name, "has too many entries");
    return empty_array();
  }
  return *value;
}

const Json& Fields::child(const char* name) {
  const Json* value = find(name, &Json::is_object);
  return value == nullptr ? empty_object() : *value;
}

void Fields::refuse(std::string_view name, std::string_view why) {
  if (why_.empty()) why_ = "\"" + std::string(name) + "\" " + std::string(why);
}

Status Fields::status() const {
  if (why_.empty()) return {};
  return std::unexpected(damaged(what_, why_));
}

}  // namespace lifeboat::json
