#include "web/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace lifeboat::web {
namespace {

std::string escaped(std::string_view text, bool quotes) {
  std::string out;
  for (const char c : text) {
    if (c == '\\') {
      out += "\\\\";
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '"' && quotes) {
      out += "\\\"";
    } else {
      out += c;
    }
  }
  return out;
}

std::string number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  return fmt::format("{}", value);
}

}  // namespace

void Histogram::observe(double value) {
  const auto bucket = std::ranges::lower_bound(bounds_, value) - bounds_.begin();
  ++counts_[static_cast<std::size_t>(bucket)];
  ++count_;
  sum_ += value;
}

void MetricsText::header(std::string_view name, std::string_view type, std::string_view help) {
  name_ = name;
  text_ += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, escaped(help, false), name, type);
}

void MetricsText::line(std::string_view name, Labels labels, double value) {
  text_ += name;
  std::string_view before = "{";
  for (const auto& [label, content] : labels) {
    text_ += fmt::format("{}{}=\"{}\"", before, label, escaped(content, true));
    before = ",";
  }
  text_ += labels.size() == 0 ? " " : "} ";
  text_ += number(value) + "\n";
}

MetricsText& MetricsText::family(std::string_view name, Kind kind, std::string_view help) {
  header(name, kind == Kind::kCounter ? "counter" : "gauge", help);
  return *this;
}

MetricsText& MetricsText::sample(double value, Labels labels) {
  line(name_, labels, value);
  return *this;
}

MetricsText& MetricsText::histogram(std::string_view name, std::string_view help, const Histogram& values) {
  header(name, "histogram", help);
  std::uint64_t so_far = 0;
  for (std::size_t i = 0; i < values.counts().size(); ++i) {
    so_far += values.counts()[i];
    const std::string bound = i < values.bounds().size() ? number(values.bounds()[i]) : std::string("+Inf");
    line(name_ + "_bucket", {{"le", bound}}, static_cast<double>(so_far));
  }
  line(name_ + "_sum", {}, values.sum());
  line(name_ + "_count", {}, static_cast<double>(values.count()));
  return *this;
}

MetricsText& MetricsText::gauge(std::string_view name, std::string_view help, double value) {
  return family(name, Kind::kGauge, help).sample(value);
}

MetricsText& MetricsText::counter(std::string_view name, std::string_view help, double value) {
  return family(name, Kind::kCounter, help).sample(value);
}

}  // namespace lifeboat::web
