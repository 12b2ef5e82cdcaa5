// The capturing loop: find where the stored history ends, follow the cluster from there, take a base where it cannot be
// followed.
#include "operation/capture/capture.h"

#include <algorithm>
#include <utility>

#include "operation/backup/backup_etcd.h"
#include "operation/capture/ask_members.h"
#include "operation/capture/base_plan.h"
#include "operation/capture/capture_errors.h"
#include "operation/capture/capture_follower.h"
#include "operation/capture/capture_log.h"
#include "operation/capture/capture_reports.h"
#include "operation/capture/capture_sidecar.h"
#include "operation/capture/capture_spool.h"
#include "operation/capture/watch_setbacks.h"
#include "operation/lineage/backlog_cost.h"
#include "operation/lineage/history_search.h"
#include "operation/lineage/member_source.h"
#include "source/etcd/watch.h"

namespace lifeboat::operation {
namespace {

using std::chrono::nanoseconds;
using Members = HistorySearch::Members;

constexpr std::chrono::seconds kRetryMax{30};
constexpr std::chrono::milliseconds kSleepTick{50};
constexpr std::chrono::milliseconds kStorePoll{100};
constexpr std::chrono::milliseconds kLagPoll{200};
constexpr std::chrono::milliseconds kLastFlushPatience{2500};
constexpr int kLagPollsMax = 5;

class BaseProgress final : public Progress {
 public:
  BaseProgress(Progress& to, const std::function<bool()>& cancelled) : to_(to), cancelled_(cancelled) {}
  void stage(std::string_view name, std::uint64_t total_bytes) override { to_.stage(name, total_bytes); }
  void end_stage() override { to_.end_stage(); }
  void advance(std::uint64_t bytes) override { to_.advance(bytes); }
  void note(std::string_view sentence) override { to_.note(sentence); }
  bool cancelled() const override { return to_.cancelled() || cancelled_(); }

 private:
  Progress& to_;
  const std::function<bool()>& cancelled_;
};

class Capture {
 public:
  Capture(const repository::Repository& repo, io::World& world, source::Client& client, const CaptureOptions& options,
          const CaptureListener& listener, const std::function<bool()>& cancelled, Progress& progress)
      : repo_(repo),
        world_(world),
        whole_client_(client),
        own_client_(client.cancelled_by(cancelled)),
        client_(*own_client_),
        options_(options),
        cancelled_(cancelled),
        progress_(progress, cancelled),
        log_(repo, world, options, listener),
        reports_(log_, listener),
        search_(
            client_, [this] { return ask_members_later(); }, cancelled),
        plan_(options.retry),
        backoff_(options.retry) {}

  Status run() {
    while (!cancelled_()) {
      const Status step = attempt();
      // What was received may be kept by half: the next capture reads it again.
      if (!step && step.error().code() == ErrorCode::kInternal) return step;
      if (step || cancelled_()) continue;
      if (ends_capture(step.error(), reports_.has_followed())) return step;
      reports_.failure(step.error());
      wait(backoff_);
      backoff_ = std::min<nanoseconds>(backoff_ * 2, kRetryMax);
    }
    finish();
    return {};
  }

 private:
  // One connection, from choosing the member to the end of its watch.
  Status attempt() {
    const auto live = TRY(ask_members(client_, failed_endpoint_));
    if (!have_head_) TRY(find_head(live));
    if (have_head_ && !plan_.is_requested()) TRY(check_history(live));
    const bool is_requested = plan_.take_request();
    return is_requested || !have_head_ ? take_base(live) : follow(live);
  }

  Result<Members> ask_members_later() {
    wait(kLagPoll);
    return ask_members(client_, failed_endpoint_);
  }

  // The lineage of the repo that this cluster continues, if there is one.
  Status find_head(const Members& live) {
    FoundHistory found = TRY(search_.find(repo_, live));
    if (!known_) known_ = std::move(found.newest);
    if (!found.reason.empty()) plan_.set_reason(std::move(found.reason));
    if (!found.continued) return {};
    known_ = found.continued;
    begin_from(*std::move(found.continued));
    if (found.is_compacted) request_base();
    return {};
  }

  // Rule 7 at every connect.
  Status check_history(const Members& live) {
    const auto compared = TRY(search_.compare(log_.head(), live));
    if (compared.answer != Continuation::Answer::kContinues) request_base({.reason = compared.reason});
    return {};
  }

  void request_base(const BaseRequest& request = {}) { plan_.request(request, world_.clock.monotonic()); }

  void begin_from(CaptureHead head) {
    sidecar_.reset();
    sidecar_ =
        std::make_unique<SidecarWatch>(whole_client_, world_.clock, head.sidecar, head.revision, options_.sidecar_poll);
    head.sidecar = {};
    log_.begin(std::move(head), sidecar_.get());
    have_head_ = true;
  }

  Status follow(const Members& live) {
    const source::MemberStatus& member = live.front();
    const std::int64_t backlog = member.revision - log_.head().revision;
    if (is_snapshot_faster(kCaptureCost, {.revisions = backlog}, member.db_bytes)) {
      request_base();
      return {};
    }
    for (const auto& status : live)
      log_.note_raft_position({status.revision, status.raft_applied_index}, status.raft_term);
    log_.set_source(source_of(member));
    CaptureFollower follower(log_, *sidecar_, world_, client_, member.endpoint);
    follower.set_auth_base_allowed(plan_.may_request_for_users(world_.clock.monotonic()));
    bool is_reported = false;
    follower.on_opened = [&](const source::WatchOrigin&) {
      reports_.watch_opened(sidecar_->polls());
      if (!std::exchange(is_reported, true)) reports_.following(member.endpoint);
    };
    follower.on_idle = [this] { reports_.sidecar(sidecar_->polls()); };
    if (backlog > kLongBacklog) {
      const HeavyTurn turn = heavy_turn();
      if (!turn) return {};
      const source::CatchUpRequest request{
          .endpoint = member.endpoint, .from = log_.head().revision + 1, .to = member.revision};
      const auto outcome = source::catch_up(client_, request, follower, cancelled_);
      const bool is_caught_up = outcome && outcome->end == source::WatchEnd::kCancelled;
      if (!is_caught_up || cancelled_()) return end_watch(outcome, follower, member);
    }
    source::WatchRequest request{.endpoint = member.endpoint, .from = log_.head().revision + 1};
    request.fragments = !setbacks_.is_silent_at(log_.head().revision);
    return end_watch(source::watch_revisions(client_, request, follower, cancelled_), follower, member);
  }

  Status end_watch(const Result<source::WatchOutcome>& outcome, const CaptureFollower& follower,
                   const source::MemberStatus& member) {
    if (follower.followed()) {
      backoff_ = options_.retry;
      plan_.followed();
    }
    const WatchVerdict verdict = setbacks_.after(
        {.outcome = outcome, .stopped = follower.why(), .reached = log_.head().revision, .expected = member.revision});
    if (verdict.wait_for_store) return wait_for_store();
    if (verdict.avoid_member) failed_endpoint_ = member.endpoint;
    if (verdict.recheck_keys) log_.forget_versions();
    if (verdict.retry_soon) backoff_ = options_.retry;
    if (verdict.base) request_base(*verdict.base);
    if (verdict.error) return std::unexpected(*verdict.error);
    return {};
  }

  // No watch is open meanwhile, so that etcd does not have to buffer for one that does not read.
  Status wait_for_store() {
    while (!cancelled_() && !log_.flush()) {
      if (log_.permanent_refusal()) return std::unexpected(*log_.permanent_refusal());
      wait(kStorePoll);
    }
    return {};
  }

  // Held while much memory is needed; nullptr: cancelled.
  using HeavyTurn = std::shared_ptr<void>;
  HeavyTurn heavy_turn() {
    if (!options_.heavy_turn) return std::make_shared<bool>();
    return options_.heavy_turn([this] {
      log_.flush_if_due();
      return cancelled_();
    });
  }

  // Received revisions are stored before a base takes over the end of the log: etcd may have compacted them by now, and
  // where history forked they belong to the old one.
  Status store_waiting() {
    if (log_.flush()) return {};
    if (log_.permanent_refusal()) return std::unexpected(*log_.permanent_refusal());
    return fail(ErrorCode::kStorageFailed, "captured revisions wait to be stored");
  }

  // The watch is open before the base is streamed, so that no compaction slips between the two.
  Status take_base(const Members& live) {
    TRY(store_waiting());
    wait(plan_.pause());
    if (cancelled_()) return {};
    const HeavyTurn turn = heavy_turn();
    if (!turn) return {};
    const source::MemberStatus member = caught_up_member(live.front());
    const std::int64_t end_before = have_head_ ? log_.durable() : known_ ? known_->revision : 0;
    CaptureSpool spool(client_, world_.clock, {.endpoint = member.endpoint, .from = member.revision + 1},
                       options_.waiting_bytes / 2);  // a base needs memory beside it
    spool.wait_opened(cancelled_);
    const BackupReport report = TRY(backup_etcd(repo_, world_, client_, base_options(member.endpoint), progress_));
    spool.end();
    CaptureHead head = TRY(load_capture_head(repo_, report.lineage));
    const bool is_same_lineage = known_ && known_->lineage.id == head.lineage.id;
    reports_.base(report, head, member.endpoint, plan_.reason());
    if (is_same_lineage)
      reports_.gap(end_before, report);
    else if (known_)
      reports_.new_lineage(head);
    known_ = head;
    known_->sidecar = {};
    plan_.taken();
    setbacks_.base_taken();
    begin_from(std::move(head));
    log_.set_source(source_of(member));
    take_spooled(spool.records());
    backoff_ = options_.retry;
    return {};
  }

  BackupOptions base_options(const std::string& endpoint) const {
    BackupOptions backup = options_.backup;
    if (backup.endpoint.empty()) backup.endpoint = endpoint;
    backup.full = true;
    backup.prove = false;  // reads the whole log, while nothing is followed; audits prove what follows
    return backup;
  }

  // A member that lags behind what is stored already is given a moment; a restored one never gets there.
  source::MemberStatus caught_up_member(source::MemberStatus member) {
    for (int polls = 0; have_head_ && member.revision < log_.durable() && polls < kLagPollsMax && !cancelled_();
         ++polls) {
      wait(kLagPoll);
      if (auto status = client_.status(member.endpoint)) member = *std::move(status);
    }
    return member;
  }

  // What the watch received beyond the base; revisions that do not follow it are read again.
  void take_spooled(std::span<const etcd::Record> records) {
    const auto beyond = std::ranges::find_if(
        records, [&](const auto& record) { return record.key.revision.main > log_.head().revision; });
    const std::span<const etcd::Record> rest(beyond, records.end());
    if (!rest.empty() && rest.front().key.revision.main == log_.head().revision + 1 && !log_.add(rest))
      log_.forget_versions();
  }

  manifest::Source source_of(const source::MemberStatus& member) const {
    manifest::Source source;
    source.kind = "watch";
    source.cluster = log_.head().cluster;
    describe_member(member, source);
    source.consistent_index = log_.head().raft_index;
    source.term = log_.head().raft_term;
    return source;
  }

  void wait(nanoseconds time) {
    const auto until = world_.clock.monotonic() + time;
    while (!cancelled_() && world_.clock.monotonic() < until) {
      log_.flush_if_due();
      world_.clock.sleep(kSleepTick);
    }
  }

  void finish() {
    const auto until = world_.clock.monotonic() + kLastFlushPatience;
    while (!log_.flush(true) && world_.clock.monotonic() < until) world_.clock.sleep(kSleepTick);
  }

  const repository::Repository& repo_;
  io::World& world_;
  source::Client& whole_client_;  // of what goes on until the last flush
  const std::shared_ptr<source::Client> own_client_;
  source::Client& client_;  // its calls end when capture is cancelled
  const CaptureOptions& options_;
  const std::function<bool()>& cancelled_;
  BaseProgress progress_;
  std::unique_ptr<SidecarWatch> sidecar_;
  CaptureLog log_;
  CaptureReports reports_;
  HistorySearch search_;
  WatchSetbacks setbacks_;
  BasePlan plan_;
  std::optional<CaptureHead> known_;  // the newest history of this cluster, continued or not
  bool have_head_ = false;
  std::string failed_endpoint_;
  nanoseconds backoff_;
};

}  // namespace

Status capture(const repository::Repository& repo, io::World& world, source::Client& client,
               const CaptureOptions& options, const CaptureListener& listener, const std::function<bool()>& cancelled,
               Progress& progress) {
  return Capture(repo, world, client, options, listener, cancelled, progress).run();
}

}  // namespace lifeboat::operation
