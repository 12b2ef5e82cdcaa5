// The capturing loop: find where history ends, follow the cluster from there, take a base where it
// cannot be followed.
#include "operation/capture/capture.h"

#include <algorithm>
#include <future>
#include <utility>

#include <fmt/format.h>

#include "base/error_group.h"
#include "operation/backup/backup_etcd.h"
#include "operation/capture/capture_follower.h"
#include "operation/capture/capture_log.h"
#include "operation/capture/capture_sidecar.h"
#include "operation/capture/capture_spool.h"
#include "operation/lineage/capture_head.h"
#include "operation/lineage/member_source.h"
#include "source/etcd/endpoint_choice.h"
#include "source/etcd/watch.h"

namespace lifeboat::operation {
namespace {

using Kind = CaptureEvent::Kind;
using std::chrono::nanoseconds;
using Stop = CaptureFollower::Stop;

// A longer backlog is read by staggered watches.
constexpr std::int64_t kLongBacklog = 5000;
// What catching up and a base come to, roughly; a backlog that would take longer than a base is
// left to one.
constexpr double kCatchUpEventsPerSecond = 80'000;
constexpr double kBaseBytesPerSecond = 100e6;
constexpr double kBaseAnywaySeconds = 5;
constexpr std::chrono::minutes kAuthBaseInterval{5};
constexpr std::chrono::seconds kLongestBackoff{30};
constexpr std::chrono::milliseconds kSleepTick{50};
constexpr std::chrono::milliseconds kLastFlushPatience{2500};
constexpr int kSameRuleBroken = 3;        // then a base is taken instead of a fourth try
constexpr int kSameSilence = 2;           // likewise
constexpr int kLagPatience = 5;           // of 200 ms each
constexpr unsigned kSidecarPatience = 3;  // polls in a row that fail, before it is told
constexpr int kMostDoublings = 9;         // of the wait before a base, when the one before was in vain
constexpr int kRaftPatience = 5;          // a lagging member may tell an older raft position

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
        client_(client),
        options_(options),
        listener_(listener),
        cancelled_(cancelled),
        progress_(progress, cancelled),
        log_(repo, world, options, listener),
        backoff_(options.retry) {}

  Status run() {
    while (!cancelled_()) {
      const Status step = attempt();
      if (step || cancelled_()) continue;
      if (is_final(step.error())) return step;
      tell_failure(step.error());
      wait(backoff_);
      backoff_ = std::min<nanoseconds>(backoff_ * 2, kLongestBackoff);
    }
    finish();
    return {};
  }

 private:
  // One connection, from choosing the member to the end of its watch.
  Status attempt() {
    const auto live = TRY(ask_members());
    if (!have_head_) TRY(find_head(live));
    if (have_head_ && !base_wanted_) TRY(check_history(live));
    // One that fails is wanted anew by what still needs it; what does not is followed meanwhile.
    if (const bool is_wanted = std::exchange(base_wanted_, false); !have_head_ || is_wanted) return take_base(live);
    return follow(live);
  }

  // Best first; a member that is not far behind the others keeps its place.
  Result<std::vector<source::MemberStatus>> ask_members() {
    std::vector<std::future<Result<source::MemberStatus>>> answers;
    for (const auto& endpoint : client_.endpoints())
      answers.push_back(std::async(std::launch::async, [this, &endpoint] { return client_.status(endpoint); }));
    std::vector<source::MemberStatus> live;
    std::optional<Error> error;
    for (auto& answer : answers) {
      auto status = answer.get();
      if (status)
        live.push_back(*std::move(status));
      else
        error = status.error();
    }
    if (live.empty()) return std::unexpected(*error);
    source::sort_best_first(live, {.failed_last = failed_endpoint_, .lag_allowed = source::kLagWorthSaying});
    return live;
  }

  // The lineage of the repo that this cluster continues, if there is one.
  Status find_head(const std::vector<source::MemberStatus>& live) {
    const auto catalogue = TRY(repository::Catalogue::load(repo_));
    for (CaptureHead& head : TRY(load_capture_heads(repo_, catalogue, etcd_id_text(live.front().cluster_id)))) {
      if (!known_) known_ = head;
      const auto found = TRY(ask_continues(head, live));
      if (found.answer == Continuation::Answer::kDiffers) {
        reason_ = found.reason;
        continue;
      }
      known_ = head;
      begin_from(std::move(head));
      base_wanted_ = found.answer == Continuation::Answer::kCompacted;
      return {};
    }
    return {};
  }

  // Rule 7 at every connect.
  Status check_history(const std::vector<source::MemberStatus>& live) {
    const auto found = TRY(ask_continues(log_.head(), live));
    if (found.answer == Continuation::Answer::kContinues) return {};
    reason_ = found.reason;
    base_wanted_ = true;
    return {};
  }

  Result<Continuation> ask_continues(const CaptureHead& head, std::vector<source::MemberStatus> live) {
    for (int tries = 0;; ++tries) {
      auto found = TRY(continues(client_, head, live));
      const bool index_only = found.difference == Continuation::Difference::kRaftPosition;
      if (!index_only || tries == kRaftPatience || cancelled_()) return found;
      wait(std::chrono::milliseconds(200));
      live = TRY(ask_members());
    }
  }

  void begin_from(CaptureHead head) {
    sidecar_.reset();
    sidecar_ =
        std::make_unique<SidecarWatch>(client_, world_.clock, head.sidecar, head.revision, options_.sidecar_poll);
    head.sidecar = {};
    log_.begin(std::move(head), sidecar_.get());
    have_head_ = true;
    base_wanted_ = false;
  }

  Status follow(const std::vector<source::MemberStatus>& live) {
    const source::MemberStatus& member = live.front();
    const std::int64_t backlog = member.revision - log_.head().revision;
    if (is_base_faster(member, backlog)) {
      base_wanted_ = true;
      return {};
    }
    for (const auto& status : live)
      log_.note_raft_position({status.revision, status.raft_applied_index}, status.raft_term);
    log_.set_source(source_of(member));
    expected_ = member.revision;
    CaptureFollower follower(log_, *sidecar_, world_, client_, member.endpoint);
    follower.set_auth_base_allowed(auth_base_allowed());
    bool told = false;
    follower.on_opened = [&](const source::WatchOrigin&) {
      polls_before_ = sidecar_->polls().done;
      if (!told) tell_following(member.endpoint);
      told = true;
    };
    follower.on_idle = [this] { tell_sidecar(); };
    if (backlog > kLongBacklog) {
      const HeavyTurn turn = heavy_turn();
      if (!turn) return {};
      const source::CatchUpRequest request{
          .endpoint = member.endpoint, .from = log_.head().revision + 1, .to = member.revision};
      const auto outcome = source::catch_up(client_, request, follower, cancelled_);
      const bool all = outcome && outcome->end == source::WatchEnd::kCancelled;
      if (!all || cancelled_()) return after(outcome, follower, member.endpoint);
    }
    source::WatchRequest request{.endpoint = member.endpoint, .from = log_.head().revision + 1};
    request.fragments = !is_silent_here();
    return after(source::watch_revisions(client_, request, follower, cancelled_), follower, member.endpoint);
  }

  static bool is_base_faster(const source::MemberStatus& member, std::int64_t backlog) {
    const double base_s = kBaseAnywaySeconds + static_cast<double>(member.db_bytes) / kBaseBytesPerSecond;
    return static_cast<double>(backlog) / kCatchUpEventsPerSecond > base_s;
  }

  Status after(const Result<source::WatchOutcome>& outcome, const CaptureFollower& follower,
               const std::string& endpoint) {
    if (follower.followed()) {
      backoff_ = options_.retry;
      bases_in_vain_ = 0;
    }
    if (!outcome) return after_own_stop(outcome.error(), follower.why(), endpoint);
    switch (outcome->end) {
      case source::WatchEnd::kCancelled:
        return {};
      case source::WatchEnd::kCompacted:
        base_wanted_ = true;
        return {};
      case source::WatchEnd::kBroken:
        break;
    }
    failed_endpoint_ = endpoint;
    const Error error = outcome->error.value_or(Error(ErrorCode::kEtcdFailed, "the watch ended"));
    if (error.code() == ErrorCode::kLogRuleBroken) return after_broken_rule(error);
    const bool too_large = is_silent_here() && error.code() == ErrorCode::kEtcdFailed;
    if (error.code() == ErrorCode::kTimeout || too_large) note_silence();
    return std::unexpected(error);
  }

  bool is_silent_here() const { return silent_times_ != 0 && silent_at_ == log_.head().revision; }

  // A member that answers and has more, but sends none of it: it may be cutting very many events into fragments, and
  // would begin anew with each watch. The next watch asks for none; where that brings nothing either, a snapshot does.
  void note_silence() {
    if (expected_ <= log_.head().revision) return;
    if (silent_at_ != log_.head().revision) silent_times_ = 0;
    silent_at_ = log_.head().revision;
    backoff_ = options_.retry;
    if (++silent_times_ < kSameSilence) return;
    silent_times_ = 0;
    reason_ = fmt::format("etcd sends nothing of what follows revision {}", silent_at_);
    base_wanted_ = true;
  }

  Status after_own_stop(const Error& error, Stop why, const std::string& endpoint) {
    switch (why) {
      case Stop::kStoreFull:
        return wait_for_store();
      case Stop::kRuleBroken:
        return after_broken_rule(error);
      case Stop::kCompacted:
        base_wanted_ = true;
        return {};
      case Stop::kAuthChanged:
        reason_ = "users or roles changed, and only a snapshot shows how";
        base_wanted_ = true;
        auth_base_at_ = world_.clock.monotonic();
        return {};
      case Stop::kLagging:
        failed_endpoint_ = endpoint;
        break;
      case Stop::kNone:
        break;
    }
    return std::unexpected(error);
  }

  // What waits is whole and good; what broke the rule was not taken. The next try reads it again,
  // elsewhere if it can.
  Status after_broken_rule(const Error& error) {
    log_.forget_versions();
    if (broken_at_ != log_.head().revision) broken_times_ = 0;
    broken_at_ = log_.head().revision;
    if (++broken_times_ >= kSameRuleBroken) {
      broken_times_ = 0;
      base_wanted_ = true;
    }
    return std::unexpected(error);
  }

  // No watch is held open meanwhile: etcd is not kept waiting.
  Status wait_for_store() {
    while (!cancelled_() && !log_.flush()) {
      if (log_.hopeless()) return std::unexpected(*log_.hopeless());
      wait(std::chrono::milliseconds(100));
    }
    return {};
  }

  bool auth_base_allowed() const {
    return !auth_base_at_ || world_.clock.monotonic() - *auth_base_at_ >= kAuthBaseInterval;
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

  // What was received is stored before a base takes the log's end from it: etcd may have compacted it by now, and it is
  // of the old history where that ended.
  Status store_what_waits() {
    if (log_.flush()) return {};
    if (log_.hopeless()) return std::unexpected(*log_.hopeless());
    return fail(ErrorCode::kStorageFailed, "captured revisions wait to be stored");
  }

  // The watch stands before the base is streamed, so that no compaction slips between the two.
  Status take_base(const std::vector<source::MemberStatus>& live) {
    TRY(store_what_waits());
    if (bases_in_vain_ > 0) wait(options_.retry * (1 << std::min(bases_in_vain_, kMostDoublings)));
    if (cancelled_()) return {};
    const HeavyTurn turn = heavy_turn();
    if (!turn) return {};
    const source::MemberStatus member = caught_up_member(live.front());
    const std::int64_t end_before = have_head_ ? log_.durable() : known_ ? known_->revision : 0;
    CaptureSpool spool(client_, world_.clock, {.endpoint = member.endpoint, .from = member.revision + 1},
                       options_.waiting_bytes / 2);  // beside a base
    spool.wait_opened(cancelled_);
    BackupOptions backup = options_.backup;
    if (backup.endpoint.empty()) backup.endpoint = member.endpoint;
    backup.full = true;
    backup.prove = false;  // reads the whole log, while nothing is followed; audits prove what follows
    const BackupReport report = TRY(backup_etcd(repo_, world_, client_, backup, progress_));
    spool.end();
    CaptureHead head = TRY(load_capture_head(repo_, report.lineage));
    const bool same_lineage = known_ && known_->lineage.id == head.lineage.id;
    tell_base(report, head, member.endpoint);
    if (same_lineage) tell_gap(end_before, report);
    if (!same_lineage && known_) tell_new_lineage(head);
    known_ = head;
    known_->sidecar = {};
    ++bases_in_vain_;
    broken_times_ = 0;
    begin_from(std::move(head));
    log_.set_source(source_of(member));
    take_spooled(spool.records());
    backoff_ = options_.retry;
    return {};
  }

  // A member that lags behind what is stored already is given a moment; a restored one never gets
  // there.
  source::MemberStatus caught_up_member(source::MemberStatus member) {
    for (int tries = 0; have_head_ && member.revision < log_.durable() && tries < kLagPatience && !cancelled_();
         ++tries) {
      wait(std::chrono::milliseconds(200));
      if (auto status = client_.status(member.endpoint)) member = *std::move(status);
    }
    return member;
  }

  // What the watch brought beyond the base; revisions that do not follow it are read again.
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

  CaptureEvent event(Kind kind, std::string text) const {
    return {.kind = kind,
            .text = std::move(text),
            .revision = log_.durable(),
            .time = log_.durable_time(),
            .lineage = log_.head().lineage.id,
            .endpoint = {}};
  }
  void tell_following(const std::string& endpoint) {
    if (std::exchange(store_failed_, false) && !log_.failing())
      listener_(event(Kind::kStoreRecovered, "the repo answers again"));
    CaptureEvent told = event(was_lost_ ? Kind::kRecovered : Kind::kFollowing,
                              fmt::format("following {} from revision {}", endpoint, log_.head().revision));
    told.endpoint = endpoint;
    was_lost_ = false;
    followed_once_ = true;
    listener_(told);
  }
  void tell_base(const BackupReport& report, const CaptureHead& head, const std::string& endpoint) {
    CaptureEvent told = event(Kind::kBase, fmt::format("took a base at revision {}{}", report.revision,
                                                       reason_.empty() ? "" : ": " + reason_));
    told.revision = report.revision;
    told.time = head.latest;
    told.bytes = report.stored_bytes;
    told.seconds = report.total_seconds;
    told.lineage = head.lineage.id;
    told.endpoint = endpoint;
    reason_.clear();
    listener_(told);
  }
  void tell_gap(std::int64_t end_before, const BackupReport& report) {
    if (report.complete_from <= end_before + 1) return;
    CaptureEvent told = event(Kind::kGap, fmt::format("etcd had compacted revisions {} to {} before they were stored",
                                                      end_before + 1, report.complete_from - 1));
    told.revision = report.revision;
    told.lineage = report.lineage;
    told.gap_from = end_before + 1;
    told.gap_to = report.complete_from - 1;
    listener_(told);
  }
  void tell_new_lineage(const CaptureHead& head) {
    CaptureEvent told = event(Kind::kNewLineage, fmt::format("a new lineage begins: {}", head.lineage.reason));
    told.revision = head.revision;
    told.time = head.latest;
    told.lineage = head.lineage.id;
    listener_(told);
  }
  // Of the polls since the watch stands; that it does not is told by itself.
  void tell_sidecar() {
    const SidecarWatch::Polls polls = sidecar_->polls();
    const unsigned done = polls.done - polls_before_;
    if (!sidecar_failing_ && std::min(polls.failed_in_a_row, done) >= kSidecarPatience) {
      sidecar_failing_ = true;
      listener_(
          event(Kind::kSidecarFailed,
                fmt::format("changes of leases, members and users are not captured, since etcd cannot be asked: {}",
                            polls.failure->to_string())));
    } else if (sidecar_failing_ && done != 0 && polls.failed_in_a_row == 0) {
      sidecar_failing_ = false;
      listener_(event(Kind::kSidecarRecovered, "changes of leases, members and users are captured again"));
    }
  }
  void tell_failure(const Error& error) {
    const bool of_store = is_of_store(error);
    (of_store ? store_failed_ : was_lost_) = true;
    listener_(event(of_store ? Kind::kStoreFailed : Kind::kEndpointLost, error.to_string()));
  }

  // What etcd delivers breaks rules, or comes as a damaged database; objects are of the repo.
  static bool is_of_store(const Error& error) {
    const ErrorGroup group = group_of(error.code());
    return group == ErrorGroup::kStorage || group == ErrorGroup::kRepository ||
           error.code() == ErrorCode::kObjectDamaged || error.code() == ErrorCode::kVerifyBeforePublish;
  }

  bool is_final(const Error& error) const {
    switch (error.code()) {
      case ErrorCode::kWrongKey:
      case ErrorCode::kRepoVersionUnknown:
      case ErrorCode::kRepoFeatureUnknown:
        return true;
      case ErrorCode::kCredentialsRefused:
      case ErrorCode::kPermissionDenied:
      case ErrorCode::kClientCertificateUnusable:
        return !followed_once_;
      default:
        return false;
    }
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
  source::Client& client_;
  const CaptureOptions& options_;
  const CaptureListener& listener_;
  const std::function<bool()>& cancelled_;
  BaseProgress progress_;
  std::unique_ptr<SidecarWatch> sidecar_;
  CaptureLog log_;
  std::optional<CaptureHead> known_;  // the newest history of this cluster, continued or not
  bool have_head_ = false, base_wanted_ = false, was_lost_ = false, store_failed_ = false, followed_once_ = false,
       sidecar_failing_ = false;
  std::string reason_;  // for the next base
  std::string failed_endpoint_;
  std::int64_t broken_at_ = 0;
  int broken_times_ = 0;
  unsigned polls_before_ = 0;  // of the sidecar, when the watch was opened
  std::int64_t expected_ = 0;  // what the member that is followed had when it was chosen
  std::int64_t silent_at_ = 0;
  int silent_times_ = 0;
  int bases_in_vain_ = 0;  // since something was followed: each costs the cluster a snapshot
  std::optional<nanoseconds> auth_base_at_;
  nanoseconds backoff_;
};

}  // namespace

Status capture(const repository::Repository& repo, io::World& world, source::Client& client,
               const CaptureOptions& options, const CaptureListener& listener, const std::function<bool()>& cancelled,
               Progress& progress) {
  return Capture(repo, world, client, options, listener, cancelled, progress).run();
}

}  // namespace lifeboat::operation
