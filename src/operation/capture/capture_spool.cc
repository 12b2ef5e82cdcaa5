#include "operation/capture/capture_spool.h"

#include "base/thread_name.h"

namespace lifeboat::operation {
namespace {

constexpr std::chrono::milliseconds kOpenPatience{5000};
constexpr std::chrono::milliseconds kTick{20};

}  // namespace

class CaptureSpool::Sink final : public source::RevisionSink {
 public:
  Sink(CaptureSpool& spool, std::uint64_t most_bytes) : spool_(spool), most_bytes_(most_bytes) {}

  Status revisions(std::span<const etcd::Record> records) override {
    for (const auto& record : records) bytes_ += record.value.size() + sizeof(record);
    if (bytes_ > most_bytes_) return fail(ErrorCode::kStorageFull, "the spool of the watch is full");
    for (const auto& record : records) {
      spool_.chunks_.push_back(to_bytes(record.value));
      spool_.records_.push_back({record.key, spool_.chunks_.back()});
    }
    return {};
  }
  Status caught_up(std::int64_t) override { return {}; }
  Status opened(const source::WatchOrigin&) override {
    spool_.opened_ = true;
    return {};
  }

 private:
  CaptureSpool& spool_;
  const std::uint64_t most_bytes_;
  std::uint64_t bytes_ = 0;
};

CaptureSpool::CaptureSpool(source::Client& client, io::Clock& clock, source::WatchRequest request,
                           std::uint64_t most_bytes)
    : clock_(clock) {
  thread_ = std::thread([this, &client, request = std::move(request), most_bytes] {
    name_thread("spool");
    Sink sink(*this, most_bytes);
    // However else the watch ends, what was kept is whole; the next watch starts after it.
    const auto outcome = source::watch_revisions(client, request, sink, [this] { return stop_.load(); });
    if (outcome && outcome->error && outcome->error->code() == ErrorCode::kInternal) records_.clear();
    ended_ = true;
  });
}

CaptureSpool::~CaptureSpool() { end(); }

bool CaptureSpool::wait_opened(const std::function<bool()>& cancelled) {
  const auto until = clock_.monotonic() + kOpenPatience;
  while (!opened_ && !ended_ && !cancelled() && clock_.monotonic() < until) clock_.sleep(kTick);
  return opened_;
}

void CaptureSpool::end() {
  stop_ = true;
  if (thread_.joinable()) thread_.join();
}

}  // namespace lifeboat::operation
