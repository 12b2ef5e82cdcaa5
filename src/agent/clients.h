// Clients: the etcd client in use, and its replacement when certificates or settings change.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>

#include "source/etcd/client.h"

namespace lifeboat::agent {

using Connect = std::function<Result<std::unique_ptr<source::Client>>()>;

// connect() is called by one thread; the rest from any. Whoever got a client keeps it alive.
class Clients {
 public:
  explicit Clients(Connect connect) : connect_(std::move(connect)) {}

  // A new client from what the settings and the disk say now; the old one stays when that fails.
  Status connect();
  std::shared_ptr<source::Client> current() const;
  // Rises with each replacement: whoever works with an older client should begin anew.
  unsigned generation() const { return generation_.load(std::memory_order_relaxed); }

 private:
  Connect connect_;
  mutable std::mutex mutex_;
  std::shared_ptr<source::Client> client_;
  std::atomic<unsigned> generation_{0};
};

}  // namespace lifeboat::agent
