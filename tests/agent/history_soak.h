// The agent while it ends its history all the time: random writes, readers of every kind, kills, and etcd's own
// answers.
#pragma once

#include <algorithm>
#include <map>
#include <mutex>
#include <set>

#include "e2e/agent.h"
#include "operation/random_history.h"
#include "repository/catalogue/fresh_plan.h"

namespace lifeboat::e2e {

using operation::capture_testing::RandomHistory;
using operation::capture_testing::Recorded;
using operation::capture_testing::State;
using SteadyTime = std::chrono::steady_clock::time_point;

using Digests = std::map<std::string, std::size_t>;  // of live keys' values

inline Digests digests_of(const State& state) {
  Digests out;
  for (const auto& [key, value] : state) out[key] = std::hash<std::string>()(value);
  return out;
}

// What etcd said of a revision while it still had it.
struct EtcdAnswer {
  Digests state;
  SteadyTime reached;   // not before
  bool wanted = false;  // a point was made of it, which stays for ever
  std::int64_t compaction = -1;
  std::uint32_t hash = 0;  // HashKV at (compaction, revision), where compaction is not -1
};

inline std::string first_line(const std::string& file) {
  std::string line;
  std::getline(std::istringstream(read_file(file)), line);
  return line;
}

// A repo on disk, read by this process.
class DiskRepo {
 public:
  explicit DiskRepo(const Repo& repo)
      : spool_(repo.spool()),
        store_(storage::local_store(*files_, repo.path())),
        repo_(
            repository::Repository::open(*store_, repository::testing::key_file(first_line(repo.key_file()))).value()) {
  }

  Result<repository::Catalogue> load() const { return repository::Catalogue::load(*repo_); }
  Result<Digests> state(std::int64_t revision) {
    return repository::with_fresh_plan([&]() -> Result<Digests> {
      const auto catalogue = TRY(load());
      const auto target = TRY(catalogue.resolve("rev:" + std::to_string(revision), "", {}));
      return digests_of(TRY(operation::capture_testing::read_state(*repo_, world_, target, spool_)));
    });
  }
  // HashKV from the log; nullopt where it does not reach back so far any more.
  Result<std::optional<std::uint32_t>> hash(std::int64_t compaction, std::int64_t revision) {
    return repository::with_fresh_plan([&]() -> Result<std::optional<std::uint32_t>> {
      const auto catalogue = TRY(load());
      const auto target = TRY(catalogue.resolve("rev:" + std::to_string(revision), "", {}));
      const auto& segments = target.point->manifest.segments;
      if (!repository::covers_all(repository::coverage_of(segments),
                                  {{std::max<std::int64_t>(compaction, 1), revision}}))
        return std::nullopt;
      NoProgress progress;
      return TRY(repository::hash_log(*repo_, world_, target.point->manifest, compaction, revision,
                                      {.revision = revision, .limits = {.threads = 1, .spool_directory = spool_}},
                                      progress))
          .hash;
    });
  }

 private:
  const std::string spool_;
  std::unique_ptr<io::FileSystem> files_ = io::posix_file_system();
  std::unique_ptr<io::Clock> clock_ = io::system_clock();
  std::unique_ptr<io::Random> random_ = io::system_random();
  std::unique_ptr<io::Process> processes_ = io::system_process();
  io::World world_{*files_, *clock_, *random_, *processes_};
  std::unique_ptr<storage::ObjectStore> store_;
  std::unique_ptr<repository::Repository> repo_;
};

struct HistorySoakOptions {
  double seconds = 300;
  int keep_seconds = 30;  // of every revision
  int wanted_points = 6;  // made in the first half
  int readers = 2;
  double kill_every = 25;  // seconds, about
  bool plateau = true;     // long enough to tell growth from noise
  unsigned seed = 1;
};

class HistorySoak {
 public:
  explicit HistorySoak(HistorySoakOptions options) : options_(options), random_(options.seed) {}

  void run() {
    SCOPED_TRACE("seed " + std::to_string(options_.seed));
    cluster_.start();
    began_ = std::chrono::steady_clock::now();
    start_agent();
    ASSERT_TRUE(agent_->wait_ready()) << agent_->log();
    std::vector<std::thread> threads;
    threads.emplace_back([this] { guarded([this] { write_all(); }); });
    for (int i = 0; i < options_.readers; ++i)
      threads.emplace_back([this, i] { guarded([this, i] { read_all(100 + i); }); });
    threads.emplace_back([this] { guarded([this] { ask_all(); }); });
    live();
    stop_ = true;
    for (std::thread& thread : threads) thread.join();
    finish();
  }

 private:
  struct Sample {
    double seconds = 0;
    std::size_t objects = 0;
    std::uint64_t bytes = 0;
  };
  struct Chosen {
    std::int64_t revision = 0;
    EtcdAnswer answer;
  };

  double elapsed() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count(); }

  // What a helper throws in a thread is a failure of the test.
  template <typename Work>
  void guarded(Work work) {
    try {
      work();
    } catch (const std::exception& error) {
      ADD_FAILURE() << error.what();
    }
  }

  // ---- the agent, in the test's own thread

  void start_agent() {
    const std::string keep = std::to_string(options_.keep_seconds) + "s";
    agent_ = std::make_unique<Agent>(
        repo_, cluster_,
        Words{"--capture-flush", "200ms", "--etcd-history", keep, "--merge-interval", "1s", "--merge-grace", "2s",
              "--audit-interval", "3s", "--audit-snapshot-interval", "11s"});
  }

  void live() {
    double next_kill = some_seconds(), next_line = 0;
    while (elapsed() < options_.seconds) {
      sleep_ms(500);
      durable_ = std::max<std::int64_t>(durable_, agent_->durable());
      samples_.push_back(measure());
      peak_mib_ = std::max(peak_mib_, status_mib("VmHWM:"));
      if (elapsed() >= next_line) {
        next_line = elapsed() + options_.seconds / 20;
        print(samples_.back());
      }
      if (elapsed() < next_kill || elapsed() > options_.seconds - 5) continue;
      note_cpu();
      EXPECT_EQ(agent_->process().kill(), 128 + SIGKILL) << agent_->log();
      ++kills_;
      logs_ += agent_->log();
      sleep_ms(std::uniform_int_distribution(0, 1500)(random_));
      start_agent();
      next_kill = elapsed() + some_seconds();
    }
  }

  double some_seconds() {
    return std::uniform_real_distribution(0.5 * options_.kill_every, 1.5 * options_.kill_every)(random_);
  }

  Sample measure() const {
    Sample sample{.seconds = elapsed()};
    std::error_code gone;
    for (auto at = fs::recursive_directory_iterator(repo_.path(), gone); !gone && at != fs::end(at);
         at.increment(gone)) {
      std::error_code vanished;
      const bool is_file = at->is_regular_file(vanished) && !is_attestation(at->path());
      const auto bytes = is_file ? at->file_size(vanished) : 0;
      if (!is_file || vanished) continue;
      ++sample.objects;
      sample.bytes += bytes;
    }
    return sample;
  }

  // They stay for a day whatever happens.
  bool is_attestation(const fs::path& file) const {
    return file.string().starts_with((fs::path(repo_.path()) / "v").string());
  }

  double status_mib(const std::string& name) {
    std::ifstream status("/proc/" + std::to_string(agent_->process().pid()) + "/status");
    for (std::string line; std::getline(status, line);)
      if (line.starts_with(name)) return std::stod(line.substr(name.size())) / 1024;
    return 0;
  }

  // Of the agent that runs now: processor time of the thread that merges and ends history, and of all.
  void note_cpu() {
    all_cpu_ += std::max(0.0, agent_->metric("process_cpu_seconds_total"));
    std::error_code gone;
    for (const auto& task :
         fs::directory_iterator("/proc/" + std::to_string(agent_->process().pid()) + "/task", gone)) {
      std::string name, text;
      std::getline(std::ifstream(task.path() / "comm"), name);
      std::getline(std::ifstream(task.path() / "stat"), text);
      std::istringstream fields(text.substr(text.rfind(')') + 1));
      std::vector<std::string> words{std::istream_iterator<std::string>(fields), {}};
      if (words.size() < 13) continue;
      const double used = (std::stod(words[11]) + std::stod(words[12])) / static_cast<double>(sysconf(_SC_CLK_TCK));
      if (name == "merge") merge_cpu_ += used;
    }
  }

  void print(const Sample& sample) const {
    std::printf(
        "history %5.0f s: %4zu objects, %7.2f MiB, %lld durable, %d read, %d refused, %d kills, peak %.0f MiB\n",
        sample.seconds, sample.objects, static_cast<double>(sample.bytes) / (1 << 20),
        static_cast<long long>(durable_.load()), read_.load(), refused_.load(), kills_, peak_mib_);
    std::fflush(stdout);
  }

  // ---- etcd, in a thread

  void write_all() {
    Recorded recorded(cluster_);
    RandomHistory history(cluster_, recorded, options_.seed, [this] { return durable_.load(); });
    int points = 0;
    std::vector<std::pair<std::string, std::int64_t>> files;  // snapshots that are imported when they are old
    for (int round = 0; !stop_; ++round) {
      const SteadyTime before = std::chrono::steady_clock::now();
      history.write_round(round);
      take(recorded, before, history);
      const bool early = elapsed() < options_.seconds / 2;
      if (early && points < options_.wanted_points && round % 7 == 3) {
        make_point(recorded, ++points % 2 == 0);
        if (points % 3 == 1) files.push_back(save(recorded, points));
      }
      if (files.empty() || elapsed() < options_.seconds / 2 + options_.keep_seconds) continue;
      import(files.back());
      files.pop_back();
    }
  }

  void take(Recorded& recorded, SteadyTime before, RandomHistory& history) {
    auto& client = recorded.client();
    const auto hash = client.hash_kv(client.endpoints().front(), history.done());
    const std::lock_guard lock(mutex_);
    for (const auto& [revision, state] : recorded.states) {
      EtcdAnswer& answer = answers_[revision];
      answer.state = digests_of(state);
      answer.reached = before;
      if (!hash || revision != history.done()) continue;
      answer.compaction = hash->compact_revision;
      answer.hash = hash->hash;
    }
    recorded.states.clear();
  }

  void make_point(Recorded& recorded, bool full) {
    const Json made = repo_.backup(cluster_, full ? Words{"--full"} : Words{});
    want(recorded, made.at("revision").get<std::int64_t>());
  }

  void want(Recorded& recorded, std::int64_t revision) {
    const SteadyTime now = std::chrono::steady_clock::now();
    recorded.record(revision);
    const std::lock_guard lock(mutex_);
    EtcdAnswer& answer = answers_[revision];
    answer.state = digests_of(recorded.states.at(revision));
    answer.reached = now;
    answer.wanted = true;
    recorded.states.clear();
  }

  std::pair<std::string, std::int64_t> save(Recorded& recorded, int number) {
    const std::string file = repo_.scratch("snapshot" + std::to_string(number) + ".db");
    cluster_.etcdctl_ok({"snapshot", "save", file});
    const std::int64_t revision = current_revision(cluster_);
    recorded.record(revision);
    const std::lock_guard lock(mutex_);
    answers_[revision].state = digests_of(recorded.states.at(revision));
    recorded.states.clear();
    return {file, revision};
  }

  // Below the end of the history, perhaps while it is removed.
  void import(const std::pair<std::string, std::int64_t>& file) {
    const Json made = repo_.json({"import", file.first, "--cluster", "prod"});
    const auto revision = made.at("revision").get<std::int64_t>();
    EXPECT_LE(revision, file.second);
    const std::lock_guard lock(mutex_);
    ++imports_;
    const auto found = answers_.find(revision);  // a lease may have expired between the file and the question
    if (found != answers_.end()) found->second.wanted = true;
  }

  // ---- readers

  // One that is durable; young ones more often than old ones.
  std::optional<Chosen> choose(std::mt19937& random) {
    const std::lock_guard lock(mutex_);
    const auto past = answers_.upper_bound(durable_);
    const auto count = std::distance(answers_.begin(), past);
    if (count == 0) return std::nullopt;
    const bool young = std::uniform_int_distribution(0, 9)(random) < 6;
    std::vector<std::map<std::int64_t, EtcdAnswer>::const_iterator> fit;
    for (auto at = answers_.cbegin(); at != past; ++at)
      if (must_hold(at->second) == young) fit.push_back(at);
    if (fit.empty()) return std::nullopt;
    const auto chosen = fit[std::uniform_int_distribution<std::size_t>(0, fit.size() - 1)(random)];
    return Chosen{chosen->first, chosen->second};
  }

  bool must_hold(const EtcdAnswer& answer) const {
    return answer.wanted ||
           std::chrono::steady_clock::now() < answer.reached + std::chrono::seconds(options_.keep_seconds);
  }

  void read_all(unsigned seed) {
    DiskRepo disk(repo_);
    std::mt19937 random(seed);
    while (!stop_) {
      const auto chosen = choose(random);
      if (chosen) read_one(disk, *chosen);
      sleep_ms(20);
    }
  }

  void read_one(DiskRepo& disk, const Chosen& chosen) {
    const auto state = disk.state(chosen.revision);
    if (!state) {
      EXPECT_FALSE(must_hold(chosen.answer)) << "revision " << chosen.revision << ": " << state.error().to_string();
      EXPECT_EQ(state.error().code(), ErrorCode::kRevisionInGap) << state.error().to_string();
      ++refused_;
      return;
    }
    ++read_;
    EXPECT_TRUE(*state == chosen.answer.state)
        << "revision " << chosen.revision << " has " << state->size() << " keys, not " << chosen.answer.state.size();
    if (chosen.answer.compaction < 0) return;
    const auto hash = disk.hash(chosen.answer.compaction, chosen.revision);
    if (!hash) {
      EXPECT_FALSE(must_hold(chosen.answer)) << "revision " << chosen.revision << ": " << hash.error().to_string();
    } else if (*hash) {
      ++hashed_;
      EXPECT_EQ(**hash, chosen.answer.hash)
          << "HashKV at (" << chosen.answer.compaction << ", " << chosen.revision << ")";
    }
  }

  // The program itself, as a person runs it.
  void ask_all() {
    std::mt19937 random(options_.seed + 1000);
    for (int turn = 0; !stop_; ++turn) {
      const auto a = choose(random), b = choose(random);
      if (!a || !b) {
        sleep_ms(100);
        continue;
      }
      if (turn % 12 == 11) restore(*a);
      if (turn % 3 == 0) ask_keys(*a);
      if (turn % 3 == 1) ask_log(*a);
      if (turn % 3 == 2) ask_difference(*a, *b);
      sleep_ms(200);
    }
  }

  // The answer; nullopt when the program refuses since the revision is not there any more.
  std::optional<Json> ask(const Words& words, std::initializer_list<int> exits = {0}) {
    const RunResult result = repo_.run_with(words + Words{"-o", "json"});
    if (std::ranges::find(exits, result.exit) != exits.end()) {
      ++asked_;
      return Json::parse(result.out);
    }
    EXPECT_THAT(result.err, ::testing::HasSubstr(code_text(ErrorCode::kRevisionInGap))) << words[0];
    ++refused_;
    return std::nullopt;
  }

  static std::string at(const Chosen& chosen) { return "rev:" + std::to_string(chosen.revision); }

  void ask_keys(const Chosen& a) {
    const auto answer = ask({"ls", at(a), "--keys", "--limit", "1000000"});
    if (!answer) return expect_refusable(a);
    std::set<std::string> found, expected;
    for (const Json& item : answer->at("items")) found.insert(item.at("key").get<std::string>());
    for (const auto& [key, value] : a.answer.state) expected.insert(key);
    EXPECT_TRUE(found == expected) << "ls " << at(a) << ": " << found.size() << " keys, not " << expected.size();
  }

  void ask_log(const Chosen& a) {
    if (a.answer.state.empty()) return;
    const std::string& key = a.answer.state.rbegin()->first;
    const auto answer = ask({"log", key, "--exact", "--to", at(a), "--limit", "1"}, {0, 1});
    if (!answer) return expect_refusable(a);
    ASSERT_EQ(answer->at("items").size(), 1u) << "log " << key << " --to " << at(a);
    EXPECT_EQ(answer->at("items")[0].at("type"), "put");
    EXPECT_LE(answer->at("items")[0].at("revision").get<std::int64_t>(), a.revision);
  }

  void ask_difference(const Chosen& a, const Chosen& b) {
    const auto answer = ask({"diff", at(a), at(b), "--limit", "1000000"}, {0, 1});
    if (!answer) {
      EXPECT_FALSE(must_hold(a.answer) && must_hold(b.answer)) << "diff " << at(a) << " " << at(b);
      return;
    }
    std::set<std::string> added, removed;
    for (const auto& [key, value] : b.answer.state)
      if (!a.answer.state.contains(key)) added.insert(key);
    for (const auto& [key, value] : a.answer.state)
      if (!b.answer.state.contains(key)) removed.insert(key);
    for (const Json& item : answer->at("items")) {
      const auto key = item.at("key").get<std::string>();
      const std::string change = item.at("change");
      const std::size_t known = change == "added" ? added.erase(key) : change == "removed" ? removed.erase(key) : 1;
      EXPECT_EQ(known, 1u) << change << " " << key << " in diff " << at(a) << " " << at(b);
    }
    EXPECT_TRUE(added.empty() && removed.empty()) << "diff " << at(a) << " " << at(b);
  }

  void expect_refusable(const Chosen& a) const { EXPECT_FALSE(must_hold(a.answer)) << at(a); }

  // Into a cluster that is booted.
  void restore(const Chosen& a) {
    EtcdCluster target({.version = "3.6", .flags = {}});
    const fs::path parent = fs::path(target.member().data_dir()).parent_path() / "restored";
    const auto done = ask({"restore", "etcd", "--to", at(a), "--member", "all", "--data-dir", parent.string(),
                           "--initial-cluster", target.initial_cluster()});
    if (!done) return expect_refusable(a);
    fs::rename(parent / (target.member().name() + ".etcd"), target.member().data_dir());
    target.start();
    Recorded restored(target);
    const std::int64_t now = current_revision(target);
    restored.record(now);
    const auto lasting = [](Digests state) {
      std::erase_if(state, [](const auto& entry) { return entry.first.starts_with("lease") || entry.first.empty(); });
      return state;
    };
    EXPECT_TRUE(lasting(digests_of(restored.states[now])) == lasting(a.answer.state)) << "restored " << at(a);
    ++booted_;
  }

  // ---- at the end

  void finish() {
    const std::int64_t last = current_revision(cluster_);
    EXPECT_TRUE(agent_->wait_durable(last, 60)) << agent_->log();
    peak_mib_ = std::max(peak_mib_, status_mib("VmHWM:"));
    note_cpu();
    EXPECT_EQ(agent_->terminate(), 0) << agent_->log();
    logs_ += agent_->log();
    print(measure());
    std::printf(
        "history: %d of the reads were hashes, %d commands, %d boots, %d imports; processor %.1f s, merges %.1f s\n",
        hashed_.load(), asked_.load(), booted_.load(), imports_, all_cpu_, merge_cpu_);
    for (const char* bad : {"ALARM", "mergeFailed", "auditFailed", "captureFailed", "newLineage"})
      EXPECT_EQ(logs_.find(bad), std::string::npos) << bad << "\n" << logs_;
    EXPECT_NE(logs_.find("history before revision"), std::string::npos) << logs_;
    EXPECT_NE(logs_.find("objects of ended history"), std::string::npos) << logs_;
    EXPECT_GT(read_, 0);
    expect_all_from_the_end();
    const RunResult verified = repo_.run_with({"verify", "--all", "--level", "3"});
    EXPECT_EQ(verified.exit, 0) << verified.err << verified.out;
    EXPECT_EQ(repo_.json({"status"}).at("lineages").size(), 1u);
    if (options_.plateau) expect_plateau();
  }

  // Every answer at or above the end, and every point; below, what is told at all is right.
  void expect_all_from_the_end() {
    DiskRepo disk(repo_);
    const auto catalogue = disk.load();
    ASSERT_TRUE(catalogue.has_value()) << catalogue.error().to_string();
    EXPECT_THAT(catalogue->damaged(), ::testing::IsEmpty());
    ASSERT_EQ(catalogue->lineages().size(), 1u);
    const std::int64_t end = catalogue->lineages().front().history_from;
    EXPECT_GT(end, 0);
    for (auto& [revision, answer] : answers_) {
      answer.wanted |= revision >= end;
      if (!answer.wanted) answer.reached = {};
      read_one(disk, {revision, answer});
    }
  }

  void expect_plateau() const {
    const auto most = [&](double from, double to, auto field) {
      std::uint64_t found = 0;
      for (const Sample& sample : samples_)
        if (sample.seconds >= from * options_.seconds && sample.seconds < to * options_.seconds)
          found = std::max(found, static_cast<std::uint64_t>(sample.*field));
      return found;
    };
    const auto objects = most(0.5, 0.75, &Sample::objects), bytes = most(0.5, 0.75, &Sample::bytes);
    EXPECT_LE(most(0.75, 1.1, &Sample::objects), objects + objects / 3);
    EXPECT_LE(most(0.75, 1.1, &Sample::bytes), bytes + bytes / 2);
  }

  const HistorySoakOptions options_;
  std::mt19937 random_;
  EtcdCluster cluster_{{.version = "3.6", .flags = {"--auto-compaction-retention", "0"}}};
  const Repo repo_;
  SteadyTime began_;
  std::unique_ptr<Agent> agent_;
  std::vector<Sample> samples_;
  std::string logs_;
  double peak_mib_ = 0, merge_cpu_ = 0, all_cpu_ = 0;
  int kills_ = 0, imports_ = 0;
  std::atomic<std::int64_t> durable_ = 0;
  std::atomic<int> read_ = 0, hashed_ = 0, asked_ = 0, refused_ = 0, booted_ = 0;
  std::atomic<bool> stop_ = false;
  std::mutex mutex_;
  std::map<std::int64_t, EtcdAnswer> answers_;
};

}  // namespace lifeboat::e2e
