// Pacer: how long the reader of a stream may pause so that messages come together and the sender never has to wait.
#pragma once

#include <chrono>
#include <cstdint>

namespace lifeboat::source {

class Pacer {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // Pauses are of `longest` while little comes; zero: there are none.
  explicit Pacer(std::chrono::nanoseconds longest) : longest_(longest), pause_(longest) {}

  bool pauses() const { return longest_.count() > 0; }
  void heard(std::uint64_t bytes) { heard_ += bytes; }
  // So long that what comes meanwhile, at the pace of late, fits the receive window that a connection begins with:
  // while nobody reads it does not grow, and when it is full the sender stands still. Zero when that is not worth a
  // pause.
  std::chrono::nanoseconds pause(Time now);

 private:
  const std::chrono::nanoseconds longest_;
  std::chrono::nanoseconds pause_;
  Time since_;
  std::uint64_t heard_ = 0;  // bytes, since then
};

}  // namespace lifeboat::source
