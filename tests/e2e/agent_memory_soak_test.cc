// The agent's memory and descriptors under load for a quarter of an hour; LIFEBOAT_SOAK_SECONDS makes it longer, up to
// a day.
#include <cstdlib>

#include "e2e/agent.h"

namespace lifeboat::e2e {
namespace {

constexpr double kMib = 1 << 20;

struct Sample {
  double seconds = 0, resident_mib = 0, files = 0, cpu_seconds = 0;
};

double soak_seconds() {
  const char* const given = std::getenv("LIFEBOAT_SOAK_SECONDS");
  return given == nullptr ? 900 : std::clamp(std::atof(given), 60.0, 86'400.0);
}

// Of the process: the agent tells it to root alone.
double open_files(pid_t pid) {
  std::error_code gone;
  double count = 0;
  for ([[maybe_unused]] const auto& entry : fs::directory_iterator("/proc/" + std::to_string(pid) + "/fd", gone))
    ++count;
  return count;
}

// The least of a window: what stays, without the working set of the merge or audit that runs just then.
template <typename Field>
double floor_of(const std::vector<Sample>& samples, double from, double to, Field field) {
  double least = 0;
  for (const Sample& sample : samples) {
    if (sample.seconds < from || sample.seconds >= to || sample.*field <= 0) continue;
    least = least == 0 ? sample.*field : std::min(least, sample.*field);
  }
  return least;
}

TEST(AgentSoak, StaysFlatUnderAThousandWritesASecond) {
  const double seconds = soak_seconds(), settled = std::min(300.0, seconds / 3), window = std::max(30.0, seconds / 15);
  EtcdCluster cluster({.version = "3.6",
                       .flags = {"--auto-compaction-mode", "periodic", "--auto-compaction-retention", "1m",
                                 "--quota-backend-bytes", "8589934592"}});
  cluster.start();
  load(cluster, {"--objects", "10000"});
  const Repo repo;
  Agent agent(repo, cluster, {"--merge-interval", "20s", "--merge-grace", "1m", "--audit-interval", "1m"});
  ASSERT_TRUE(agent.wait_ready(120)) << agent.log();

  Child writer({server_program("oracle", "oracle"), "write", "--endpoints", cluster.endpoints(), "--rate", "1000",
                "--value-bytes", "2000", "--seconds", std::to_string(static_cast<int>(seconds))},
               repo.scratch("writer.log"));
  std::vector<Sample> samples;
  const auto began = std::chrono::steady_clock::now();
  while (writer.running()) {
    sleep_ms(5000);
    Sample sample;
    sample.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    sample.resident_mib = agent.metric("process_resident_memory_bytes") / kMib;
    sample.cpu_seconds = agent.metric("process_cpu_seconds_total");
    sample.files = open_files(agent.process().pid());
    samples.push_back(sample);
    if (samples.size() % 6 == 0) {
      std::printf("soak %5.0f s: %6.1f MiB, %3.0f files, %6.1f CPU s, durable %lld\n", sample.seconds,
                  sample.resident_mib, sample.files, sample.cpu_seconds, static_cast<long long>(agent.durable()));
      std::fflush(stdout);
    }
  }
  const std::int64_t last = current_revision(cluster);
  EXPECT_TRUE(agent.wait_durable(last, 60)) << agent.log();

  const double before = floor_of(samples, settled - window, settled + window, &Sample::resident_mib);
  const double after = floor_of(samples, seconds - 2 * window, 2 * seconds, &Sample::resident_mib);
  const double files_before = floor_of(samples, settled - window, settled + window, &Sample::files);
  const double files_after = floor_of(samples, seconds - 2 * window, 2 * seconds, &Sample::files);
  const double peak = std::ranges::max(samples, {}, &Sample::resident_mib).resident_mib;
  std::printf("soak: %.1f MiB around %.0f s, %.1f MiB at the end, %.1f MiB at most; %.0f and %.0f files\n", before,
              settled, after, peak, files_before, files_after);
  EXPECT_LE(after - before, seconds > 3600 ? std::max(8.0, seconds / 3600) : 8) << "MiB";
  EXPECT_LE(peak, 192) << "MiB";
  EXPECT_LE(files_after, files_before + 2);
  EXPECT_EQ(agent.metric("lifeboat_gaps_total"), 0) << agent.log();
  EXPECT_EQ(agent.terminate(), 0) << agent.log();
}

}  // namespace
}  // namespace lifeboat::e2e
