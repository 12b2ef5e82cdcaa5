// Canonical JSON: sorted keys, no spaces, integers exact; one value has one text.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/result.h"
#include "base/time.h"

namespace lifeboat::json {

using Json = nlohmann::json;  // its objects are sorted by key

// Bytes that are not UTF-8 become U+FFFD.
Bytes dump(const Json& value);
// kObjectDamaged ("WHAT is damaged") unless the bytes are one JSON object and at most `limit` of
// them.
Result<Json> parse_object(ByteView bytes, std::size_t limit, std::string_view what);

// Adds the field "checksum": SHA-256 of the canonical text without it.
Bytes with_checksum(Json object);
// parse_object, and the checksum fits. (Whether the text is canonical is for the caller to see, by
// encoding again.)
Result<Json> parse_checksummed(ByteView bytes, std::size_t limit, std::string_view what);

// Reads the fields of one object. The first that is missing, of another type or out of bounds is
// kept for status(); every read after it gives an empty value, so that a decoder is a plain list of
// fields.
class Fields {
 public:
  Fields(const Json& object, std::string_view what) : object_(object), what_(what) {}

  static constexpr std::size_t kMaxText = 64u << 10;
  std::string text(const char* name, std::size_t max = kMaxText);
  std::uint64_t number(const char* name, std::uint64_t max = UINT64_MAX);
  std::uint32_t number32(const char* name) { return static_cast<std::uint32_t>(number(name, UINT32_MAX)); }
  std::int64_t revision(const char* name) { return static_cast<std::int64_t>(number(name, INT64_MAX)); }
  std::int64_t integer(const char* name);
  Timestamp time(const char* name) { return Timestamp{integer(name)}; }  // nanoseconds
  double real(const char* name);                                         // finite and not negative
  bool flag(const char* name);
  template <typename IdType>
  IdType id(const char* name) {
    const auto parsed = IdType::parse(text(name));
    if (!parsed) refuse(name, "is not an id");
    return parsed.value_or(IdType{});
  }
  void hex_bytes(const char* name,
                 MutableByteView out);  // exactly out.size() of them, in lower case
  std::vector<std::string> texts(const char* name, std::size_t max_count);
  std::map<std::string, std::string> text_map(const char* name, std::size_t max_count);
  // The array, or an empty one.
  const Json& array(const char* name, std::size_t max_count);
  const Json& child(const char* name);
  bool has(const char* name) const { return object_.contains(name); }

  void refuse(std::string_view name, std::string_view why);
  Status status() const;

 private:
  const Json* find(const char* name, bool (Json::*is_type)() const noexcept);

  const Json& object_;
  std::string what_;
  std::string why_;  // empty: all good
};

}  // namespace lifeboat::json
