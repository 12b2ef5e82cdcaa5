// Points in time and spans of time as values; nothing here reads a clock.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lifeboat {

// Nanoseconds since 1970-01-01T00:00:00Z.
struct Timestamp {
  std::int64_t ns = 0;
  auto operator<=>(const Timestamp&) const = default;
};

inline double seconds_between(Timestamp from, Timestamp to) { return static_cast<double>(to.ns - from.ns) / 1e9; }

// "2026-11-21T09:00:00Z", with a fraction of 3 digits when it is not a whole second.
std::string rfc3339(Timestamp time);
// RFC 3339 with any offset, the same with a space before the offset and no colon in it ("2026-11-21 04:00:00 -0500"),
// or "2026-11-21 09:00[:30]" and "2026-11-21" taken as UTC.
std::optional<Timestamp> parse_time(std::string_view text);
// Whether a text that parse_time takes says which zone it is in.
bool names_zone(std::string_view text);
// "20261121T090000Z", for names of files.
std::string compact_utc(Timestamp time);

// "90s", "15m", "6h", "7d", "1h30m", "1.5s", "250ms" to nanoseconds; a bare number is refused.
std::optional<std::int64_t> parse_duration_ns(std::string_view text);
// "1.3 s", "4 min 10 s", "3 h 20 min", "2 d 4 h": for people.
std::string duration_text(double seconds);

}  // namespace lifeboat
