// main: builds the real seams and runs the command line.
#include <fcntl.h>
#include <unistd.h>

#include <exception>
#include <filesystem>
#include <iostream>

#include "app/console.h"
#include "app/signals.h"
#include "cli/run.h"
#include "crypto/secret.h"
#include "io/world.h"

namespace {

// A descriptor 0, 1 or 2 that was closed would become the first file that is opened, and what is said would go into it.
// Reading from what stands there instead gives nothing, writing to it is refused.
void keep_standard_streams_apart() {
  for (int descriptor = STDIN_FILENO; descriptor <= STDERR_FILENO; ++descriptor) {
    if (::fcntl(descriptor, F_GETFD) == -1) (void)::open("/dev/null", O_RDONLY);
  }
}

lifeboat::app::Environment read_environment() {
  lifeboat::app::Environment environment;
  for (char** row = ::environ; row != nullptr && *row != nullptr; ++row) {
    const std::string_view text(*row);
    const auto equals = text.find('=');
    if (equals != std::string_view::npos) environment.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return environment;
}

int run(int argc, char** argv) {
  const auto files = lifeboat::io::posix_file_system();
  const auto clock = lifeboat::io::system_clock();
  const auto random = lifeboat::io::system_random();
  const auto processes = lifeboat::io::system_process();
  const auto console = lifeboat::app::system_console();
  lifeboat::io::World world{*files, *clock, *random, *processes};
  const lifeboat::app::Environment environment = read_environment();
  std::error_code removed;  // a removed working directory is no reason to stop: paths may be absolute
  const std::string here = std::filesystem::current_path(removed).string();
  const lifeboat::app::Surroundings surroundings{world, *console, environment, here};
  return lifeboat::cli::run(std::vector<std::string>(argv + 1, argv + argc), surroundings, std::cout, std::cerr);
}

}  // namespace

int main(int argc, char** argv) {
  keep_standard_streams_apart();
  if (const auto hardened = lifeboat::crypto::harden_process(); !hardened) {
    return lifeboat::cli::report_internal(hardened.error().to_string().c_str(), std::cerr);
  }
  lifeboat::app::install_signal_handlers();
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    return lifeboat::cli::report_internal(error.what(), std::cerr);
  }
}
