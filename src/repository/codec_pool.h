// CodecPool: the codecs of one object, lent to whichever thread works on a frame.
#pragma once

#include <functional>
#include <mutex>
#include <vector>

#include "format/object/object.h"

namespace lifeboat::repository {

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
