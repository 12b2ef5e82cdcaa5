#include "agent/connection_keeper.h"

#include <utility>

namespace lifeboat::agent {
namespace {

constexpr std::chrono::seconds kAnswerPatience{1};  // with the repo, before the wait for it is reported

}  // namespace

Status ConnectionKeeper::connect() {
  certificates_ = context_.seams.certificates();
  return context_.clients.connect();
}

void ConnectionKeeper::check() {
  if (context_.seams.reload_asked()) reload_wanted_ = true;
  if (context_.reconnect_wanted.exchange(false)) reconnect("capture asked for it");
  if (is_due(context_.clock, next_certificates_, context_.options().certificate_interval))
    certificates_changed_ = context_.seams.certificates() != certificates_;
  if (!reload_wanted_ && !certificates_changed_)
    asked_at_.reset();
  else if (may_reconnect())
    apply();
}

// After a reconnect capture asks the repo where its history ends, so it has to wait until the repo answers. While the
// repo is away, capture continues into the tail as it is.
bool ConnectionKeeper::may_reconnect() {
  repository::TailStore* const repo_tail = context_.seams.tail;
  if (repo_tail == nullptr) return true;
  const repository::TailState tail = repo_tail->state();
  const auto now = context_.clock.monotonic();
  if (!asked_at_) {
    asked_at_ = now;
    answers_before_ = tail.answers;
    repo_tail->ask();
  }
  if (tail.answers != answers_before_ && !tail.failing) return true;
  if (now - *asked_at_ >= kAnswerPatience) report_wait();
  return false;
}

void ConnectionKeeper::report_wait() {
  if (reload_wanted_ && !std::exchange(is_wait_reported_, true))
    context_.info("reload", "the settings and certificates are read anew when the repo is back");
}

void ConnectionKeeper::apply() {
  is_wait_reported_ = false;
  asked_at_.reset();
  if (std::exchange(reload_wanted_, false)) reload_settings();
  if (std::exchange(certificates_changed_, false)) take_certificates();
}

void ConnectionKeeper::reload_settings() {
  auto fresh = context_.seams.reload();
  if (!fresh) {
    context_.warn("reload", "the settings were not taken: " + fresh.error().to_string());
    return;
  }
  context_.set_options(*std::move(fresh));
  reconnect("settings and certificates were read anew");
}

// Files are replaced one by one: a pair that does not match yet is tried again.
void ConnectionKeeper::take_certificates() {
  const Sha256 found = context_.seams.certificates();
  if (found == certificates_) return;
  const auto connected = context_.clients.connect();
  if (connected) {
    certificates_ = found;
    context_.info("certificates", "the certificates on disk changed and are in use now");
  } else if (found != refused_certificates_) {
    refused_certificates_ = found;
    context_.warn("certificates",
                  "the certificates on disk changed and cannot be used yet: " + connected.error().to_string());
  }
}

void ConnectionKeeper::reconnect(const std::string& reason) {
  const Sha256 found = context_.seams.certificates();
  if (const auto connected = context_.clients.connect(); !connected) {
    context_.warn("reload", "the connection to etcd was not made anew: " + connected.error().to_string());
    return;
  }
  certificates_ = found;
  context_.info("reload", reason + "; connecting to etcd anew");
}

}  // namespace lifeboat::agent
