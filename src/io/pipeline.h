// Threads that pass items along: a bounded queue, and a pool that transforms items and keeps their
// order.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "base/result.h"

namespace lifeboat::io {

// A first-in first-out queue of at most `capacity` items between any number of threads.
template <typename T>
class BoundedQueue {
 public:
  explicit BoundedQueue(std::size_t capacity) : capacity_(capacity == 0 ? 1 : capacity) {}

  // Waits while the queue is full. Fails with the error of abort(), or kInternal after close().
  Status push(T item) {
    std::unique_lock lock(mutex_);
    room_.wait(lock, [&] { return items_.size() < capacity_ || closed_ || error_; });
    if (error_) return std::unexpected(*error_);
    if (closed_) return fail(ErrorCode::kInternal, "an item was pushed into a closed queue");
    items_.push_back(std::move(item));
    lock.unlock();
    came_.notify_one();
    return {};
  }

  // Waits for an item; nullopt once the queue is closed and empty. Fails with the error of abort()
  // at once, also when items are left.
  Result<std::optional<T>> pop() {
    std::unique_lock lock(mutex_);
    came_.wait(lock, [&] { return !items_.empty() || closed_ || error_; });
    if (error_) return std::unexpected(*error_);
    if (items_.empty()) return std::nullopt;
    std::optional<T> item(std::move(items_.front()));
    items_.pop_front();
    lock.unlock();
    room_.notify_one();
    return item;
  }

  // No more items will come.
  void close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    wake_all();
  }

  // Stops both sides with `error`; the first error stays.
  void abort(Error error) {
    const std::lock_guard lock(mutex_);
    if (!error_) error_ = std::move(error);
    wake_all();
  }

 private:
  void wake_all() {
    came_.notify_all();
    room_.notify_all();
  }

  const std::size_t capacity_;
  std::mutex mutex_;
  std::condition_variable came_;  // an item, or the end
  std::condition_variable room_;  // for an item, or the end
  std::deque<T> items_;
  bool closed_ = false;
  std::optional<Error> error_;
};

// As many threads that do `work` as the system gives, up to `count`, and at least one: where it gives none, it throws.
// One that runs already would end the process, were it destroyed by an exception before it could be told to stop.
template <typename Work>
void start_threads(std::vector<std::thread>& threads, std::size_t count, const Work& work) {
  threads.reserve(count);
  while (threads.size() < count) {
    try {
      threads.emplace_back(work);
    } catch (const std::system_error&) {
      if (threads.empty()) throw;
      return;
    }
  }
}

// `workers` threads run `transform` on submitted items; results come out in the order of
// submission. At most `in_flight_max` items are submitted and not yet taken, so memory is bounded.
// The first error, of a transform or of cancel(), stops everything and is what every later call
// returns. The destructor drops what is queued and joins the threads; a transform that runs is
// waited for.
template <typename In, typename Out>
class OrderedPool {
 public:
  using Transform = std::function<Result<Out>(In)>;

  OrderedPool(std::size_t workers, std::size_t in_flight_max, Transform transform)
      : in_flight_max_(in_flight_max == 0 ? 1 : in_flight_max), transform_(std::move(transform)) {
    start_threads(threads_, workers == 0 ? 1 : workers, [this] { work(); });
  }
  OrderedPool(const OrderedPool&) = delete;
  OrderedPool& operator=(const OrderedPool&) = delete;

  ~OrderedPool() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
      work_.notify_all();
    }
    for (std::thread& thread : threads_) thread.join();
  }

  // True when submit() would wait: one thread that both submits and takes calls next() then.
  bool full() {
    const std::lock_guard lock(mutex_);
    return slots_.size() >= in_flight_max_;
  }
  // True when half of what may be in flight is. A thread that both submits and takes does the one until full() and
  // the other until then: handing over in batches spares both sides a wake-up for each item.
  bool half_empty() {
    const std::lock_guard lock(mutex_);
    return slots_.size() <= in_flight_max_ / 2;
  }

  Status submit(In item) {
    std::unique_lock lock(mutex_);
    taken_.wait(lock, [&] { return slots_.size() < in_flight_max_ || error_; });
    if (error_) return std::unexpected(*error_);
    auto slot = std::make_shared<Slot>();
    slots_.push_back(slot);
    tasks_.push_back({std::move(item), std::move(slot)});
    work_.notify_one();
    return {};
  }

  // No more items will be submitted.
  void close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    done_.notify_all();
  }

  // Waits for the oldest result; nullopt after close(), when every result was taken.
  Result<std::optional<Out>> next() {
    std::unique_lock lock(mutex_);
    done_.wait(lock, [&] { return error_ || (slots_.empty() ? closed_ : slots_.front()->result.has_value()); });
    if (error_) return std::unexpected(*error_);
    if (slots_.empty()) return std::nullopt;
    std::optional<Out> result = std::move(slots_.front()->result);
    slots_.pop_front();
    taken_.notify_one();
    return result;
  }

  void cancel(Error error) {
    const std::lock_guard lock(mutex_);
    stop(std::move(error));
  }

 private:
  struct Slot {
    std::optional<Out> result;
  };
  struct Task {
    In item;
    std::shared_ptr<Slot> slot;
  };

  // With the mutex held.
  void stop(Error error) {
    if (!error_) error_ = std::move(error);
    work_.notify_all();
    done_.notify_all();
    taken_.notify_all();
  }

  void work() {
    std::unique_lock lock(mutex_);
    while (true) {
      work_.wait(lock, [&] { return stopping_ || error_ || !tasks_.empty(); });
      if (stopping_ || error_) return;
      Task task = std::move(tasks_.front());
      tasks_.pop_front();
      lock.unlock();
      Result<Out> result = transform_(std::move(task.item));
      lock.lock();
      if (!result) {
        stop(std::move(result).error());
        return;
      }
      task.slot->result.emplace(*std::move(result));
      if (!slots_.empty() && slots_.front() == task.slot) done_.notify_all();
    }
  }

  const std::size_t in_flight_max_;
  const Transform transform_;
  std::mutex mutex_;
  std::condition_variable work_;             // there is a task, or none will come
  std::condition_variable done_;             // the oldest result is there, or nothing more comes
  std::condition_variable taken_;            // there is room
  std::deque<Task> tasks_;                   // submitted, not yet begun
  std::deque<std::shared_ptr<Slot>> slots_;  // submitted, not yet taken, oldest first
  bool closed_ = false;
  bool stopping_ = false;
  std::optional<Error> error_;
  std::vector<std::thread> threads_;
};

// Feeds what `produce` returns (until nullopt) through `transform` on `workers` threads, and hands
// the results to `consume` in order. produce and consume run on the calling thread, never at once.
// The first error of any of the three stops everything and is returned; a caller that wants to
// cancel returns kInterrupted from one.
template <typename In, typename Out>
Status parallel_ordered_map(std::size_t workers, std::size_t in_flight_max,
                            const std::function<Result<std::optional<In>>()>& produce,
                            std::function<Result<Out>(In)> transform, const std::function<Status(Out)>& consume) {
  OrderedPool<In, Out> pool(workers, in_flight_max, std::move(transform));
  bool more = true;
  while (true) {
    while (more && !pool.full()) {
      std::optional<In> item = TRY(produce());
      more = item.has_value();
      if (more)
        TRY(pool.submit(*std::move(item)));
      else
        pool.close();
    }
    std::optional<Out> result = TRY(pool.next());
    if (!result) return {};
    TRY(consume(*std::move(result)));
  }
}

}  // namespace lifeboat::io
