// TamperingProxy: stands between a client and one etcd member, and edits what watches deliver.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "etcd_api.pb.h"

namespace lifeboat::testing {

// Given one answer of a watch, what the client gets instead: the same one, none, or several.
using WatchEdit = std::function<std::vector<etcdserverpb::WatchResponse>(etcdserverpb::WatchResponse)>;

// Every other call passes as it is. Plain connections; tokens are passed on.
class TamperingProxy {
 public:
  // Of "http://127.0.0.1:20001". `edit` is called by one thread at a time. Throws std::runtime_error when it cannot
  // listen.
  TamperingProxy(const std::string& target, WatchEdit edit);
  ~TamperingProxy();
  TamperingProxy(const TamperingProxy&) = delete;
  TamperingProxy& operator=(const TamperingProxy&) = delete;

  std::string url() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace lifeboat::testing
