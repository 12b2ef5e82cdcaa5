#include "agent/readiness.h"

#include <fmt/format.h>

#include "base/text.h"

namespace lifeboat::agent {
namespace {

// Of what is durable on this host's disk alone.
std::string where(const Snapshot& state) {
  if (!state.tail || state.tail->segments == 0) return "";
  const std::string age = state.stored_age_seconds
                              ? fmt::format(", which was the newest {} ago", duration_text(*state.stored_age_seconds))
                              : "";
  return fmt::format(" in the tail ({} segments wait, {}; the repo has revision {}{})", state.tail->segments,
                     size_text(state.tail->bytes), state.stored_revision(), age);
}

}  // namespace

Verdict readiness(const Snapshot& state, double rpo_seconds) {
  const std::string cause = state.trouble.empty() ? "" : ": " + one_line(state.trouble);
  if (state.durable_revision == 0) return {false, "nothing is stored yet" + cause};
  if (!state.age_seconds) {
    return {false,
            fmt::format("revision {} is stored, but not known to be the newest{}", state.durable_revision, cause)};
  }
  const bool yes = *state.age_seconds <= rpo_seconds;
  return {yes, fmt::format("revision {} is durable{} and was the newest {} ago; the objective is {}{}",
                           state.durable_revision, where(state), duration_text(*state.age_seconds),
                           duration_text(rpo_seconds), yes ? "" : cause)};
}

}  // namespace lifeboat::agent
