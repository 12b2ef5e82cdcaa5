// SidecarWatch: polls what a watch does not deliver (leases, members, whether users changed), at a bounded rate.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <vector>

#include "format/etcd/sidecar.h"
#include "format/manifest/capture.h"
#include "io/world.h"
#include "source/etcd/client.h"

namespace lifeboat::operation {

// Usable from several threads; polls on one of its own. Failed calls are repeated by the next poll.
class SidecarWatch {
 public:
  // `known`: the rows as the repo has them, which held at `revision`. `client` and `clock` outlive this.
  SidecarWatch(source::Client& client, io::Clock& clock, const etcd::Sidecar& known, std::int64_t revision,
               std::chrono::seconds poll);
  ~SidecarWatch();
  SidecarWatch(const SidecarWatch&) = delete;
  SidecarWatch& operator=(const SidecarWatch&) = delete;

  // A key put at `revision` is attached to this lease: the TTL of a new one is asked for at once.
  void saw_lease(std::int64_t id, std::int64_t revision);
  // Waits until the TTLs of all leases seen so far were asked for; false after `limit`.
  bool wait_for_leases(std::chrono::milliseconds limit);
  // The changes found that held at `revision` or before; each is returned once, in order.
  std::vector<manifest::SidecarChange> take(std::int64_t revision);
  // A revision that the cluster had reached at least `ago` before now; 0: none is known.
  std::int64_t reached_before(std::chrono::milliseconds ago);
  // Users, roles or whether authentication is on changed since `known`: only a snapshot shows how.
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

  const std::shared_ptr<source::Client> own_client_;  // its calls end with this
  source::Client& client_;
  io::Clock& clock_;
  const std::chrono::seconds poll_interval_;
  std::mutex mutex_;
  std::condition_variable wake_, idle_;
  bool stop_ = false, auth_changed_ = false;
  std::deque<Asked> asked_;
  std::set<std::int64_t> leases_;  // ids that are known, or asked for
  std::map<std::uint64_t, etcd::Member> members_;
  std::optional<std::uint64_t> auth_revision_;
  struct Reached {
    std::chrono::nanoseconds at;  // monotonic
    std::int64_t revision = 0;
  };
  std::deque<Reached> reached_;  // of the last polls
  std::int64_t checked_at_ = 0;  // what is known still held at this revision
  std::vector<manifest::SidecarChange> changes_;
  Polls polls_;
  std::thread thread_;
};

}  // namespace lifeboat::operation
