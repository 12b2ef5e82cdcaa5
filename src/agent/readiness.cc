#include "agent/readiness.h"

#include <fmt/format.h>

#include <algorithm>

namespace lifeboat::agent {
namespace {

std::string one_line(std::string text) {
  std::ranges::replace(text, '\n', ' ');
  return text;
}

}  // namespace

Verdict readiness(const Snapshot& state, double rpo_seconds) {
  const std::string cause = state.trouble.empty() ? "" : ": " + one_line(state.trouble);
  if (state.durable_revision == 0) return {false, "nothing is stored yet" + cause};
  if (!state.age_seconds) {
    return {false, fmt::format("revision {} is stored, but not known to be the newest{}",
                               state.durable_revision, cause)};
  }
  const bool yes = *state.age_seconds <= rpo_seconds;
  return {yes, fmt::format("revision {} is durable and was the newest {} ago; the objective is {}{}",
                           state.durable_revision, duration_text(*state.age_seconds),
                           duration_text(rpo_seconds), yes ? "" : cause)};
}

}  // namespace lifeboat::agent
