// CodecPool: the codecs of one object, lent to whichever thread works on a frame.
#pragma once

#include <functional>
#include <mutex>
#include <vector>

#include "format/object/object.h"

namespace lifeboat::repository {

// Between a thread that hands out blocks and `threads` that work on them: enough that both go on while the other does,
// and few where there is one thread, as in a daemon that is to stay small.
inline std::size_t blocks_in_flight(unsigned threads) { return threads == 1 ? 3 : 4 * std::size_t{threads} + 1; }

// Of larger ones there are fewer: no further block is begun while those in flight have so many bytes each on average.
inline constexpr std::uint64_t kBytesOfBlockInFlight = std::uint64_t{2} << 20;

class CodecPool {
 public:
  explicit CodecPool(std::function<object::Codec()> make) : make_(std::move(make)) {}

  // Runs `work(codec)` with a codec nobody else uses meanwhile.
  template <typename Work>
  auto with_codec(Work&& work) {
    object::Codec codec = borrow();
    auto result = work(codec);
    const std::lock_guard lock(mutex_);
    idle_.push_back(std::move(codec));
    return result;
  }

 private:
  object::Codec borrow() {
    const std::lock_guard lock(mutex_);
    if (idle_.empty()) return make_();
    object::Codec codec = std::move(idle_.back());
    idle_.pop_back();
    return codec;
  }

  const std::function<object::Codec()> make_;
  std::mutex mutex_;
  std::vector<object::Codec> idle_;
};

}  // namespace lifeboat::repository
