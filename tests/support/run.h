// Child processes of tests: run one to its end, or keep one running.
#pragma once

#include <string>
#include <vector>

#include <sys/types.h>

namespace lifeboat::testing {

struct RunOptions {
  std::vector<std::string> environment;  // "K=V", over what this process has
  std::string input;                     // standard input
  std::string directory;                 // working directory; empty: this one
  int timeout_s = 300;                   // then SIGKILL, and `timed_out`
};

struct RunResult {
  int exit = -1;  // exit code, or 128 + signal
  std::string out;
  std::string err;
  bool timed_out = false;

  bool ok() const { return exit == 0; }
};

// argv[0] is looked up on PATH when it has no slash. Throws std::runtime_error when it cannot be started.
RunResult run(const std::vector<std::string>& argv, const RunOptions& options = {});

// A program in the background, its output in a file. It gets SIGKILL when this object, or the thread that
// started it, ends: start it from a thread that lives as long as the test.
class Child {
 public:
  Child() = default;
  // Standard output and error are appended to `log_path`. Throws std::runtime_error when it cannot be started.
  Child(const std::vector<std::string>& argv, const std::string& log_path, const RunOptions& options = {});
  ~Child();
  Child(Child&& other) noexcept;
  Child& operator=(Child&& other) noexcept;

  pid_t pid() const { return pid_; }
  bool running();
  void signal(int number);
  // SIGSTOP, and waits until its last thread stands still: kill(2) returns before.
  void pause();
  void resume();
  // The exit code, or 128 + signal; -1 when it still runs after `timeout_s`.
  int wait(double timeout_s);
  // SIGTERM, then after a minute SIGKILL; what wait() says. Nothing when it has ended already.
  int stop();
  int kill();

 private:
  pid_t pid_ = -1;
  int exit_ = -1;
};

// Asks `ready` every 20 ms until it is true or the time is over; what it said last.
template <typename Ready>
bool wait_until(Ready ready, double timeout_s);

void sleep_ms(int ms);

}  // namespace lifeboat::testing

template <typename Ready>
bool lifeboat::testing::wait_until(Ready ready, double timeout_s) {
  for (double waited_s = 0; waited_s < timeout_s; waited_s += 0.02) {
    if (ready()) return true;
    sleep_ms(20);
  }
  return ready();
}
