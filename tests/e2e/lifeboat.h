// What whole-program tests share: the lifeboat program run on a repo of one test, and clusters taken there and back.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "support/etcd.h"
#include "support/oracle.h"
#include "support/paths.h"
#include "support/run.h"
#include "support/temp_dir.h"

namespace lifeboat::e2e {

using namespace lifeboat::testing;
using Json = nlohmann::json;
using Words = std::vector<std::string>;
namespace fs = std::filesystem;

inline Words operator+(Words left, const Words& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

// Nothing of the surroundings decides what the program does.
inline RunOptions surroundings(std::string directory = "") {
  return {.environment = {"LIFEBOAT_CONFIG=", "ETCDCTL_ENDPOINTS=", "XDG_CONFIG_HOME=/nonexistent", "NO_COLOR=1"},
          .input = "",
          .directory = std::move(directory),
          .timeout_s = 240};
}

// The files under a folder, sorted, relative to it; folders end with "/".
inline Words tree(const std::string& folder) {
  Words names;
  if (!fs::exists(folder)) return names;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    names.push_back(fs::relative(entry.path(), folder).string() + (entry.is_directory() ? "/" : ""));
  }
  std::ranges::sort(names);
  return names;
}

inline Words leftovers(const std::string& folder) {
  Words found;
  for (const std::string& name : tree(folder)) {
    for (const char* mark : {".lifeboat-tmp", ".lifeboat-pin"})
      if (name.find(mark) != std::string::npos) found.push_back(name);
  }
  return found;
}

// A repo, its key file and its scratch folder, in a folder of their own.
class Repo {
 public:
  explicit Repo(const std::string& name = "repo") : name_(name) {
    fs::create_directories(spool());
    const RunResult made = run_with({"init", "--new-key"});
    if (!made.ok()) throw std::runtime_error("init: " + made.err);
  }

  std::string path() const { return home_ / name_; }
  std::string key_file() const { return home_ / "repo.key"; }
  std::string spool() const { return home_ / "spool"; }
  std::string scratch(const std::string& name) const { return home_ / name; }

  Words argv(const Words& words) const {
    return Words{lifeboat_binary()} + words +
           Words{"--repo", path(), "--repo-key-file", key_file(), "--spool-dir", spool()};
  }
  RunResult run_with(const Words& words) const { return run(argv(words), surroundings(home_.path().string())); }

  // The answer as JSON; throws with the error unless the exit code is `exit`.
  Json json(const Words& words, int exit = 0) const {
    const RunResult result = run_with(words + Words{"-o", "json"});
    if (result.exit != exit) {
      throw std::runtime_error(words.at(0) + " exits with " + std::to_string(result.exit) + ": " + result.err +
                               result.out);
    }
    return Json::parse(result.out);
  }

  // What reaches a cluster; a password goes through a file.
  Words reach(const EtcdCluster& cluster) const {
    const Words flags = cluster.client_flags();
    Words result;
    for (std::size_t i = 0; i + 1 < flags.size(); i += 2) {
      if (flags[i] != "--user") {
        result = result + Words{flags[i], flags[i + 1]};
        continue;
      }
      const std::string file = scratch("password");
      write_file(file, cluster.password() + "\n");
      fs::permissions(file, fs::perms::owner_read | fs::perms::owner_write);
      result = result + Words{"--user", "root", "--password-file", file};
    }
    return result;
  }

  Json backup(const EtcdCluster& cluster, const Words& more = {}) const {
    return json(Words{"backup", "etcd", "--cluster", "prod"} + reach(cluster) + more);
  }

 private:
  TempDir home_;
  std::string name_;
};

// Restores every member of a cluster whose data is gone, in one run, to where its members look for it.
inline Json restore_into(const Repo& repo, EtcdCluster& cluster, const std::string& point = "latest",
                         const Words& more = {}) {
  const fs::path parent = fs::path(cluster.member().data_dir()).parent_path() / "restored";
  const Json report = repo.json(Words{"restore", "etcd", "--to", point, "--member", "all", "--data-dir",
                                      parent.string(), "--initial-cluster", cluster.initial_cluster()} +
                                more);
  for (std::size_t i = 0; i < cluster.size(); ++i) {
    fs::rename(parent / (cluster.member(i).name() + ".etcd"), cluster.member(i).data_dir());
  }
  fs::remove(parent);
  return report;
}

// HashKV of every member now, as the members tell it. (Up to 3.5 they refuse to tell it at the compacted revision by
// its number.)
inline std::vector<std::uint32_t> hashes(const EtcdCluster& cluster) {
  std::vector<std::uint32_t> all;
  const Json answer = Json::parse(cluster.etcdctl_ok({"endpoint", "hashkv", "--write-out", "json"}));
  for (const Json& item : answer) all.push_back(item.at("HashKV").at("hash").get<std::uint32_t>());
  return all;
}

// The lines of a dump that tell of keys.
inline Words keys_of(const Words& lines) {
  Words keys;
  for (const std::string& line : lines) {
    if (line.starts_with("{\"kind\":\"key\"")) keys.push_back(line);
  }
  return keys;
}

// Whether a process handles a signal by now, as /proc tells.
inline bool catches(pid_t pid, int signal) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("SigCgt:")) return (std::stoull(line.substr(7), nullptr, 16) >> (signal - 1) & 1) != 0;
  }
  return false;
}

// Starts lifeboat, waits until it can be interrupted and then `wait_ms` more, and does as Ctrl-C does. The exit code.
inline int run_and_interrupt(const Words& argv, int wait_ms, const std::string& log) {
  fs::remove(log);
  Child child(argv, log, surroundings());
  EXPECT_TRUE(wait_until([&] { return catches(child.pid(), SIGINT) || !child.running(); }, 120)) << read_file(log);
  sleep_ms(wait_ms);
  child.signal(SIGINT);
  return child.wait(240);
}

inline std::string start_of(const std::string& text) { return text.substr(0, 600); }

// The four lines of an error, and its exit code.
inline void expect_error(const RunResult& result, int exit, const std::string& code) {
  EXPECT_EQ(result.exit, exit) << result.err << result.out;
  EXPECT_EQ(result.out, "");
  const auto from = result.err.find("error: ");
  ASSERT_NE(from, std::string::npos) << result.err;
  EXPECT_THAT(result.err.substr(from),
              ::testing::ContainsRegex("^error: [^\n]+\nwhy:   [^\n]+\nfix:   [^\n]+\ncode:  " + code + "\n$"));
}

}  // namespace lifeboat::e2e
