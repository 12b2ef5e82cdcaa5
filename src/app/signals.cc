#include "app/signals.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>

namespace lifeboat::app {
namespace {

// The one value that a signal handler can reach.
std::atomic<int> first_signal{0};
static_assert(std::atomic<int>::is_always_lock_free, "a signal handler must not take a lock");

void on_stop(int number) {
  int none = 0;
  if (!first_signal.compare_exchange_strong(none, number)) ::_exit(128 + number);
}

}  // namespace

void install_signal_handlers() {
  struct sigaction stop{};
  stop.sa_handler = on_stop;
  stop.sa_flags = SA_RESTART;
  ::sigaction(SIGINT, &stop, nullptr);
  ::sigaction(SIGTERM, &stop, nullptr);
  struct sigaction ignore{};
  ignore.sa_handler = SIG_IGN;
  ::sigaction(SIGPIPE, &ignore, nullptr);
}

int stop_signal() { return first_signal.load(std::memory_order_relaxed); }

}  // namespace lifeboat::app
