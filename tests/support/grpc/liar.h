// Liar: what a tampering proxy tells about one revision instead of the truth.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "etcd_api.pb.h"

namespace lifeboat::testing {

using etcdserverpb::WatchResponse;
enum class Lie {
  kDropRevision,
  kRepeatEvent,
  kRepeatRevision,
  kSwapRevisions,  // with the one that follows
  kChangeValue,
  kDropFirst,
  kDropInside,
  kDropLast,
  kHideDelete,
};

inline std::string name_of(Lie lie) {
  switch (lie) {
    case Lie::kDropRevision:
      return "DropsARevision";
    case Lie::kRepeatEvent:
      return "RepeatsAnEvent";
    case Lie::kRepeatRevision:
      return "RepeatsARevision";
    case Lie::kSwapRevisions:
      return "SwapsTwoRevisions";
    case Lie::kChangeValue:
      return "ChangesAValue";
    case Lie::kDropFirst:
      return "DropsTheFirstEventOfATransaction";
    case Lie::kDropInside:
      return "DropsAnEventInsideATransaction";
    case Lie::kDropLast:
      return "DropsTheLastEventOfATransaction";
    case Lie::kHideDelete:
      return "HidesADeletion";
  }
  return "";
}

// Lies about one revision, so many times.
class Liar {
 public:
  void arm(Lie lie, std::int64_t revision, int times) {
    const std::lock_guard lock(mutex_);
    lie_ = lie;
    revision_ = revision;
    left_ = times;
    kept_.reset();
  }
  int told() const { return told_; }

  std::vector<WatchResponse> edit(WatchResponse answer) {
    const std::lock_guard lock(mutex_);
    if (kept_ && !answer.events().empty()) {
      WatchResponse earlier = *std::exchange(kept_, std::nullopt);
      return {std::move(answer), std::move(earlier)};
    }
    const auto [first, count] = span_of(answer);
    if (count == 0 || left_ <= 0) return {std::move(answer)};
    --left_;
    ++told_;
    return lie(std::move(answer), first, count);
  }

 private:
  // The events of the revision in question: where they begin and how many there are.
  std::pair<int, int> span_of(const WatchResponse& answer) const {
    int first = 0, count = 0;
    for (int i = 0; i < answer.events_size(); ++i) {
      if (answer.events(i).kv().mod_revision() != revision_) continue;
      if (count++ == 0) first = i;
    }
    return {first, count};
  }

  std::vector<WatchResponse> lie(WatchResponse answer, int first, int count) {
    auto& events = *answer.mutable_events();
    switch (lie_) {
      case Lie::kDropRevision:
        events.DeleteSubrange(first, count);
        if (events.empty()) return {};  // an empty answer would be a progress mark
        break;
      case Lie::kRepeatEvent:
        *events.Add() = events.Get(first + count - 1);
        std::rotate(events.begin() + first + count, events.end() - 1, events.end());
        break;
      case Lie::kRepeatRevision:
        return {answer, answer};
      case Lie::kSwapRevisions:
        if (first + count == events.size()) {
          kept_ = std::move(answer);
          return {};
        }
        std::rotate(events.begin() + first, events.begin() + first + count, events.end());
        break;
      case Lie::kChangeValue: {
        std::string& value = *events.Mutable(first)->mutable_kv()->mutable_value();
        value[value.size() / 2] ^= 1;
        break;
      }
      case Lie::kDropFirst:
        events.DeleteSubrange(first, 1);
        break;
      case Lie::kDropInside:
        events.DeleteSubrange(first + count / 2, 1);
        break;
      case Lie::kDropLast:
        events.DeleteSubrange(first + count - 1, 1);
        break;
      case Lie::kHideDelete:
        for (int i = first; i < first + count; ++i) {
          if (events.Get(i).type() != etcdserverpb::Event::DELETE) continue;
          events.DeleteSubrange(i, 1);
          break;
        }
        break;
    }
    return {std::move(answer)};
  }

  std::mutex mutex_;
  Lie lie_ = Lie::kDropRevision;
  std::int64_t revision_ = 0;
  int left_ = 0;
  std::atomic<int> told_ = 0;
  std::optional<WatchResponse> kept_;
};

}  // namespace lifeboat::testing
