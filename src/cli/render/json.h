// Json: a small ordered value for answers, written with two spaces and fields in the order in which
// they were put.
#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace lifeboat::cli {

class Json {
 public:
  static Json object() { return Json(Object{}); }
  static Json array() { return Json(Array{}); }

  Json() : value_(nullptr) {}
  Json(bool value) : value_(value) {}
  template <std::signed_integral T>
  Json(T value) : value_(static_cast<std::int64_t>(value)) {}
  template <std::unsigned_integral T>
    requires(!std::same_as<T, bool>)
  Json(T value) : value_(static_cast<std::uint64_t>(value)) {}
  Json(double value) : value_(value) {}
  Json(const char* value) : value_(std::string(value)) {}
  Json(std::string_view value) : value_(std::string(value)) {}
  Json(std::string value) : value_(std::move(value)) {}
  Json(const std::vector<std::string>& texts);

  // Of an object: appends a field; of an array: appends an item. Returns itself, for chains.
  Json& put(std::string_view name, Json value);
  Json& add(Json value);
  // The same, only when the text is not empty.
  Json& put_text(std::string_view name, const std::string& text);

  // With a newline at the end. Bytes that are not UTF-8 become U+FFFD.
  std::string text() const;
  // The same on one line, without a newline.
  std::string line() const;

 private:
  using Object = std::vector<std::pair<std::string, Json>>;
  using Array = std::vector<Json>;
  explicit Json(Object fields) : value_(std::move(fields)) {}
  explicit Json(Array items) : value_(std::move(items)) {}
  // `indent` is the columns of what stands in the value; nullopt: all on one line.
  void write(std::string& out, std::optional<std::size_t> indent) const;

  std::variant<std::nullptr_t, bool, std::int64_t, std::uint64_t, double, std::string, Array, Object> value_;
};

bool is_utf8(std::string_view text);
std::string base64(std::string_view bytes);

}  // namespace lifeboat::cli
