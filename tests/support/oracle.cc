#include "support/oracle.h"

#include <algorithm>
#include <iterator>
#include <sstream>
#include <stdexcept>

#include <nlohmann/json.hpp>

#include "support/paths.h"

namespace lifeboat::testing {

namespace {

constexpr std::size_t kShownLines = 10;

RunResult oracle(const EtcdCluster& cluster, const std::string& subcommand, const std::vector<std::string>& flags) {
  std::vector<std::string> argv = {server_program("oracle", "oracle"), subcommand};
  for (const auto& flag : cluster.client_flags()) argv.push_back(flag);
  argv.insert(argv.end(), flags.begin(), flags.end());
  return run(argv, {.timeout_s = 600});
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

std::vector<std::string> sorted(std::vector<std::string> lines) {
  std::ranges::sort(lines);
  return lines;
}

std::string only_in(const std::vector<std::string>& some, const std::vector<std::string>& others, const char* mark) {
  std::vector<std::string> lone;
  std::ranges::set_difference(some, others, std::back_inserter(lone));
  std::string text;
  for (std::size_t i = 0; i < lone.size() && i < kShownLines; ++i) text += mark + lone[i] + "\n";
  if (lone.size() > kShownLines) text += mark + std::to_string(lone.size() - kShownLines) + " more\n";
  return text;
}

}  // namespace

void load(EtcdCluster& cluster, const std::vector<std::string>& flags) {
  const RunResult result = oracle(cluster, "load", flags);
  if (!result.ok()) throw std::runtime_error(result.err);
  if (std::ranges::find(flags, "--auth") != flags.end()) cluster.use_password("lifeboat-root-password");
}

std::vector<std::string> dump(const EtcdCluster& cluster, std::int64_t revision, bool everything) {
  std::vector<std::string> flags = {"--rev", std::to_string(revision)};
  if (!everything) flags.insert(flags.end(), {"--omit", "hash,cluster"});
  const RunResult result = oracle(cluster, "dump", flags);
  if (!result.ok()) throw std::runtime_error(result.err);
  return lines_of(result.out);
}

std::string difference(const std::vector<std::string>& expected, const std::vector<std::string>& actual) {
  if (expected == actual) return {};
  const auto left = sorted(expected);
  const auto right = sorted(actual);
  const std::string text = only_in(left, right, "- ") + only_in(right, left, "+ ");
  return text.empty() ? "the same lines in another order\n" : text;
}

std::string check_alive(const EtcdCluster& cluster, std::int64_t compacted_below) {
  const RunResult result = oracle(cluster, "check-alive",
                                  {"--timeout", "5m", "--compacted-below", std::to_string(compacted_below), "--members",
                                   std::to_string(cluster.size())});
  if (result.ok()) return {};
  return result.err.empty() ? "check-alive exits with " + std::to_string(result.exit) : result.err;
}

void repage(const std::string& from, const std::string& to, int page_bytes) {
  const RunResult result =
      run({server_program("oracle", "oracle"), "repage", "--page-bytes", std::to_string(page_bytes), from, to});
  if (!result.ok()) throw std::runtime_error(result.err);
}

std::int64_t current_revision(const EtcdCluster& cluster) {
  const RunResult result = oracle(cluster, "dump", {"--omit", "keys,leases,auth,hash"});
  if (!result.ok()) throw std::runtime_error(result.err);
  return nlohmann::json::parse(result.out).at("revision").get<std::int64_t>();
}

}  // namespace lifeboat::testing
