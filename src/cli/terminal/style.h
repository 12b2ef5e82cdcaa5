// Style: how text answers look: marks, colour, times, aligned tables.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"

namespace lifeboat::cli {

struct Style {
  bool colour = false;
  bool utc = true;
  Timestamp now;

  // A mark and a word each: colour is never alone.
  std::string good(std::string_view text) const;  // ✔ text
  std::string warn(std::string_view text) const;  // ▲ text
  std::string bad(std::string_view text) const;   // ✖ text
  std::string bold(std::string_view text) const;

  // "2026-11-21 09:00:00Z", or local time with its offset.
  std::string time(Timestamp when) const;
  // What `time` shows, and all that lifeboat::parse_time takes; without a zone it is in the one that `time` shows.
  std::optional<Timestamp> parse_time(std::string_view text) const;
  // "8 min ago"; "now" within a second.
  std::string age(Timestamp when) const;
  // "2026-11-21 09:00:00Z (8 min ago)".
  std::string time_and_age(Timestamp when) const;
};

// Columns as wide as their widest cell, two spaces between them, no spaces at line ends.
class Table {
 public:
  enum class Align { kLeft, kRight };
  Table(std::vector<std::string> titles, std::vector<Align> aligns = {})
      : aligns_(std::move(aligns)), rows_{std::move(titles)} {}
  void row(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  std::string text() const;

 private:
  std::vector<Align> aligns_;  // kLeft where it names none
  std::vector<std::vector<std::string>> rows_;
};

// "label    value" lines with the values in one column.
class Facts {
 public:
  Facts& put(std::string label, std::string value);  // nothing when the value is empty
  std::string text() const;

 private:
  std::vector<std::pair<std::string, std::string>> facts_;
};

// Columns a text takes on a terminal: code points, escape sequences not counted.
std::size_t width(std::string_view text);

}  // namespace lifeboat::cli
