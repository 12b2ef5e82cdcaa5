#include "cli/render/json.h"

#include <fmt/format.h>

#include <cmath>

#include "base/utf8.h"

namespace lifeboat::cli {
namespace {

void write_character(std::string& out, char c) {
  switch (c) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\t':
      out += "\\t";
      return;
    case '\r':
      out += "\\r";
      return;
  }
  if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
    out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
  } else {
    out += c;
  }
}

void write_text(std::string& out, std::string_view text) {
  out += '"';
  while (!text.empty()) {
    const std::size_t length = first_character(text).bytes;
    if (length == 1) {
      write_character(out, text[0]);
    } else if (length == 0) {
      out += "\xEF\xBF\xBD";
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  out += '"';
}

std::string number_text(double value) {
  if (!std::isfinite(value)) return "null";
  return fmt::format("{:.3f}", value);  // milliseconds are enough for every duration
}

void new_line(std::string& out, std::size_t indent) {
  out += '\n';
  out.append(indent, ' ');
}

template <typename... F>
struct Overloaded : F... {
  using F::operator()...;
};
template <typename... F>
Overloaded(F...) -> Overloaded<F...>;

}  // namespace

Json::Json(const std::vector<std::string>& texts) : value_(Array(texts.begin(), texts.end())) {}

Json& Json::put(std::string_view name, Json value) {
  std::get<Object>(value_).emplace_back(std::string(name), std::move(value));
  return *this;
}

Json& Json::add(Json value) {
  std::get<Array>(value_).push_back(std::move(value));
  return *this;
}

Json& Json::put_text(std::string_view name, const std::string& text) { return text.empty() ? *this : put(name, text); }

std::string Json::text() const {
  std::string out;
  write(out, 0);
  out += '\n';
  return out;
}

std::string Json::line() const {
  std::string out;
  write(out, std::nullopt);
  return out;
}

void Json::write(std::string& out, std::optional<std::size_t> indent) const {
  const auto inner = indent ? std::optional(*indent + 2) : std::nullopt;
  const auto list = [&](const auto& items, char open, char close, const auto& write_item) {
    out += open;
    bool first = true;
    for (const auto& item : items) {
      if (!first) out += ',';
      first = false;
      if (inner) new_line(out, *inner);
      write_item(item);
    }
    if (!first && indent) new_line(out, *indent);
    out += close;
  };
  std::visit(Overloaded{
                 [&](std::nullptr_t) { out += "null"; },
                 [&](bool value) { out += value ? "true" : "false"; },
                 [&](std::int64_t value) { out += fmt::format("{}", value); },
                 [&](std::uint64_t value) { out += fmt::format("{}", value); },
                 [&](double value) { out += number_text(value); },
                 [&](const std::string& value) { write_text(out, value); },
                 [&](const Array& items) { list(items, '[', ']', [&](const Json& item) { item.write(out, inner); }); },
                 [&](const Object& fields) {
                   list(fields, '{', '}', [&](const auto& field) {
                     write_text(out, field.first);
                     out += ": ";
                     field.second.write(out, inner);
                   });
                 },
             },
             value_);
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = first_character(text).bytes;
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

std::string base64(std::string_view bytes) {
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    const std::size_t n = std::min<std::size_t>(3, bytes.size() - i);
    for (std::size_t j = 0; j < 3; ++j) {
      group = group << 8 | (j < n ? static_cast<unsigned char>(bytes[i + j]) : 0u);
    }
    for (std::size_t j = 0; j < 4; ++j) {
      out += j <= n ? kAlphabet[group >> (18 - 6 * j) & 63] : '=';
    }
  }
  return out;
}

}  // namespace lifeboat::cli
