// ConnectionKeeper: takes new settings and certificates while the agent runs, and connects to etcd with them.
#pragma once

#include <optional>
#include <string>

#include "agent/agent_context.h"

namespace lifeboat::agent {

// Of the supervising thread.
class ConnectionKeeper {
 public:
  explicit ConnectionKeeper(AgentContext& context) : context_(context) {}

  // The first connection.
  Status connect();
  // To be called several times a second: looks for a SIGHUP, for certificates that changed, for a wish of capture.
  void check();

 private:
  bool may_reconnect();
  void report_wait();
  void apply();
  void reload_settings();
  void take_certificates();
  void reconnect(const std::string& reason);

  AgentContext& context_;
  Sha256 certificates_, refused_certificates_;  // in use; known not to work
  std::chrono::nanoseconds next_certificates_{};
  bool reload_wanted_ = false;  // by a SIGHUP
  bool is_wait_reported_ = false;
  bool certificates_changed_ = false;                 // those on disk are not those in use
  std::optional<std::chrono::nanoseconds> asked_at_;  // the repo, whether it answers
  std::uint64_t answers_before_ = 0;
};

}  // namespace lifeboat::agent
