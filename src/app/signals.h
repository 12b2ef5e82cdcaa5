// Signals: the wish to stop, as a flag that long work asks for.
#pragma once

namespace lifeboat::app {

// From now on SIGINT and SIGTERM are noted, a second one ends the process at once, and SIGPIPE is
// an error of write().
void install_signal_handlers();

// From now on SIGHUP is noted instead of ending the process: for daemons.
void install_reload_handler();
// True once after one SIGHUP or several.
bool take_reload_signal();

// The first SIGINT or SIGTERM that came, or 0.
int stop_signal();

}  // namespace lifeboat::app
