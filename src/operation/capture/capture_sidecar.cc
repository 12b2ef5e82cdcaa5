#include "operation/capture/capture_sidecar.h"

#include <algorithm>
#include <functional>

#include "base/thread_name.h"
#include "operation/lineage/member_source.h"

namespace lifeboat::operation {
namespace {

// Each costs a call to the leader; the rest waits for the next poll.
constexpr std::size_t kMostLeasesAPoll = 2000;
// More ids than this are not remembered; etcd itself suffers long before.
constexpr std::size_t kMostLeases = 1'000'000;
constexpr std::size_t kMostReached = 32;

Bytes lease_row(std::int64_t id, std::int64_t ttl_seconds) {
  return etcd::encode_lease({.id = id, .ttl_seconds = ttl_seconds});
}

}  // namespace

SidecarWatch::SidecarWatch(source::Client& client, io::Clock& clock, const etcd::Sidecar& known, std::int64_t revision,
                           std::chrono::seconds poll)
    : own_client_(client.cancelled_by([this] { return stopping(); })),
      client_(*own_client_),
      clock_(clock),
      poll_interval_(poll),
      checked_at_(revision) {
  if (const auto leases = known.leases())
    for (const auto& lease : *leases) leases_.insert(lease.id);
  if (const auto members = known.members())
    for (const auto& member : *members) members_.emplace(member.id, member);
  if (known.auth_revision() != 0) auth_revision_ = known.auth_revision();
  thread_ = std::thread([this] {
    name_thread("sidecar");
    run();
  });
}

SidecarWatch::~SidecarWatch() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void SidecarWatch::saw_lease(std::int64_t id, std::int64_t revision) {
  {
    const std::lock_guard lock(mutex_);
    if (leases_.size() >= kMostLeases || !leases_.insert(id).second) return;
    asked_.push_back({id, revision});
  }
  wake_.notify_all();
}

bool SidecarWatch::wait_for_leases(std::chrono::milliseconds limit) {
  std::unique_lock lock(mutex_);
  return idle_.wait_for(lock, limit, [&] { return asked_.empty(); });
}

std::vector<manifest::SidecarChange> SidecarWatch::take(std::int64_t revision) {
  const std::lock_guard lock(mutex_);
  const auto is_later = [&](const manifest::SidecarChange& change) { return change.by > revision; };
  const auto later = std::stable_partition(changes_.begin(), changes_.end(), std::not_fn(is_later));
  std::vector<manifest::SidecarChange> out(std::move_iterator(changes_.begin()), std::move_iterator(later));
  changes_.erase(changes_.begin(), later);
  return out;
}

void SidecarWatch::note_reached(std::int64_t revision) {
  const std::lock_guard lock(mutex_);
  reached_.push_back({clock_.monotonic(), revision});
  if (reached_.size() > kMostReached) reached_.pop_front();
}

std::int64_t SidecarWatch::reached_before(std::chrono::milliseconds ago) {
  const auto limit = clock_.monotonic() - ago;
  const std::lock_guard lock(mutex_);
  std::int64_t revision = 0;
  for (const Reached& reached : reached_)
    if (reached.at <= limit) revision = reached.revision;
  return revision;
}

bool SidecarWatch::auth_changed() {
  const std::lock_guard lock(mutex_);
  return auth_changed_;
}

bool SidecarWatch::stopping() {
  const std::lock_guard lock(mutex_);
  return stop_;
}

void SidecarWatch::run() {
  auto next_poll = clock_.monotonic();
  std::unique_lock lock(mutex_);
  while (!stop_) {
    if (!asked_.empty()) {
      const Asked lease = asked_.front();
      lock.unlock();
      ask_for(lease);
      lock.lock();
      asked_.pop_front();
      if (asked_.empty()) idle_.notify_all();
    } else if (clock_.monotonic() >= next_poll) {
      lock.unlock();
      const Status polled = poll();
      next_poll = clock_.monotonic() + poll_interval_;
      lock.lock();
      note_poll(polled);
    } else {
      wake_.wait_for(lock, next_poll - clock_.monotonic());
    }
  }
}

// The lease was granted before the put that is attached to it, and after the last poll of all leases.
void SidecarWatch::ask_for(const Asked& lease) {
  const auto ttl = client_.lease_ttl(lease.id);
  const std::lock_guard lock(mutex_);
  if (!ttl) {
    leases_.erase(lease.id);  // the next poll or the next put finds it again
  } else if (*ttl) {
    found({.after = std::min(checked_at_, lease.revision),
           .by = lease.revision,
           .bucket = "lease",
           .key = etcd::lease_key(lease.id),
           .value = lease_row(lease.id, (*ttl)->granted_seconds)});
  }
}

// One that fails does not keep the others from being polled.
Status SidecarWatch::poll() {
  const std::int64_t before = TRY(current_revision(client_));
  note_reached(before);
  const Status leases = poll_leases(before);
  const std::int64_t now = TRY(current_revision(client_));
  const Status members = poll_members(now);
  const Status auth = poll_auth();
  TRY(leases);
  TRY(members);
  {
    const std::lock_guard lock(mutex_);
    checked_at_ = before;
  }
  return auth;
}

// With the mutex held.
void SidecarWatch::note_poll(const Status& polled) {
  polls_.failed_in_a_row = polled ? 0 : polls_.failed_in_a_row + 1;
  polls_.failure = polled ? std::nullopt : std::optional(polled.error());
  ++polls_.done;
}

SidecarWatch::Polls SidecarWatch::polls() {
  const std::lock_guard lock(mutex_);
  return polls_;
}

// The list is one member's own and may lag: a lease that is missing from it is asked for before it counts as revoked.
Status SidecarWatch::poll_leases(std::int64_t before) {
  const auto live = TRY(client_.leases());
  const std::set<std::int64_t> there(live.begin(), live.end());
  std::vector<std::int64_t> doubtful;
  {
    const std::lock_guard lock(mutex_);
    std::ranges::set_symmetric_difference(there, leases_, std::back_inserter(doubtful));
  }
  if (doubtful.size() > kMostLeasesAPoll) doubtful.resize(kMostLeasesAPoll);
  std::vector<std::pair<std::int64_t, std::optional<source::Client::LeaseTtl>>> answers;
  Status asked;
  for (const std::int64_t id : doubtful) {
    if (stopping()) return {};
    const auto ttl = client_.lease_ttl(id);
    if (!ttl) {
      asked = std::unexpected(ttl.error());
      break;
    }
    answers.emplace_back(id, *ttl);
  }
  const std::int64_t now = current_revision(client_).value_or(before);
  const std::lock_guard lock(mutex_);
  for (const auto& [id, ttl] : answers) {
    const bool known = leases_.contains(id);
    if (known == ttl.has_value()) continue;
    if (ttl && leases_.size() >= kMostLeases) continue;
    if (ttl)
      leases_.insert(id);
    else
      leases_.erase(id);
    found({.after = checked_at_,
           .by = now,
           .bucket = "lease",
           .key = etcd::lease_key(id),
           .value = ttl ? std::optional(lease_row(id, ttl->granted_seconds)) : std::nullopt});
  }
  return asked;
}

Status SidecarWatch::poll_members(std::int64_t now) {
  const auto live = TRY(client_.members());
  if (live.empty()) return {};
  std::map<std::uint64_t, etcd::Member> there;
  for (const auto& member : live) there.emplace(member.id, member);
  const std::lock_guard lock(mutex_);
  for (const auto& [id, member] : there) {
    const auto known = members_.find(id);
    if (known != members_.end() && known->second == member) continue;
    found({.after = checked_at_,
           .by = now,
           .bucket = "members",
           .key = to_bytes(etcd::id_text(id)),
           .value = to_bytes(etcd::member_json(member))});
  }
  for (const auto& [id, member] : members_) {
    if (there.contains(id)) continue;
    found({.after = checked_at_, .by = now, .bucket = "members", .key = to_bytes(etcd::id_text(id)), .value = {}});
  }
  members_ = std::move(there);
  return {};
}

Status SidecarWatch::poll_auth() {
  const auto state = TRY(client_.auth_state());
  if (!state) return {};
  const std::lock_guard lock(mutex_);
  if (!auth_revision_) auth_revision_ = state->revision;
  if (*auth_revision_ != state->revision) auth_changed_ = true;
  return {};
}

void SidecarWatch::found(manifest::SidecarChange change) { changes_.push_back(std::move(change)); }

}  // namespace lifeboat::operation
