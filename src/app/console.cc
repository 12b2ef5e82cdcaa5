#include "app/console.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <string_view>
#include <vector>

#include "app/setting_specs.h"
#include "app/signals.h"
#include "io/fd.h"

namespace lifeboat::app {
namespace {

constexpr std::size_t kMaxLine = 4096;

int descriptor(Stream stream) {
  switch (stream) {
    case Stream::kInput:
      return STDIN_FILENO;
    case Stream::kOutput:
      return STDOUT_FILENO;
    case Stream::kError:
      return STDERR_FILENO;
  }
  return -1;
}

// Echo off for as long as it lives.
class NoEcho {
 public:
  NoEcho() {
    termios now{};
    if (::tcgetattr(STDIN_FILENO, &now) != 0) return;
    before_ = now;
    now.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &now);
  }
  NoEcho(const NoEcho&) = delete;
  NoEcho& operator=(const NoEcho&) = delete;
  ~NoEcho() {
    if (before_) ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &*before_);
  }

 private:
  std::optional<termios> before_;
};

void say(const std::string& text) {
  // Nothing to be done when the terminal is gone: the answer will not come either.
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text.data(), text.size());
}

// Waits so that a signal is noticed: a plain read would be taken up again after it.
Status wait_for_input() {
  for (;;) {
    if (stop_signal() != 0) return fail(ErrorCode::kInterrupted, "stopped while waiting for an answer");
    pollfd input{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
    if (::poll(&input, 1, 200) > 0) return {};
  }
}

Result<crypto::Secret> read_up_to(int fd, std::size_t limit, bool one_line, const char* what) {
  crypto::Secret buffer(limit + 1);
  std::size_t size = 0;
  while (size <= limit) {
    if (one_line) TRY(wait_for_input());
    const std::size_t room = one_line ? 1 : buffer.size() - size;
    const ssize_t n = ::read(fd, buffer.view().data() + size, room);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return std::unexpected(system_error(errno, std::string("read ") + what));
    if (n == 0 || (one_line && buffer.view()[size] == std::byte{'\n'})) {
      return crypto::Secret(buffer.view().first(size));
    }
    size += static_cast<std::size_t>(n);
  }
  return fail(ErrorCode::kUnreadableInput, fmt::format("{} is too long", what),
              fmt::format("it has more than {} bytes", limit));
}

// "ETCDCTL_PASSWORD=…".
bool holds_a_secret(std::string_view row) {
  const std::string_view name = row.substr(0, row.find('='));
  return std::ranges::any_of(setting_specs(), [&](const auto& spec) {
    return spec.secret && (spec.variable == name || spec.foreign == name);
  });
}

// Rows of this process's environment that a command of the user may see; then the null that ends them.
std::vector<char*> environment_without_secrets() {
  std::vector<char*> rows;
  for (char** row = ::environ; row != nullptr && *row != nullptr; ++row)
    if (!holds_a_secret(*row)) rows.push_back(*row);
  rows.push_back(nullptr);
  return rows;
}

// A shell that runs `command`; what it prints comes through `output`.
struct Shell {
  pid_t pid = 0;
  io::Fd output;
};

Result<Shell> start_shell(std::string command) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return std::unexpected(system_error(errno, "run the passphrase command"));
  Shell shell{.pid = 0, .output = io::Fd(ends[0])};
  const io::Fd printed(ends[1]);
  std::string name = "sh", flag = "-c";
  char* argv[] = {name.data(), flag.data(), command.data(), nullptr};
  std::vector<char*> environment = environment_without_secrets();
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, printed.get(), STDOUT_FILENO);
  const int error = ::posix_spawn(&shell.pid, "/bin/sh", &actions, nullptr, argv, environment.data());
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return std::unexpected(system_error(error, "run the passphrase command"));
  return shell;
}

int wait_for_end(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
  return status;
}

class SystemConsole final : public Console {
 public:
  bool is_terminal(Stream stream) override { return ::isatty(descriptor(stream)) == 1; }

  Result<std::string> ask(const std::string& prompt) override {
    say(prompt);
    const crypto::Secret line = TRY(read_up_to(STDIN_FILENO, kMaxLine, true, "the answer"));
    return to_string(line.view());
  }

  Result<crypto::Secret> ask_secret(const std::string& prompt) override {
    say(prompt);
    const NoEcho no_echo;
    auto secret = read_up_to(STDIN_FILENO, kMaxLine, true, "the answer");
    say("\n");
    return secret;
  }

  Result<crypto::Secret> read_input(std::size_t limit) override {
    return read_up_to(STDIN_FILENO, limit, false, "standard input");
  }

  Result<crypto::Secret> output_of(const std::string& command, std::size_t limit) override {
    Shell shell = TRY(start_shell(command));
    auto secret = read_up_to(shell.output.get(), limit, false, "the output of the passphrase command");
    shell.output.close();
    const int status = wait_for_end(shell.pid);
    if (status != 0) {
      return fail(ErrorCode::kUnreadableInput, "the passphrase command failed",
                  WIFEXITED(status) ? fmt::format("it ended with exit code {}", WEXITSTATUS(status))
                                    : std::string("it did not end by itself"),
                  "Run the command of LIFEBOAT_PASSPHRASE_COMMAND by hand and look at what it says.");
    }
    return secret;
  }
};

}  // namespace

std::unique_ptr<Console> system_console() { return std::make_unique<SystemConsole>(); }

}  // namespace lifeboat::app
