#include "app/signals.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>

namespace lifeboat::app {
namespace {

// What signal handlers can reach.
std::atomic<int> first_signal{0};
std::atomic<bool> reload_wanted{false};
static_assert(std::atomic<int>::is_always_lock_free && std::atomic<bool>::is_always_lock_free,
              "a signal handler must not take a lock");

void on_stop(int number) {
  int none = 0;
  if (!first_signal.compare_exchange_strong(none, number)) ::_exit(128 + number);
}

void on_reload(int) { reload_wanted.store(true); }

}  // namespace

void install_signal_handlers() {
  struct sigaction stop{};
  stop.sa_handler = on_stop;
  stop.sa_flags = SA_RESTART;
  ::sigaction(SIGINT, &stop, nullptr);
  ::sigaction(SIGTERM, &stop, nullptr);
  struct sigaction before{};
  ::sigaction(SIGHUP, nullptr, &before);
  if (before.sa_handler != SIG_IGN) ::sigaction(SIGHUP, &stop, nullptr);
  struct sigaction ignore{};
  ignore.sa_handler = SIG_IGN;
  ::sigaction(SIGPIPE, &ignore, nullptr);
  ::sigaction(SIGXFSZ, &ignore, nullptr);
}

void install_reload_handler() {
  struct sigaction reload{};
  reload.sa_handler = on_reload;
  reload.sa_flags = SA_RESTART;
  ::sigaction(SIGHUP, &reload, nullptr);
}

bool take_reload_signal() { return reload_wanted.exchange(false); }

int stop_signal() { return first_signal.load(std::memory_order_relaxed); }

}  // namespace lifeboat::app
