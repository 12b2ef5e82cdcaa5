// SidecarWatch: what a watch hides (leases, members, whether users changed), asked for beside it at
// a bounded rate.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <vector>

#include "format/etcd/sidecar.h"
#include "format/manifest/capture.h"
#include "source/etcd/client.h"

namespace lifeboat::operation {

// Usable from several threads; asks from one of its own. Failed calls are left to the next poll.
class SidecarWatch {
 public:
  // `known`: the rows as the repo has them, which held at `revision`. `client` outlives this.
  SidecarWatch(source::Client& client, const etcd::Sidecar& known, std::int64_t revision, std::chrono::seconds poll);
  ~SidecarWatch();
  SidecarWatch(const SidecarWatch&) = delete;
  SidecarWatch& operator=(const SidecarWatch&) = delete;

  // A key put at `revision` names this lease: its TTL is asked for at once when it is a new one.
  void saw_lease(std::int64_t id, std::int64_t revision);
  // Waits until the leases seen so far were asked for; false when the time was over first.
  bool wait_for_leases(std::chrono::milliseconds limit);
  // The changes found that held at `revision` or before; each is given once, in order.
  std::vector<manifest::SidecarChange> take(std::int64_t revision);
  // A revision that the cluster had reached when it was asked at least `ago` before; 0: not asked
  // yet.
  std::int64_t reached_before(std::chrono::milliseconds ago);
  // Users, roles or the switch changed since `known`: only a snapshot shows how.
  bool auth_changed();
  struct Polls {
    unsigned done = 0;
    unsigned failed_in_a_row = 0;
    std::optional<Error> failure;  // of the latest one
  };
  Polls polls();

 private:
  struct Asked {
    std::int64_t id = 0, revision = 0;
  };
  void run();
  void ask_for(const Asked& lease);
  Status poll();
  Status poll_leases(std::int64_t before);
  Status poll_members(std::int64_t now);
  Status poll_auth();
  void note_poll(const Status& polled);
  void note_reached(std::int64_t revision);
  void found(manifest::SidecarChange change);
  bool stopping();

  source::Client& client_;
  const std::chrono::seconds poll_interval_;
  std::mutex mutex_;
  std::condition_variable wake_, idle_;
  bool stop_ = false, auth_changed_ = false;
  std::deque<Asked> asked_;
  std::set<std::int64_t> leases_;  // ids that are known, or asked for
  std::map<std::uint64_t, etcd::Member> members_;
  std::optional<std::uint64_t> auth_revision_;
  struct Reached {
    std::chrono::steady_clock::time_point at;
    std::int64_t revision = 0;
  };
  std::deque<Reached> reached_;  // of the last polls
  std::int64_t checked_at_ = 0;  // what is known still held at this revision
  std::vector<manifest::SidecarChange> changes_;
  Polls polls_;
  std::thread thread_;
};

}  // namespace lifeboat::operation
