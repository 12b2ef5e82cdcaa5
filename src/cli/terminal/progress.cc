#include "cli/terminal/progress.h"

#include <fmt/format.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

#include "app/signals.h"
#include "base/text.h"
#include "cli/terminal/style.h"

namespace lifeboat::cli {
namespace {

using namespace std::chrono_literals;

class Silent final : public Progress {
 public:
  void stage(std::string_view, std::uint64_t) override {}
  void advance(std::uint64_t) override {}
  void note(std::string_view) override {}
  bool cancelled() const override { return app::stop_signal() != 0; }
};

// What a stage has done so far is shown by a thread of its own, so that a stage that hangs is seen
// to hang.
class Visible final : public Progress {
 public:
  Visible(bool live, bool verbose, std::ostream& errors, io::Clock& clock)
      : live_(live), verbose_(verbose), errors_(errors), clock_(clock), ticker_([this](const std::stop_token& stop) {
          tick(stop);
        }) {}

  ~Visible() override {
    ticker_.request_stop();
    wake_.notify_all();
    ticker_.join();
    const std::lock_guard lock(mutex_);
    end_shown();
  }

  void stage(std::string_view name, std::uint64_t total_bytes) override {
    const std::lock_guard lock(mutex_);
    end_shown();
    name_ = name;
    total_ = total_bytes;
    done_.store(0, std::memory_order_relaxed);
    begun_ = clock_.monotonic();
    show();
  }

  void end_stage() override {
    const std::lock_guard lock(mutex_);
    end_shown();
  }

  void advance(std::uint64_t bytes) override { done_.fetch_add(bytes, std::memory_order_relaxed); }

  void note(std::string_view sentence) override {
    const std::lock_guard lock(mutex_);
    clear_line();
    errors_ << sentence << '\n' << std::flush;
  }

  bool cancelled() const override { return app::stop_signal() != 0; }

 private:
  static constexpr std::chrono::milliseconds kLiveEvery = 100ms;
  static constexpr std::chrono::milliseconds kLogEvery = 10s;
  static constexpr double kWorthALine = 0.2;  // seconds

  void tick(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    while (!stop.stop_requested()) {
      wake_.wait_for(lock, stop, live_ ? kLiveEvery : kLogEvery, [] { return false; });
      if (!stop.stop_requested() && !name_.empty()) show();
    }
  }

  double seconds() const { return std::chrono::duration<double>(clock_.monotonic() - begun_).count(); }
  std::uint64_t done() const { return done_.load(std::memory_order_relaxed); }

  void clear_line() {
    if (live_ && on_line_) errors_ << "\r\x1b[K";
    on_line_ = false;
  }

  // Live, the line is written over again and again; as a log, a stage's first moment is not worth a
  // line.
  void show() {
    if (!live_ && clock_.monotonic() - begun_ < kLogEvery / 2) return;
    clear_line();
    errors_ << progress_line(name_, done(), total_, seconds()) << (live_ ? "" : "\n") << std::flush;
    on_line_ = live_;
  }

  void end_shown() {
    if (name_.empty()) return;
    clear_line();
    if (verbose_ || seconds() >= kWorthALine) errors_ << finished_line(name_, done(), seconds()) << '\n';
    errors_ << std::flush;
    name_.clear();
  }

  const bool live_;
  const bool verbose_;
  std::ostream& errors_;
  io::Clock& clock_;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::string name_;
  std::uint64_t total_ = 0;
  std::atomic<std::uint64_t> done_{0};
  std::chrono::nanoseconds begun_{0};
  bool on_line_ = false;
  std::jthread ticker_;  // last: it uses all of the above
};

}  // namespace

std::unique_ptr<Progress> make_progress(ProgressKind kind, bool verbose, std::ostream& errors, io::Clock& clock) {
  if (kind == ProgressKind::kSilent) return std::make_unique<Silent>();
  return std::make_unique<Visible>(kind == ProgressKind::kLive, verbose, errors, clock);
}

namespace {

std::string rate_text(std::uint64_t done_bytes, double seconds) {
  if (seconds < 0.05) return "";
  return fmt::format("  {}/s", size_text(static_cast<std::uint64_t>(static_cast<double>(done_bytes) / seconds)));
}

}  // namespace

std::string finished_line(std::string_view stage, std::uint64_t done_bytes, double seconds) {
  std::string line(stage);
  if (done_bytes > 0) line += "  " + size_text(done_bytes) + rate_text(done_bytes, seconds);
  return line + "  " + duration_text(seconds);
}

std::string progress_line(std::string_view stage, std::uint64_t done_bytes, std::uint64_t total_bytes, double seconds) {
  std::string line(stage);
  if (done_bytes > 0) {
    line += "  " + size_text(done_bytes);
    if (total_bytes >= done_bytes) {
      line += fmt::format(" of {}  {}%", size_text(total_bytes), done_bytes * 100 / total_bytes);
    }
    line += rate_text(done_bytes, seconds);
  }
  if (total_bytes > done_bytes && done_bytes > 0 && seconds > 1) {
    const double left = seconds * static_cast<double>(total_bytes - done_bytes) / static_cast<double>(done_bytes);
    return line + fmt::format("  {} left", duration_text(left));
  }
  return line + "  " + duration_text(seconds);
}

}  // namespace lifeboat::cli
