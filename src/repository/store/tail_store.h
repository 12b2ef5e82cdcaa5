// TailStore: a store decorator that keeps small captured segments on the local disk until a slow or absent store has
// them.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/ids.h"
#include "io/file_system.h"
#include "io/world.h"
#include "repository/store/layout.h"
#include "storage/object_store.h"

namespace lifeboat::repository {

struct TailOptions {
  std::string directory;                                // made when it is missing
  std::uint64_t max_bytes = 1ull << 30;                 // more never lies here, refused files included
  std::chrono::milliseconds retry{1000};                // after the store refused; doubles up to 30 s
  std::chrono::milliseconds manifest_patience{30'000};  // of a manifest, with what waits before it
  std::function<bool()> cancelled;                      // (or none) ends that patience; asked under a lock
};

struct TailState {
  std::uint64_t segments = 0, bytes = 0;  // that wait
  std::uint64_t max_bytes = 0;
  std::int64_t first_missing = 0;                      // the lowest revision that waits; 0: none does
  std::optional<std::chrono::nanoseconds> oldest_age;  // since the oldest of them was published here
  std::uint64_t refused = 0;                           // files that are not brought there, and stay
  bool failing = false;       // the latest try was refused by the store, and something waits for the next
  std::uint64_t answers = 0;  // to ask()
};

// What happened since the last take_news, for a log.
struct TailNews {
  enum class Kind { kStoreFailed, kStoreRecovered, kRefused };
  Kind kind{};
  std::string text;
};

// Captured segments of level kFlushLevel and at most 8 MiB: once published, they are durable in the folder, under their
// final name and with their final bytes; a thread of its own puts them into the store beneath as they are, oldest
// first, and only then removes them here. Putting twice is success, so a crash at any moment loses nothing and doubles
// nothing. Every other object goes to the store beneath directly, as do these when the folder takes nothing. Reads and
// lists show both.
// A manifest names segments, and other hosts see only what is beneath: it is put once what waited of its lineage is
// there. Where the store does not take that, it is refused with the store's error, after the patience with
// kStorageFailed, and nobody finds a manifest without its segments.
class TailStore final : public storage::ObjectStore {
 public:
  TailStore(std::unique_ptr<storage::ObjectStore> inner, io::FileSystem& files, io::Clock& clock, TailOptions options);
  ~TailStore() override;

  // Takes over what an earlier run left, and starts the thread that uploads it and whatever is published from now on.
  // `belongs` judges the first bytes of a file: its error says why the file is not of this repo; see belongs_to. Until
  // then nothing waits here.
  Status begin(std::function<Status(ByteView head)> belongs);
  TailState state() const;
  // Has the tail's thread ask the store beneath, again and again until it answers, which TailState::answers counts.
  void ask();
  std::vector<TailNews> take_news();
  // Until nothing waits; the store's refusal when it takes nothing.
  Status wait_empty(std::chrono::nanoseconds patience);
  // Begins nothing more; false when a put still hangs after `patience`.
  bool stop(std::chrono::nanoseconds patience);

  Result<std::unique_ptr<storage::StagedObject>> stage() override;
  Result<storage::PutOutcome> publish(std::unique_ptr<storage::StagedObject> staged, const std::string& name) override;
  Result<std::size_t> read_at(const std::string& name, std::uint64_t offset, MutableByteView out) override;
  Result<storage::ObjectInfo> head(const std::string& name) override;
  Result<std::vector<storage::ObjectInfo>> list(const std::string& prefix) override;
  Status remove(const std::string& name) override;
  Result<std::uint64_t> free_bytes() override { return inner_->free_bytes(); }
  Result<std::unique_ptr<storage::Pin>> pin(const std::vector<std::string>& objects) override {
    return inner_->pin(objects);
  }
  Status sweep(const storage::IsNamed& is_named) override { return inner_->sweep(is_named); }
  std::string url() const override { return inner_->url(); }

 private:
  class Staged;
  struct Waiting {
    std::string name;
    LineageId lineage;
    std::int64_t lo = 0;  // its revisions are above it
    std::uint64_t bytes = 0;
    std::chrono::nanoseconds since{};  // monotonic
    bool is_found = false;             // by begin(): not written by this process
    std::uint64_t number = 0;          // ascends; 0: found by begin()
  };
  bool waits(const std::string& name) const;
  Status keep(const std::string& name, const SegmentName& flush, ByteView bytes);
  Status bring_what_waits(const LineageId& lineage);
  bool has_room(std::uint64_t bytes) const;
  std::uint64_t refused_bytes() const;
  void forget_moved_away(std::unique_lock<std::mutex>& lock);
  Result<storage::PutOutcome> put_beneath(const std::string& name, ByteView bytes);
  void run();
  bool bring_next(std::unique_lock<std::mutex>& lock);
  bool try_for_an_answer(std::unique_lock<std::mutex>& lock);
  void answered();
  Status bring(const Waiting& object);
  Status inspect(const std::string& name, ByteView bytes);
  void forget(const std::string& name);
  void drop(const std::string& name);
  void remove_waiting(const std::string& name);
  void brought(const Waiting& object);
  void refuse(const std::string& name, std::uint64_t bytes, const Error& error);
  void store_failed(const Error& error);

  const std::unique_ptr<storage::ObjectStore> inner_;
  io::FileSystem& files_;
  io::Clock& clock_;
  const TailOptions options_;
  const std::unique_ptr<storage::ObjectStore> local_;
  std::function<Status(ByteView)> belongs_;
  mutable std::mutex mutex_;
  std::condition_variable wake_, changed_;
  std::deque<Waiting> waiting_;  // oldest first
  std::uint64_t numbers_ = 0;    // given to what waits
  std::uint64_t tries_ = 0;      // to bring something, that ended
  std::uint64_t bytes_ = 0, reserved_ = 0, refused_ = 0;
  std::map<std::string, std::uint64_t> refused_files_;  // and their sizes
  std::optional<Error> failure_;                        // of the latest try
  std::vector<TailNews> news_;
  std::uint64_t answers_ = 0;
  bool asked_ = false;  // and not answered yet
  bool hurry_ = false;  // somebody waits for the next try
  bool begun_ = false, stop_ = false, ended_ = false;
  std::thread thread_;
};

// For TailStore::begin: whether an object that begins so is of this repo.
std::function<Status(ByteView head)> belongs_to(const RepoId& repo);

}  // namespace lifeboat::repository
