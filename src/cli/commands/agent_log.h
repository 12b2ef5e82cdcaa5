// AgentLog: the agent's log lines on standard error, as text or JSON.
#pragma once

#include <mutex>
#include <ostream>

#include "agent/log.h"
#include "io/world.h"

namespace lifeboat::cli {

// "2026-11-21T09:00:00Z warning: endpoint lost …" or one JSON object a line; usable from several
// threads. `quiet` leaves out what is neither a warning nor an error.
class AgentLog {
 public:
  AgentLog(std::ostream& errors, io::Clock& clock, bool json, bool quiet)
      : errors_(errors), clock_(clock), json_(json), quiet_(quiet) {}
  void write(const agent::LogLine& line);

 private:
  std::ostream& errors_;
  io::Clock& clock_;
  bool json_, quiet_;
  std::mutex mutex_;
};

}  // namespace lifeboat::cli
