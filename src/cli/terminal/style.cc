#include "cli/terminal/style.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <utility>

namespace lifeboat::cli {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

std::string painted(bool colour, const char* code, std::string text) {
  return colour ? fmt::format("\x1b[{}m{}\x1b[0m", code, text) : std::move(text);
}

std::string local_text(Timestamp when) {
  const std::time_t seconds = when.ns / kSecond;
  std::tm parts{};
  char text[64];
  if (::localtime_r(&seconds, &parts) == nullptr) return rfc3339(when);
  const std::size_t size = std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S %z", &parts);
  return {text, size};
}

std::string padded(const std::string& cell, std::size_t columns, Table::Align align) {
  const std::string space(columns - std::min(columns, width(cell)), ' ');
  return align == Table::Align::kRight ? space + cell : cell + space;
}

void trim_end(std::string& line) { line.erase(line.find_last_not_of(' ') + 1); }

}  // namespace

std::string Style::good(std::string_view text) const { return painted(colour, "32", fmt::format("✔ {}", text)); }
std::string Style::warn(std::string_view text) const { return painted(colour, "33", fmt::format("▲ {}", text)); }
std::string Style::bad(std::string_view text) const { return painted(colour, "31", fmt::format("✖ {}", text)); }
std::string Style::bold(std::string_view text) const { return painted(colour, "1", std::string(text)); }

std::string Style::time(Timestamp when) const {
  if (!utc) return local_text(when);
  std::string text = rfc3339({when.ns - (when.ns % kSecond + kSecond) % kSecond});
  if (const auto t = text.find('T'); t != std::string::npos) text[t] = ' ';
  return text;
}

std::optional<Timestamp> Style::parse_time(std::string_view text) const {
  const auto parsed = lifeboat::parse_time(text);
  if (!parsed || utc || names_zone(text)) return parsed;
  const std::time_t seconds = parsed->ns / kSecond;
  std::tm parts{};
  if (::gmtime_r(&seconds, &parts) == nullptr) return std::nullopt;
  parts.tm_isdst = -1;
  const std::time_t local = std::mktime(&parts);
  return Timestamp{local * kSecond + parsed->ns % kSecond};
}

std::string Style::age(Timestamp when) const {
  const double seconds = seconds_between(when, now);
  if (seconds < -1) return fmt::format("{} ahead of this clock", duration_text(-seconds));
  return seconds < 1 ? "now" : duration_text(seconds) + " ago";
}

std::string Style::time_and_age(Timestamp when) const { return fmt::format("{} ({})", time(when), age(when)); }

std::size_t width(std::string_view text) {
  std::size_t columns = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\x1b') {
      i = std::min(text.find('m', i), text.size() - 1);
    } else if ((static_cast<unsigned char>(text[i]) & 0xC0) != 0x80) {
      ++columns;
    }
  }
  return columns;
}

std::string Table::text() const {
  std::vector<std::size_t> columns;
  for (const auto& row : rows_) {
    columns.resize(std::max(columns.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) columns[i] = std::max(columns[i], width(row[i]));
  }
  std::string out;
  for (const auto& row : rows_) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (i != 0) line += "  ";
      line += padded(row[i], columns[i], i < aligns_.size() ? aligns_[i] : Align::kLeft);
    }
    trim_end(line);
    out += line + '\n';
  }
  return out;
}

Facts& Facts::put(std::string label, std::string value) {
  if (!value.empty()) facts_.emplace_back(std::move(label), std::move(value));
  return *this;
}

std::string Facts::text() const {
  std::size_t columns = 0;
  for (const auto& [label, value] : facts_) columns = std::max(columns, width(label));
  std::string out;
  for (const auto& [label, value] : facts_) {
    out += "  " + padded(label, columns + 2, Table::Align::kLeft) + value + '\n';
  }
  return out;
}

}  // namespace lifeboat::cli
