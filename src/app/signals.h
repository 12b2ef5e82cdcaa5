// Signals: the wish to stop, as a flag that long work asks for.
#pragma once

namespace lifeboat::app {

// From now on SIGINT, SIGTERM and SIGHUP (a session that ends) are noted, a second one ends the process at once, and
// SIGPIPE and SIGXFSZ are errors of write(). Under nohup SIGHUP stays ignored.
void install_signal_handlers();

// From now on SIGHUP asks to read the settings anew, and is no wish to stop: for daemons.
void install_reload_handler();
// True once after one SIGHUP or several.
bool take_reload_signal();

// The first of them that came, or 0.
int stop_signal();

}  // namespace lifeboat::app
