// Metrics: values as the text that Prometheus scrapes.
// Source: Prometheus, "Exposition formats", text-based format 0.0.4.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lifeboat::web {

// Counts of observations in buckets with fixed upper bounds. Whoever shares one locks it.
class Histogram {
 public:
  // `bounds` ascend; a last bucket without a bound is there by itself.
  explicit Histogram(std::vector<double> bounds) : bounds_(std::move(bounds)), counts_(bounds_.size() + 1) {}

  void observe(double value);

  const std::vector<double>& bounds() const { return bounds_; }
  const std::vector<std::uint64_t>& counts() const { return counts_; }  // of each bucket alone
  std::uint64_t count() const { return count_; }
  double sum() const { return sum_; }

 private:
  std::vector<double> bounds_;
  std::vector<std::uint64_t> counts_;
  std::uint64_t count_ = 0;
  double sum_ = 0;
};

inline constexpr std::string_view kMetricsContentType = "text/plain; version=0.0.4; charset=utf-8";

// Written family by family: the samples that follow a family belong to it. Names are the caller's
// own and must fit [a-z_:][a-z0-9_:]*; help texts and label values may hold anything.
class MetricsText {
 public:
  enum class Kind { kCounter, kGauge };
  using Labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

  MetricsText& family(std::string_view name, Kind kind, std::string_view help);
  MetricsText& sample(double value, Labels labels = {});
  MetricsText& histogram(std::string_view name, std::string_view help, const Histogram& values);
  // A family of one sample.
  MetricsText& gauge(std::string_view name, std::string_view help, double value);
  MetricsText& counter(std::string_view name, std::string_view help, double value);

  const std::string& text() const { return text_; }

 private:
  void header(std::string_view name, std::string_view type, std::string_view help);
  void line(std::string_view name, Labels labels, double value);

  std::string text_;
  std::string name_;  // of the family that samples belong to
};

}  // namespace lifeboat::web
