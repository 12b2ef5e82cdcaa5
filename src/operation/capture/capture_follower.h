// CaptureFollower: adds what a watch delivers to the log, and ends the watch when it cannot continue.
#pragma once

#include <functional>
#include <span>
#include <string>

#include "operation/capture/capture_log.h"
#include "operation/capture/capture_sidecar.h"
#include "source/etcd/watch.h"

namespace lifeboat::operation {

class CaptureFollower final : public source::RevisionSink {
 public:
  // Why this ended the watch.
  enum class Stop { kNone, kStoreFull, kRuleBroken, kCompacted, kAuthChanged, kLagging };

  // Borrows all of them. `endpoint` is the member that is watched.
  CaptureFollower(CaptureLog& log, SidecarWatch& sidecar, io::World& world, source::Client& client,
                  std::string endpoint)
      : log_(log),
        sidecar_(sidecar),
        world_(world),
        client_(client),
        endpoint_(std::move(endpoint)),
        began_(world.clock.now()) {}

  Stop why() const { return why_; }
  bool followed() const { return followed_; }  // the watch delivered revisions, or reported that there are none
  void set_auth_base_allowed(bool allowed) { auth_base_allowed_ = allowed; }
  // Called when etcd has created the watch.
  std::function<void(const source::WatchOrigin&)> on_opened;
  // Called several times a second while the watch is open.
  std::function<void()> on_idle;

  Status opened(const source::WatchOrigin& origin) override;
  Status revisions(std::span<const etcd::Record> records) override;
  Status caught_up(std::int64_t revision) override;
  Status caught_up_since(std::int64_t revision, std::chrono::nanoseconds asked_ago) override;
  Status idle() override;

 private:
  std::unexpected<Error> stop(Stop why, const Error& error);
  Status check_lag();
  Status check_start();

  CaptureLog& log_;
  SidecarWatch& sidecar_;
  io::World& world_;
  source::Client& client_;
  const std::string endpoint_;
  const Timestamp began_;
  source::WatchOrigin origin_;
  std::int64_t first_ = 0;     // the last revision before what the watch delivers
  std::int64_t lag_seen_ = 0;  // the member was asked whether it has this revision
  bool checked_ = false, followed_ = false, auth_base_allowed_ = true;
  Stop why_ = Stop::kNone;
};

}  // namespace lifeboat::operation
