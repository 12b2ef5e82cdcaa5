// CaptureSpool: a watch that runs while a base is streamed, so that no compaction slips between the two.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "io/world.h"
#include "source/etcd/watch.h"

namespace lifeboat::operation {

// Keeps whole revisions from `request.from` on, in memory, up to `most_bytes`; then the watch ends, and what was kept
// stays whole and contiguous. Runs on a thread of its own until end().
class CaptureSpool {
 public:
  // `client` and `clock` outlive this.
  CaptureSpool(source::Client& client, io::Clock& clock, source::WatchRequest request, std::uint64_t most_bytes);
  ~CaptureSpool();
  CaptureSpool(const CaptureSpool&) = delete;
  CaptureSpool& operator=(const CaptureSpool&) = delete;

  // Waits until etcd has created the watch; false when it has not within 5 s.
  bool wait_opened(const std::function<bool()>& cancelled);
  void end();
  // After end(): what was received, whole revisions in order.
  std::span<const etcd::Record> records() const { return records_; }

 private:
  class Sink;
  io::Clock& clock_;
  std::atomic<bool> opened_ = false, stop_ = false, ended_ = false;
  std::vector<etcd::Record> records_;  // their values lie in chunks_
  std::deque<Bytes> chunks_;
  std::thread thread_;
};

}  // namespace lifeboat::operation
