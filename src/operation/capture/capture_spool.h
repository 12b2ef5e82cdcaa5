// CaptureSpool: a watch that runs while a base is streamed, so that no compaction slips between the
// two.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "source/etcd/watch.h"

namespace lifeboat::operation {

// Keeps whole revisions from `from` on, in memory, up to `most_bytes`; then it stops keeping (what
// it has stays whole and joined). Runs on a thread of its own until end().
class CaptureSpool {
 public:
  CaptureSpool(source::Client& client, source::WatchRequest request, std::uint64_t most_bytes);
  ~CaptureSpool();
  CaptureSpool(const CaptureSpool&) = delete;
  CaptureSpool& operator=(const CaptureSpool&) = delete;

  // Waits until the watch stands; false when it does not in time.
  bool wait_opened(const std::function<bool()>& cancelled);
  void end();
  // After end(): what came, whole revisions in order.
  std::span<const etcd::Record> records() const { return records_; }

 private:
  class Sink;
  std::atomic<bool> opened_ = false, stop_ = false, ended_ = false;
  std::vector<etcd::Record> records_;  // their values lie in chunks_
  std::deque<Bytes> chunks_;
  std::thread thread_;
};

}  // namespace lifeboat::operation
