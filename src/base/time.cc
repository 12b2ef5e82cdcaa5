#include "base/time.h"

#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <limits>

namespace lifeboat {
namespace {

constexpr std::int64_t kNsPerSecond = 1'000'000'000;

struct Civil {
  int year;
  unsigned month, day;
  int hour, minute, second, millisecond;
};

Civil civil(Timestamp time) {
  using namespace std::chrono;
  const sys_time<nanoseconds> instant{nanoseconds(time.ns)};
  const auto day = floor<days>(instant);
  const year_month_day date{day};
  const hh_mm_ss clock{floor<milliseconds>(instant - day)};
  return {static_cast<int>(date.year()),
          static_cast<unsigned>(date.month()),
          static_cast<unsigned>(date.day()),
          static_cast<int>(clock.hours().count()),
          static_cast<int>(clock.minutes().count()),
          static_cast<int>(clock.seconds().count()),
          static_cast<int>(clock.subseconds().count())};
}

// Reads a text from its front; every take either succeeds and advances, or fails and leaves it.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

  bool at_end() const { return rest_.empty(); }
  char peek() const { return rest_.empty() ? '\0' : rest_.front(); }
  bool take(char expected) {
    if (peek() != expected || rest_.empty()) return false;
    rest_.remove_prefix(1);
    return true;
  }
  bool take_any(std::string_view set) {
    if (rest_.empty() || set.find(rest_.front()) == std::string_view::npos) return false;
    rest_.remove_prefix(1);
    return true;
  }
  // Exactly `count` decimal digits.
  std::optional<int> number(std::size_t count) {
    if (rest_.size() < count) return std::nullopt;
    int value = 0;
    for (std::size_t i = 0; i < count; ++i) {
      if (rest_[i] < '0' || rest_[i] > '9') return std::nullopt;
      value = value * 10 + (rest_[i] - '0');
    }
    rest_.remove_prefix(count);
    return value;
  }
  // One digit or more, as a fraction of a second in nanoseconds; digits beyond the ninth are
  // dropped.
  std::optional<std::int64_t> fraction_ns() {
    std::int64_t value = 0;
    std::int64_t weight = kNsPerSecond / 10;
    bool any = false;
    while (peek() >= '0' && peek() <= '9') {
      value += (peek() - '0') * weight;
      weight /= 10;
      any = true;
      rest_.remove_prefix(1);
    }
    if (!any) return std::nullopt;
    return value;
  }

 private:
  std::string_view rest_;
};

std::optional<std::int64_t> scan_day(Scanner& in) {
  using namespace std::chrono;
  const auto y = in.number(4);
  if (!y || !in.take('-')) return std::nullopt;
  const auto m = in.number(2);
  if (!m || !in.take('-')) return std::nullopt;
  const auto d = in.number(2);
  if (!d) return std::nullopt;
  const year_month_day date{year(*y), month(static_cast<unsigned>(*m)), day(static_cast<unsigned>(*d))};
  if (!date.ok()) return std::nullopt;
  return sys_days(date).time_since_epoch().count();
}

struct ClockReading {
  std::int64_t seconds = 0;
  std::int64_t ns = 0;
};

// "09:00", "09:00:30" or "09:00:30.125".
std::optional<ClockReading> scan_clock(Scanner& in) {
  const auto hour = in.number(2);
  if (!hour || !in.take(':')) return std::nullopt;
  const auto minute = in.number(2);
  if (!minute || *hour > 23 || *minute > 59) return std::nullopt;
  ClockReading reading{*hour * 3600LL + *minute * 60LL, 0};
  if (!in.take(':')) return reading;
  const auto second = in.number(2);
  if (!second || *second > 60) return std::nullopt;  // 60: a leap second, read as the next minute
  reading.seconds += *second;
  if (!in.take('.')) return reading;
  const auto fraction = in.fraction_ns();
  if (!fraction) return std::nullopt;
  reading.ns = *fraction;
  return reading;
}

// "Z", "+02:00", " +0200", or nothing; in seconds east of UTC.
std::optional<std::int64_t> scan_offset(Scanner& in) {
  if (in.at_end() || in.take_any("Zz")) return 0;
  const bool apart = in.take(' ');
  const bool west = in.peek() == '-';
  if (!in.take_any("+-")) return std::nullopt;
  const auto hour = in.number(2);
  if (!hour || (!in.take(':') && !apart)) return std::nullopt;
  const auto minute = in.number(2);
  if (!minute || *hour > 23 || *minute > 59) return std::nullopt;
  const std::int64_t seconds = *hour * 3600LL + *minute * 60LL;
  return west ? -seconds : seconds;
}

std::optional<Timestamp> timestamp(std::int64_t seconds, std::int64_t ns) {
  std::int64_t total = 0;
  if (__builtin_mul_overflow(seconds, kNsPerSecond, &total)) return std::nullopt;
  if (__builtin_add_overflow(total, ns, &total)) return std::nullopt;
  return Timestamp{total};
}

struct Unit {
  std::string_view name;
  std::int64_t ns;
};
// Longest first: a duration names its units in this order.
constexpr Unit kUnits[] = {
    {"w", 7 * 86400 * kNsPerSecond},
    {"d", 86400 * kNsPerSecond},
    {"h", 3600 * kNsPerSecond},
    {"m", 60 * kNsPerSecond},
    {"s", kNsPerSecond},
    {"ms", 1'000'000},
    {"us", 1'000},
    {"ns", 1},
};

// The index in kUnits of the letters at the front of `text`, which are dropped there.
std::optional<std::size_t> take_unit(std::string_view& text) {
  std::size_t length = 0;
  while (length < text.size() && text[length] >= 'a' && text[length] <= 'z') ++length;
  for (std::size_t i = 0; i < std::size(kUnits); ++i) {
    if (kUnits[i].name != text.substr(0, length)) continue;
    text.remove_prefix(length);
    return i;
  }
  return std::nullopt;
}

struct Decimal {
  std::int64_t whole = 0;
  double fraction = 0;
};

std::optional<Decimal> take_decimal(std::string_view& text) {
  Decimal value;
  std::size_t i = 0;
  for (; i < text.size() && text[i] >= '0' && text[i] <= '9'; ++i) {
    if (__builtin_mul_overflow(value.whole, 10, &value.whole)) return std::nullopt;
    if (__builtin_add_overflow(value.whole, text[i] - '0', &value.whole)) return std::nullopt;
  }
  if (i == 0) return std::nullopt;
  if (i < text.size() && text[i] == '.') {
    const std::size_t first = ++i;
    for (double weight = 0.1; i < text.size() && text[i] >= '0' && text[i] <= '9'; ++i, weight /= 10) {
      value.fraction += (text[i] - '0') * weight;
    }
    if (i == first) return std::nullopt;
  }
  text.remove_prefix(i);
  return value;
}

}  // namespace

std::string rfc3339(Timestamp time) {
  const Civil c = civil(time);
  const std::string whole =
      fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", c.year, c.month, c.day, c.hour, c.minute, c.second);
  if (time.ns % kNsPerSecond == 0) return whole + "Z";
  return fmt::format("{}.{:03}Z", whole, c.millisecond);
}

std::string compact_utc(Timestamp time) {
  const Civil c = civil(time);
  return fmt::format("{:04}{:02}{:02}T{:02}{:02}{:02}Z", c.year, c.month, c.day, c.hour, c.minute, c.second);
}

std::optional<Timestamp> parse_time(std::string_view text) {
  Scanner in(text);
  const auto day = scan_day(in);
  if (!day) return std::nullopt;
  if (in.at_end()) return timestamp(*day * 86400, 0);
  if (!in.take_any("Tt ")) return std::nullopt;
  const auto clock = scan_clock(in);
  if (!clock) return std::nullopt;
  const auto offset = scan_offset(in);
  if (!offset || !in.at_end()) return std::nullopt;
  return timestamp(*day * 86400 + clock->seconds - *offset, clock->ns);
}

bool names_zone(std::string_view text) {
  constexpr std::size_t kDayBytes = 10;  // "2026-11-21", whose dashes are none of a zone
  return text.size() > kDayBytes && text.find_first_of("+-Zz", kDayBytes) != std::string_view::npos;
}

std::optional<std::int64_t> parse_duration_ns(std::string_view text) {
  if (text.empty()) return std::nullopt;
  std::int64_t total = 0;
  std::size_t next_unit = 0;
  while (!text.empty()) {
    const auto value = take_decimal(text);
    if (!value) return std::nullopt;
    const auto unit = take_unit(text);
    if (!unit || *unit < next_unit) return std::nullopt;
    next_unit = *unit + 1;
    std::int64_t part = 0;
    if (__builtin_mul_overflow(value->whole, kUnits[*unit].ns, &part)) return std::nullopt;
    const auto fraction = std::llround(value->fraction * static_cast<double>(kUnits[*unit].ns));
    if (__builtin_add_overflow(part, fraction, &part)) return std::nullopt;
    if (__builtin_add_overflow(total, part, &total)) return std::nullopt;
  }
  return total;
}

std::string duration_text(double seconds) {
  if (!(seconds >= 0)) return "0 s";
  if (seconds > 9e15) seconds = 9e15;  // beyond this a double no longer counts seconds
  if (seconds < 0.9995) return fmt::format("{:.0f} ms", seconds * 1000);
  if (seconds < 59.95) return fmt::format("{:.1f} s", seconds);
  const std::int64_t whole = std::llround(seconds);
  if (whole < 3600) return fmt::format("{} min {} s", whole / 60, whole % 60);
  if (whole < 86400) return fmt::format("{} h {} min", whole / 3600, whole / 60 % 60);
  return fmt::format("{} d {} h", whole / 86400, whole / 3600 % 24);
}

}  // namespace lifeboat
