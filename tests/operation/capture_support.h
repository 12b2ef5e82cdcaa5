// What the tests of capture share: a repo in memory under real clocks, capture on a thread, and etcd's own answers.
#pragma once

#include <gmock/gmock.h>

#include <map>
#include <mutex>
#include <thread>

#include "io/fault_file_system.h"
#include "io/memory_file_system.h"
#include "operation/capture/capture.h"
#include "repository/catalogue/catalogue.h"
#include "repository/log/log_reader.h"
#include "repository/store/captured.h"
#include "repository/support.h"
#include "storage/local_store.h"
#include "support/clock.h"
#include "support/etcd.h"
#include "support/oracle.h"

namespace lifeboat::operation::capture_testing {

using lifeboat::testing::current_revision;
using lifeboat::testing::EtcdCluster;
using lifeboat::testing::wait_until;
using Kind = CaptureEvent::Kind;

inline constexpr const char* kRoot = "/repo";
inline constexpr std::byte kFirstKey[] = {std::byte{0}};

inline source::ClientOptions options_of(EtcdCluster& cluster) {
  source::ClientOptions options;
  for (std::size_t i = 0; i < cluster.size(); ++i) options.endpoints.push_back(cluster.member(i).client_url());
  if (!cluster.password().empty()) {
    options.user = "root";
    options.password = crypto::Secret(as_bytes(cluster.password()));
  }
  options.dial_timeout = std::chrono::seconds(2);
  options.call_timeout = std::chrono::seconds(10);
  return options;
}

// The system's clock and what a test adds to it; durations are as they are.
class JumpingClock final : public io::Clock {
 public:
  Timestamp now() override { return {system_->now().ns + offset_ns_}; }
  std::chrono::nanoseconds monotonic() override { return system_->monotonic(); }
  void sleep(std::chrono::nanoseconds time) override { system_->sleep(time); }
  void jump(std::chrono::nanoseconds by) { offset_ns_ += by.count(); }

 private:
  std::unique_ptr<io::Clock> system_ = io::system_clock();
  std::atomic<std::int64_t> offset_ns_ = 0;
};

// A repo over files in memory whose disk fails when `faults` is told so; clocks and random are the system's.
struct CaptureRepo {
  explicit CaptureRepo(std::unique_ptr<io::Clock> its_clock = io::system_clock()) : clock(std::move(its_clock)) {
    EXPECT_TRUE(storage::create_local_root(faults, kRoot).has_value());
    store = storage::local_store(faults, kRoot);
    using namespace repository::testing;
    EXPECT_TRUE(
        repository::Repository::init(*store, world, credentials_of(key_file(kKeyFileText)), kCheapCost).has_value());
    repo = repository::Repository::open(*store, key_file(kKeyFileText)).value();
  }
  repository::Catalogue catalogue() { return repository::Catalogue::load(*repo).value(); }
  // The store is away, as a disk that is not mounted; and back.
  void unmount() { EXPECT_TRUE(files.rename_new(kRoot, "/elsewhere").has_value()); }
  void mount() { EXPECT_TRUE(files.rename_new("/elsewhere", kRoot).has_value()); }

  io::MemoryFileSystem files;
  io::FaultFileSystem faults{files};
  std::unique_ptr<io::Clock> clock;
  std::unique_ptr<io::Random> random = io::system_random();
  std::unique_ptr<io::Process> processes = io::system_process();
  io::World world{faults, *clock, *random, *processes};
  std::unique_ptr<storage::ObjectStore> store;
  std::unique_ptr<repository::Repository> repo;
  NoProgress progress;
};

inline CaptureOptions capture_options() {
  CaptureOptions options;
  options.backup.limits.spool_directory = "/";
  options.backup.limits.threads = 1;
  options.backup.prove = false;
  options.backup.cluster = "test";
  options.flush = std::chrono::milliseconds(200);
  options.sidecar_poll = std::chrono::seconds(1);
  options.retry = std::chrono::milliseconds(200);
  return options;
}

// capture() on a thread of its own until it is stopped.
class CaptureRun {
 public:
  CaptureRun(CaptureRepo& repo, EtcdCluster& cluster, CaptureOptions options = capture_options())
      : CaptureRun(repo, options_of(cluster), std::move(options)) {}
  CaptureRun(CaptureRepo& repo, source::ClientOptions reach, CaptureOptions options = capture_options())
      : client_(source::Client::make(std::move(reach), lifeboat::testing::real_clock()).value()),
        options_(std::move(options)) {
    thread_ = std::thread([this, &repo] {
      const CaptureListener listener = [this](const CaptureEvent& event) { note(event); };
      const std::function<bool()> cancelled = [this] { return stop_.load(); };
      outcome = capture(*repo.repo, repo.world, *client_, options_, listener, cancelled, repo.progress);
    });
  }
  ~CaptureRun() { stop(); }

  void stop() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
  }
  void join() {
    if (thread_.joinable()) thread_.join();
  }
  std::vector<CaptureEvent> events(Kind kind) const {
    const std::lock_guard lock(mutex_);
    std::vector<CaptureEvent> out;
    for (const auto& event : events_)
      if (event.kind == kind) out.push_back(event);
    return out;
  }
  bool wait_for(Kind kind, std::size_t count = 1, double timeout_s = 60) const {
    return wait_until([&] { return events(kind).size() >= count; }, timeout_s);
  }
  bool wait_durable(std::int64_t revision, double timeout_s = 60) const {
    return wait_until([&] { return durable_ >= revision; }, timeout_s);
  }
  std::int64_t durable() const { return durable_; }
  std::string story() const {
    const std::lock_guard lock(mutex_);
    std::string out;
    for (const auto& event : events_)
      out += std::to_string(static_cast<int>(event.kind)) + " r" + std::to_string(event.revision) + " " + event.text +
             "\n";
    return out;
  }

  Status outcome;

 private:
  void note(const CaptureEvent& event) {
    {
      const std::lock_guard lock(mutex_);
      events_.push_back(event);
    }
    durable_ = event.revision;
  }

  std::unique_ptr<source::Client> client_;
  const CaptureOptions options_;
  mutable std::mutex mutex_;
  std::vector<CaptureEvent> events_;
  std::atomic<std::int64_t> durable_ = 0;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

using State = std::map<std::string, std::string>;  // live keys and their values

// etcd's own answers, at revisions before they are compacted.
class Recorded {
 public:
  explicit Recorded(EtcdCluster& cluster)
      : client_(source::Client::make(options_of(cluster), lifeboat::testing::real_clock()).value()) {}

  void record(std::int64_t revision) {
    const auto answer = client_->range(kFirstKey, kFirstKey, revision, 0, false);
    ASSERT_TRUE(answer.has_value()) << revision << ": " << answer.error().to_string();
    State& state = states[revision];
    for (std::size_t i = 0; i < answer->keys.size(); ++i)
      state[to_string(answer->keys[i])] = to_string(answer->values[i]);
  }
  source::Client& client() { return *client_; }

  std::map<std::int64_t, State> states;

 private:
  std::unique_ptr<source::Client> client_;
};

inline Result<State> read_state(const repository::Repository& repo, io::World& world,
                                const repository::Catalogue::Target& target, const std::string& spool = "/") {
  NoProgress progress;
  auto log = TRY(repository::LogReader::open(
      repo, world, target.point->manifest,
      {.revision = target.revision, .limits = {.threads = 1, .spool_directory = spool}, .check = true}, progress));
  State state;
  repository::SeenRecord seen;
  while (TRY(log->next(seen))) {
    const auto kv = etcd::parse_key_value(seen.record.value);
    if (kv->key.empty()) continue;  // the placeholder with which a restore raises the revision
    if (seen.visible && !seen.record.key.tombstone) state[to_string(kv->key)] = to_string(kv->value);
  }
  if (!log->findings().empty()) return fail(ErrorCode::kLogRuleBroken, log->findings().front());
  return state;
}

inline Result<State> read_state(CaptureRepo& r, const repository::Catalogue& catalogue, std::int64_t revision) {
  const auto target = TRY(catalogue.resolve("rev:" + std::to_string(revision), "", r.clock->now()));
  return read_state(*r.repo, r.world, target);
}

inline void expect_states(CaptureRepo& r, const Recorded& recorded) {
  const auto catalogue = r.catalogue();
  for (const auto& [revision, expected] : recorded.states) {
    const auto state = read_state(r, catalogue, revision);
    ASSERT_TRUE(state.has_value()) << "revision " << revision << ": " << state.error().to_string();
    EXPECT_TRUE(*state == expected) << "revision " << revision << ": " << state->size() << " keys, not "
                                    << expected.size();
  }
}

// HashKV from the log and from the cluster at its current revision, which was captured.
inline void expect_same_hash(CaptureRepo& r, Recorded& recorded) {
  auto& client = recorded.client();
  const std::int64_t now = client.range(kFirstKey, {}, 0, 1, true).value().revision;
  const auto live = client.hash_kv(client.endpoints().front(), now);
  ASSERT_TRUE(live.has_value()) << live.error().to_string();
  const auto catalogue = r.catalogue();
  const auto target = catalogue.resolve("rev:" + std::to_string(now), "", r.clock->now());
  ASSERT_TRUE(target.has_value()) << target.error().to_string();
  const auto hash = repository::hash_log(*r.repo, r.world, target->point->manifest, live->compact_revision, now,
                                         {.revision = now, .limits = {.spool_directory = "/"}}, r.progress);
  ASSERT_TRUE(hash.has_value()) << hash.error().to_string();
  EXPECT_EQ(hash->hash, live->hash) << "at revision " << now;
}

// The one member begins again from an older snapshot, as etcdutl restores it, under the ids that it had.
inline void restore_member(EtcdCluster& cluster, const std::string& snapshot, std::vector<std::string> more = {}) {
  auto& member = cluster.member();
  member.stop();
  std::filesystem::remove_all(member.data_dir());
  std::vector<std::string> arguments{"snapshot",
                                     "restore",
                                     snapshot,
                                     "--name",
                                     member.name(),
                                     "--data-dir",
                                     member.data_dir(),
                                     "--initial-cluster",
                                     cluster.initial_cluster(),
                                     "--initial-advertise-peer-urls",
                                     member.peer_url(),
                                     "--initial-cluster-token",
                                     cluster.config().token};
  arguments.insert(arguments.end(), more.begin(), more.end());
  const auto restored = lifeboat::testing::etcdutl("3.6", arguments);
  ASSERT_TRUE(restored.ok()) << restored.err;
  member.start();
}

}  // namespace lifeboat::operation::capture_testing
