// A sink that remembers what it was told.
#pragma once

#include <string>
#include <vector>

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

}  // namespace lifeboat::testing
