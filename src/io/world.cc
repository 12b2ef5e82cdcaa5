#include "io/world.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "io/fd.h"

namespace lifeboat::io {
namespace {

class SystemClock final : public Clock {
 public:
  Timestamp now() override {
    const auto since_epoch = std::chrono::system_clock::now().time_since_epoch();
    return {std::chrono::duration_cast<std::chrono::nanoseconds>(since_epoch).count()};
  }
  std::chrono::nanoseconds monotonic() override { return std::chrono::steady_clock::now().time_since_epoch(); }
  void sleep(std::chrono::nanoseconds time) override { std::this_thread::sleep_for(time); }
};

class SystemRandom final : public Random {
 public:
  void fill(MutableByteView out) override {
    while (!out.empty()) {
      const ssize_t n = ::getrandom(out.data(), out.size(), 0);
      if (n < 0 && errno != EINTR) std::abort();
      if (n > 0) out = out.subspan(static_cast<std::size_t>(n));
    }
  }
};

class SystemChild final : public ChildProcess {
 public:
  explicit SystemChild(pid_t pid) : pid_(pid) {}
  SystemChild(const SystemChild&) = delete;
  SystemChild& operator=(const SystemChild&) = delete;

  ~SystemChild() override {
    if (exit_) return;
    ::kill(-pid_, SIGKILL);  // the whole group: what the child started dies with it
    ::kill(pid_, SIGKILL);
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) continue;
  }

  int pid() const override { return pid_; }

  Result<std::optional<int>> poll_exit() override {
    if (exit_) return exit_;
    int status = 0;
    const pid_t reaped = ::waitpid(pid_, &status, WNOHANG);
    if (reaped < 0) {
      return std::unexpected(system_error(errno, "cannot wait for process " + std::to_string(pid_)));
    }
    if (reaped == pid_) exit_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return exit_;
  }

  Status signal(int number) override {
    if (exit_ || ::kill(pid_, number) == 0 || errno == ESRCH) return {};
    return std::unexpected(system_error(errno, "cannot signal process " + std::to_string(pid_)));
  }

 private:
  pid_t pid_;
  std::optional<int> exit_;
};

// Pointers into `texts`, as exec wants them; valid as long as `texts` is unchanged.
std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

// Everything the child needs, made before the fork: between fork and exec only async-signal-safe
// calls are allowed.
struct Launch {
  std::string program;
  std::vector<std::string> argv;
  std::vector<std::string> environment;
  std::vector<char*> argv_pointers;
  std::vector<char*> environment_pointers;
  Fd input;
  Fd output;
  Fd error_read;  // the child's errno arrives here when exec fails; closed by a successful exec
  Fd error_write;
  std::string working_directory;
  bool dies_with_parent = true;
  pid_t parent = 0;
};

Result<Fd> open_or_fail(const std::string& path, int flags) {
  Fd fd(::open(path.c_str(), flags | O_CLOEXEC, 0600));
  if (!fd.valid()) return std::unexpected(system_error(errno, "cannot open " + path));
  return fd;
}

Status open_pipe(Launch& launch) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) {
    return std::unexpected(system_error(errno, "cannot create a pipe"));
  }
  launch.error_read = Fd(ends[0]);
  launch.error_write = Fd(ends[1]);
  return {};
}

[[noreturn]] void give_up(const Launch& launch) {
  const int error_number = errno;
  [[maybe_unused]] const ssize_t n = ::write(launch.error_write.get(), &error_number, sizeof error_number);
  ::_exit(127);
}

// Runs in the child.
[[noreturn]] void become(const Launch& launch) {
  ::setpgid(0, 0);
  if (launch.dies_with_parent) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != launch.parent) ::_exit(127);  // the parent died before the request was made
  }
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  ::signal(SIGXFSZ, SIG_DFL);
  if (::dup2(launch.input.get(), STDIN_FILENO) < 0) give_up(launch);
  if (::dup2(launch.output.get(), STDOUT_FILENO) < 0) give_up(launch);
  if (::dup2(launch.output.get(), STDERR_FILENO) < 0) give_up(launch);
  ::close_range(3, UINT_MAX, CLOSE_RANGE_CLOEXEC);
  if (!launch.working_directory.empty() && ::chdir(launch.working_directory.c_str()) != 0) give_up(launch);
  ::execve(launch.program.c_str(), launch.argv_pointers.data(), launch.environment_pointers.data());
  give_up(launch);
}

// Zero when exec succeeded (the pipe closed without a word), else its errno.
int await_exec(Launch& launch) {
  launch.error_write.close();
  int error_number = 0;
  while (::read(launch.error_read.get(), &error_number, sizeof error_number) < 0) {
    if (errno != EINTR) return errno;
  }
  return error_number;
}

bool is_executable_file(const std::string& path) {
  struct stat info{};
  return ::stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) && ::access(path.c_str(), X_OK) == 0;
}

class SystemProcess final : public Process {
 public:
  Result<std::unique_ptr<ChildProcess>> start(const ProcessSpec& spec) override {
    if (spec.argv.empty()) return fail(ErrorCode::kInternal, "a process without a program");
    Launch launch = TRY(prepare(spec));
    const pid_t pid = ::fork();
    if (pid == 0) become(launch);
    if (pid < 0) return std::unexpected(system_error(errno, "cannot start " + spec.argv[0]));
    ::setpgid(pid, pid);  // both sides ask, so that the group exists whoever runs first
    auto child = std::make_unique<SystemChild>(pid);
    if (const int error_number = await_exec(launch); error_number != 0) {
      return std::unexpected(system_error(error_number, "cannot start " + launch.program));
    }
    return child;
  }

  std::optional<std::string> find_on_path(const std::string& name) override {
    if (name.find('/') != std::string::npos) {
      return is_executable_file(name) ? std::optional(name) : std::nullopt;
    }
    const char* path = std::getenv("PATH");
    std::string_view rest = path != nullptr ? path : "/usr/local/bin:/usr/bin:/bin";
    while (!rest.empty()) {
      const std::size_t end = std::min(rest.find(':'), rest.size());
      if (const std::string candidate = join(rest.substr(0, end), name); end > 0 && is_executable_file(candidate)) {
        return candidate;
      }
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return std::nullopt;
  }

 private:
  Result<Launch> prepare(const ProcessSpec& spec) {
    Launch launch;
    const auto program = find_on_path(spec.argv[0]);
    if (!program) {
      return fail(ErrorCode::kFileNotFound, "cannot start " + spec.argv[0],
                  "no executable file of that name was found");
    }
    std::error_code unknown;  // where the parent runs: then the name is left as it is
    const auto absolute = std::filesystem::absolute(*program, unknown);
    launch.program = unknown ? *program : absolute.string();
    launch.working_directory = spec.working_directory;
    launch.argv = spec.argv;
    launch.environment = spec.environment;
    launch.argv_pointers = pointers_to(launch.argv);
    launch.environment_pointers = pointers_to(launch.environment);
    launch.input = TRY(open_or_fail("/dev/null", O_RDONLY));
    launch.output = spec.output_path.empty() ? TRY(open_or_fail("/dev/null", O_WRONLY))
                                             : TRY(open_or_fail(spec.output_path, O_WRONLY | O_CREAT | O_APPEND));
    TRY(open_pipe(launch));
    launch.dies_with_parent = spec.dies_with_parent;
    launch.parent = ::getpid();
    return launch;
  }
};

}  // namespace

std::unique_ptr<Clock> system_clock() { return std::make_unique<SystemClock>(); }
std::unique_ptr<Random> system_random() { return std::make_unique<SystemRandom>(); }
std::unique_ptr<Process> system_process() { return std::make_unique<SystemProcess>(); }

}  // namespace lifeboat::io
