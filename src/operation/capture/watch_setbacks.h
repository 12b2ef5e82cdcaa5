// WatchSetbacks: decides what capture does after a watch has ended.
#pragma once

#include <optional>
#include <string>

#include "operation/capture/base_plan.h"
#include "operation/capture/capture_follower.h"

namespace lifeboat::operation {

struct EndedWatch {
  Result<source::WatchOutcome> outcome;
  CaptureFollower::Stop stopped = CaptureFollower::Stop::kNone;  // when `outcome` is an error
  std::int64_t reached = 0;                                      // the last revision that was received
  std::int64_t expected = 0;                                     // the member's revision when it was chosen
};

struct WatchVerdict {
  std::optional<Error> error;   // to be reported, and retried after a pause
  bool wait_for_store = false;  // before the next watch
  std::optional<BaseRequest> base;
  bool avoid_member = false;  // another one is asked first
  bool recheck_keys = false;  // what was received may be received again
  bool retry_soon = false;    // the pause starts from its shortest again
};

// Counts what goes wrong again at the same revision: a base goes past what a watch cannot.
class WatchSetbacks {
 public:
  WatchVerdict after(const EndedWatch& watch);
  // The last watch from this revision received nothing, although the member has more: it may be cutting very many
  // events into fragments, and would start over with each watch. The next one asks for none.
  bool is_silent_at(std::int64_t revision) const { return silences_.count_at(revision) != 0; }
  void base_taken() { broken_rules_.reset(); }

 private:
  // How often in a row the same went wrong at the same revision.
  class Repeats {
   public:
    int count_at(std::int64_t revision) const { return revision == at_ ? times_ : 0; }
    bool add(std::int64_t revision, int limit);  // true at the limit, and the count starts over
    void reset() { times_ = 0; }

   private:
    std::int64_t at_ = 0;
    int times_ = 0;
  };
  WatchVerdict after_own_stop(const EndedWatch& watch);
  WatchVerdict after_failure(const EndedWatch& watch, const Error& error);
  void note_broken_rule(const EndedWatch& watch, WatchVerdict& verdict);
  void note_silence(const EndedWatch& watch, WatchVerdict& verdict);

  Repeats broken_rules_, silences_;
};

}  // namespace lifeboat::operation
