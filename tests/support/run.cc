#include "support/run.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <stdexcept>
#include <string_view>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace lifeboat::testing {

namespace {

using Clock = std::chrono::steady_clock;

[[noreturn]] void die(const std::string& what) { throw std::runtime_error(what + ": " + std::strerror(errno)); }

struct Pipe {
  int read_end = -1;
  int write_end = -1;

  Pipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) die("pipe");
    read_end = ends[0];
    write_end = ends[1];
  }
  ~Pipe() {
    close_read();
    close_write();
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  void close_read() { close_end(read_end); }
  void close_write() { close_end(write_end); }

 private:
  static void close_end(int& fd) {
    if (fd >= 0) ::close(fd);
    fd = -1;
  }
};

std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> result;
  for (auto& word : words) result.push_back(word.data());
  result.push_back(nullptr);
  return result;
}

std::string_view name_of(std::string_view variable) { return variable.substr(0, variable.find('=')); }

// What the options say, then all of this process's that they do not name.
std::vector<std::string> environment_of(const RunOptions& options) {
  std::vector<std::string> result = options.environment;
  for (char** entry = ::environ; *entry != nullptr; ++entry) {
    const bool named =
        std::ranges::any_of(options.environment, [&](const auto& own) { return name_of(own) == name_of(*entry); });
    if (!named) result.emplace_back(*entry);
  }
  return result;
}

// Forks and executes with the three descriptors as standard input, output and error.
pid_t spawn(const std::vector<std::string>& argv, const RunOptions& options, int in, int out, int err) {
  std::vector<std::string> words = argv;
  std::vector<std::string> environment = environment_of(options);
  const std::vector<char*> arguments = pointers(words);
  const std::vector<char*> variables = pointers(environment);
  const pid_t parent = ::getpid();

  const pid_t pid = ::fork();
  if (pid < 0) die("fork");
  if (pid > 0) return pid;

  // In the child: only calls that are safe after a fork.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(127);
  ::dup2(in, 0);
  ::dup2(out, 1);
  ::dup2(err, 2);
  if (!options.directory.empty() && ::chdir(options.directory.c_str()) != 0) ::_exit(127);
  ::execvpe(arguments[0], arguments.data(), variables.data());
  ::_exit(127);
}

int exit_code(int status) { return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status); }

// Moves what is there from `fd` to `text`; false at the end of the stream.
bool drain(int fd, std::string& text) {
  char block[65536];
  const ssize_t count = ::read(fd, block, sizeof block);
  if (count < 0) return errno == EINTR;
  text.append(block, static_cast<std::size_t>(count));
  return count > 0;
}

// Writes what fits of `input` from `at` on; false when there is nothing left to write.
bool feed(int fd, const std::string& input, std::size_t& at) {
  if (at < input.size()) {
    const ssize_t count = ::write(fd, input.data() + at, std::min<std::size_t>(input.size() - at, 4096));
    if (count < 0) return errno == EINTR;
    at += static_cast<std::size_t>(count);
  }
  return at < input.size();
}

// A child may end before it has read its input. The signal of that is of the thread that writes, and kept from it
// alone.
class NoBrokenPipe {
 public:
  NoBrokenPipe() {
    ::sigemptyset(&signal_);
    ::sigaddset(&signal_, SIGPIPE);
    ::pthread_sigmask(SIG_BLOCK, &signal_, &before_);
  }
  ~NoBrokenPipe() {
    const timespec at_once{};
    ::sigtimedwait(&signal_, nullptr, &at_once);
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  NoBrokenPipe(const NoBrokenPipe&) = delete;
  NoBrokenPipe& operator=(const NoBrokenPipe&) = delete;

 private:
  sigset_t signal_{};
  sigset_t before_{};
};

// Feeds the child and gathers its output until both streams end or the time is over; false when it is over.
bool converse(Pipe& in, Pipe& out, Pipe& err, const RunOptions& options, RunResult& result) {
  const NoBrokenPipe quiet;
  const auto deadline = Clock::now() + std::chrono::seconds(options.timeout_s);
  std::size_t fed = 0;
  if (options.input.empty()) in.close_write();
  while (out.read_end >= 0 || err.read_end >= 0) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0) return false;
    pollfd events[3] = {{out.read_end, POLLIN, 0}, {err.read_end, POLLIN, 0}, {in.write_end, POLLOUT, 0}};
    if (::poll(events, 3, static_cast<int>(left)) < 0 && errno != EINTR) die("poll");
    if (events[0].revents != 0 && !drain(out.read_end, result.out)) out.close_read();
    if (events[1].revents != 0 && !drain(err.read_end, result.err)) err.close_read();
    if (events[2].revents != 0 && !feed(in.write_end, options.input, fed)) in.close_write();
  }
  return true;
}

}  // namespace

RunResult run(const std::vector<std::string>& argv, const RunOptions& options) {
  Pipe in;
  Pipe out;
  Pipe err;
  const pid_t pid = spawn(argv, options, in.read_end, out.write_end, err.write_end);
  in.close_read();
  out.close_write();
  err.close_write();

  RunResult result;
  result.timed_out = !converse(in, out, err, options, result);
  if (result.timed_out) ::kill(pid, SIGKILL);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  result.exit = exit_code(status);
  if (result.exit == 127 && result.out.empty() && result.err.empty()) {
    throw std::runtime_error("cannot run " + argv.at(0));
  }
  return result;
}

Child::Child(const std::vector<std::string>& argv, const std::string& log_path, const RunOptions& options) {
  const int nothing = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  const int log = ::open(log_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (nothing < 0 || log < 0) die("open " + log_path);
  pid_ = spawn(argv, options, nothing, log, log);
  ::close(nothing);
  ::close(log);
}

Child::~Child() { kill(); }

Child::Child(Child&& other) noexcept : pid_(std::exchange(other.pid_, -1)), exit_(other.exit_) {}

Child& Child::operator=(Child&& other) noexcept {
  if (this != &other) {
    kill();
    pid_ = std::exchange(other.pid_, -1);
    exit_ = other.exit_;
  }
  return *this;
}

bool Child::running() {
  if (pid_ < 0) return false;
  int status = 0;
  if (::waitpid(pid_, &status, WNOHANG) != pid_) return true;
  pid_ = -1;
  exit_ = exit_code(status);
  return false;
}

void Child::signal(int number) {
  if (running()) ::kill(pid_, number);
}

void Child::pause() {
  signal(SIGSTOP);
  if (pid_ < 0) return;
  int status = 0;
  while (::waitpid(pid_, &status, WUNTRACED) < 0 && errno == EINTR) {
  }
  if (WIFSTOPPED(status)) return;
  pid_ = -1;
  exit_ = exit_code(status);
}

void Child::resume() { signal(SIGCONT); }

int Child::wait(double timeout_s) {
  return wait_until([this] { return !running(); }, timeout_s) ? exit_ : -1;
}

int Child::stop() {
  signal(SIGTERM);
  signal(SIGCONT);
  if (const int code = wait(60); code != -1) return code;
  return kill();
}

int Child::kill() {
  signal(SIGKILL);
  if (pid_ < 0) return exit_;
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  exit_ = exit_code(status);
  return exit_;
}

void sleep_ms(int ms) { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); }

}  // namespace lifeboat::testing
