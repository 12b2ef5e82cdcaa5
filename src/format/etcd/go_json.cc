#include "format/etcd/go_json.h"

#include "base/utf8.h"

namespace lifeboat::etcd {
namespace {

void append_escape(std::string& out, unsigned code) {
  static constexpr char kDigits[] = "0123456789abcdef";
  out += "\\u";
  for (int shift = 12; shift >= 0; shift -= 4) out += kDigits[(code >> shift) & 0xf];
}

void append_ascii(std::string& out, unsigned char c) {
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
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    case '\b':
      out += "\\b";
      return;
    case '\f':
      out += "\\f";
      return;
    default:
      break;
  }
  const bool plain = c >= 0x20 && c != '<' && c != '>' && c != '&';
  if (plain) {
    out += static_cast<char>(c);
  } else {
    append_escape(out, c);
  }
}

}  // namespace

std::string json_text(std::string_view text) {
  std::string out = "\"";
  while (!text.empty()) {
    const auto first = static_cast<unsigned char>(text.front());
    if (first < 0x80) {
      append_ascii(out, first);
      text.remove_prefix(1);
      continue;
    }
    const Utf8Character character = first_character(text);
    if (character.bytes == 0) {
      out += "\\ufffd";
    } else if (character.point == 0x2028 || character.point == 0x2029) {
      append_escape(out, character.point);
    } else {
      out += text.substr(0, character.bytes);
    }
    text.remove_prefix(character.bytes == 0 ? 1 : character.bytes);
  }
  return out + '"';
}

std::string json_list(std::span<const std::string> texts) {
  std::string out = "[";
  for (const std::string& text : texts) {
    if (out.size() > 1) out += ',';
    out += json_text(text);
  }
  return out + ']';
}

}  // namespace lifeboat::etcd
