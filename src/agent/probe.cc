#include "agent/probe.h"

namespace lifeboat::agent {
namespace {

constexpr std::chrono::seconds kPauseAfterSilence{20};

}  // namespace

std::optional<Probe> Prober::ask(source::Client& client, std::int64_t durable_revision,
                                 const std::function<void()>& beat) {
  Probe probe{.revision = 0, .has_leader = false, .durable_before = durable_revision, .begun = clock_.monotonic()};
  bool any = false;
  for (const std::string& endpoint : client.endpoints()) {
    beat();
    const auto silent = silent_until_.find(endpoint);
    if (silent != silent_until_.end() && clock_.monotonic() < silent->second) continue;
    const auto status = client.status(endpoint);
    if (!status) {
      silent_until_[endpoint] = clock_.monotonic() + kPauseAfterSilence;
      continue;
    }
    silent_until_.erase(endpoint);
    any = true;
    if (status->revision > probe.revision) {
      probe.revision = status->revision;
      probe.has_leader = status->leader != 0;
    } else if (status->revision == probe.revision) {
      probe.has_leader = probe.has_leader || status->leader != 0;
    }
  }
  return any ? std::optional(probe) : std::nullopt;
}

}  // namespace lifeboat::agent
