#include "source/etcd/pacer.h"

#include <algorithm>

namespace lifeboat::source {
namespace {

using Seconds = std::chrono::duration<double>;

constexpr double kGatheredBytes = 40.0 * 1024;  // of 64 KiB
constexpr std::chrono::milliseconds kShortest{1};
constexpr std::chrono::milliseconds kMeasured{100};

}  // namespace

std::chrono::nanoseconds Pacer::pause(Time now) {
  if (now - since_ >= kMeasured) {
    const Seconds fills =
        Seconds(now - since_) * kGatheredBytes / static_cast<double>(std::max<std::uint64_t>(heard_, 1));
    const Seconds fitting = std::min<Seconds>(fills, longest_);
    pause_ = fitting < kShortest ? std::chrono::nanoseconds(0)
                                 : std::chrono::duration_cast<std::chrono::nanoseconds>(fitting);
    since_ = now;
    heard_ = 0;
  }
  return pause_;
}

}  // namespace lifeboat::source
