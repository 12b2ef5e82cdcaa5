// A progress that keeps what it is told, and cancels when asked to.
#pragma once

#include <atomic>
#include <string>
#include <string_view>
#include <vector>

#include "base/progress.h"

namespace lifeboat::testing {

struct RecordingProgress final : Progress {
  std::vector<std::string> sentences;
  std::atomic<bool> stop = false;

  void stage(std::string_view, std::uint64_t) override {}
  void advance(std::uint64_t) override {}
  void note(std::string_view sentence) override { sentences.emplace_back(sentence); }
  bool cancelled() const override { return stop; }
};

}  // namespace lifeboat::testing
