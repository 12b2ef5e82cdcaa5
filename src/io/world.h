// The rest of the outside world: clock, random, processes, environment, and the bundle that main.cc builds once.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "io/file_system.h"

namespace lifeboat::io {

// Usable from several threads.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual Timestamp now() = 0;                       // wall clock, UTC
  virtual std::chrono::nanoseconds monotonic() = 0;  // for durations
  virtual void sleep(std::chrono::nanoseconds time) = 0;
};

class Random {
 public:
  virtual ~Random() = default;
  virtual void fill(MutableByteView out) = 0;  // cryptographic; never fails (aborts when the kernel cannot)
};

struct ProcessSpec {
  std::vector<std::string> argv;              // argv[0] is looked up on PATH when it has no slash
  std::vector<std::string> environment = {};  // exactly these, "K=V"; nothing is inherited
  std::string output_path = {};               // stdout and stderr go here; empty: discarded
  bool dies_with_parent = true;               // SIGKILL when the *thread* that called start() ends: start
                                              // such children from a thread that outlives them
  std::string working_directory = {};         // empty: the parent's
};

// A child process in a process group of its own (Ctrl-C does not reach it), with nothing to read on stdin; the
// destructor kills (SIGKILL) and reaps it when it still runs.
class ChildProcess {
 public:
  virtual ~ChildProcess() = default;
  virtual int pid() const = 0;
  virtual Result<std::optional<int>> poll_exit() = 0;  // exit code, or 128+signal; nullopt while running
  virtual Status signal(int number) = 0;
};

class Process {
 public:
  virtual ~Process() = default;
  virtual Result<std::unique_ptr<ChildProcess>> start(const ProcessSpec& spec) = 0;
  virtual std::optional<std::string> find_on_path(const std::string& name) = 0;
};

std::unique_ptr<Clock> system_clock();
std::unique_ptr<Random> system_random();
std::unique_ptr<Process> system_process();

// The seams, borrowed; whoever makes a World owns the parts for longer.
struct World {
  FileSystem& files;
  Clock& clock;
  Random& random;
  Process& processes;
};

}  // namespace lifeboat::io
