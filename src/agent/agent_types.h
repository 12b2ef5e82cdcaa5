// What the agent is asked for, and the seams that it borrows.
#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "agent/clients.h"
#include "agent/log.h"
#include "base/ids.h"
#include "operation/capture/capture.h"
#include "repository/store/tail_store.h"
#include "repository/upkeep/history_policy.h"
#include "repository/upkeep/merge.h"

namespace lifeboat::agent {

struct AgentOptions {
  operation::CaptureOptions capture;
  repository::MergePolicy merge;
  std::chrono::nanoseconds history{0};                                // how long every revision is kept; zero: for ever
  std::chrono::nanoseconds history_interval = std::chrono::hours(1);  // between looks at whether history can end
  std::chrono::nanoseconds rpo = std::chrono::seconds(30);            // the objective of /readyz
  // Shorter than Kubernetes' compaction interval, so that consecutive proofs overlap.
  std::chrono::nanoseconds audit_interval = std::chrono::minutes(4);
  std::chrono::nanoseconds snapshot_audit_interval = std::chrono::hours(6);  // looked at after an audit
  std::string listen;                                                        // "127.0.0.1:2390"; empty: nowhere
  std::chrono::nanoseconds merge_interval = std::chrono::minutes(1);
  std::chrono::nanoseconds probe_interval = std::chrono::seconds(2);
  std::chrono::nanoseconds certificate_interval = std::chrono::seconds(3);
  std::chrono::nanoseconds summary_interval = std::chrono::seconds(10);
  std::chrono::nanoseconds stop_within = std::chrono::milliseconds(4500);
};

// What the agent borrows. All but `log`, `capture` and `take_base` are called from the thread that runs it.
struct AgentSeams {
  const repository::Repository& repo;
  io::World& world;
  Connect connect;
  std::function<Sha256()> certificates;          // changes with the content of the TLS files
  std::function<bool()> stop_asked;              // a signal came
  std::function<bool()> reload_asked;            // true once for each SIGHUP
  std::function<Result<AgentOptions>()> reload;  // settings as they are now; a new `listen` has no effect
  std::function<void(bool flushed)> leave;       // ends the process: a thread does not end in time
  Log log;
  std::function<Status(source::Client&, const operation::CaptureOptions&, const operation::CaptureListener&,
                       const std::function<bool()>& cancelled, Progress&)>
      capture;  // operation::capture on `repo`, or a test's stand-in
  std::function<Result<operation::BackupReport>(source::Client&, const operation::BackupOptions&, Progress&)>
      take_base;                          // likewise
  repository::TailStore* tail = nullptr;  // before the repo's store, when there is one
};

}  // namespace lifeboat::agent
