// A sink and a progress that remember what they were told.
#pragma once

#include <atomic>
#include <string>
#include <vector>

#include "base/progress.h"
#include "source/etcd/client.h"

namespace lifeboat::testing {

struct RecordingSink final : source::SnapshotSink {
  std::vector<std::string> attempts;  // the endpoint of each begin()
  std::uint64_t announced_bytes = 0;
  std::string bytes;
  std::optional<Error> refusal;  // what write() returns

  Status begin(std::uint64_t file_bytes, const std::string& endpoint) override {
    attempts.push_back(endpoint);
    announced_bytes = file_bytes;
    bytes.clear();
    return {};
  }
  Status write(ByteView piece) override {
    if (refusal) return std::unexpected(*refusal);
    bytes += as_text(piece);
    return {};
  }
};

struct RecordingProgress final : Progress {
  std::string notes;
  std::atomic<bool> stop = false;

  void stage(std::string_view, std::uint64_t) override {}
  void advance(std::uint64_t) override {}
  void note(std::string_view sentence) override { notes.append(sentence).append("\n"); }
  bool cancelled() const override { return stop; }
};

}  // namespace lifeboat::testing
