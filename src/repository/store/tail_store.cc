#include "repository/store/tail_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/thread_name.h"
#include "base/time.h"
#include "crypto/hash.h"
#include "format/object/object.h"
#include "repository/store/captured_segment.h"
#include "repository/store/layout.h"
#include "storage/local_store.h"

namespace lifeboat::repository {
namespace {

constexpr std::uint64_t kMostBytes = 8ull << 20;  // of one object that waits; larger ones are written beneath at once
constexpr std::size_t kHeadBytes = 4096;
constexpr std::chrono::seconds kLongestRetry{30};
constexpr std::chrono::milliseconds kCancelTick{50};

// The name of what waits here; nullopt for every other.
std::optional<SegmentName> parse_flush_name(std::string_view name) {
  const auto segment = parse_segment_name(name);
  return segment && segment->level == kFlushLevel ? segment : std::nullopt;
}

std::unexpected<Error> unusable(const std::string& name, std::string why) {
  return fail(ErrorCode::kObjectDamaged, "the tail's file " + name + " cannot be stored", std::move(why),
              "Look at the file and move it away; it is left as it is.");
}

bool is_segment_of(std::string_view name, const LineageId& lineage) {
  return name.starts_with(kSegmentPrefix) && lineage_in_name(name) == lineage;
}

// Of the file itself, not of the store: trying again changes nothing.
bool is_of_the_file(const Error& error) { return error.code() == ErrorCode::kObjectDamaged; }

}  // namespace

// Kept in memory until its name is known, or until it is too large to wait here.
class TailStore::Staged final : public storage::StagedObject {
 public:
  explicit Staged(storage::ObjectStore& beneath) : beneath_(beneath) {}

  Status append(ByteView bytes) override {
    if (!object_ && bytes_.size() + bytes.size() > kMostBytes) {
      object_ = TRY(beneath_.stage());
      TRY(object_->append(bytes_));
      bytes_ = {};
    }
    if (object_) return object_->append(bytes);
    lifeboat::append(bytes_, bytes);
    return {};
  }
  Result<std::size_t> read_at(std::uint64_t offset, MutableByteView out) override {
    if (object_) return object_->read_at(offset, out);
    if (offset >= bytes_.size()) return 0;
    const std::size_t count = std::min<std::size_t>(out.size(), bytes_.size() - offset);
    std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(offset), count, out.begin());
    return count;
  }
  ByteView bytes() const { return bytes_; }
  std::unique_ptr<storage::StagedObject> take() { return std::move(object_); }

 private:
  storage::ObjectStore& beneath_;
  Bytes bytes_;
  std::unique_ptr<storage::StagedObject> object_;  // beneath; then bytes_ is empty
};

TailStore::TailStore(std::unique_ptr<storage::ObjectStore> inner, io::FileSystem& files, io::Clock& clock,
                     TailOptions options)
    : inner_(std::move(inner)),
      files_(files),
      clock_(clock),
      options_(std::move(options)),
      local_(storage::local_store(files, options_.directory)) {}

TailStore::~TailStore() {
  stop(std::chrono::nanoseconds(0));
  if (thread_.joinable()) thread_.join();
}

Status TailStore::begin(std::function<Status(ByteView head)> belongs) {
  belongs_ = std::move(belongs);
  TRY(storage::create_local_root(files_, options_.directory));
  TRY(local_->sweep([](const std::string&) -> Result<bool> { return true; }));  // nothing is pinned in it
  const std::vector<storage::ObjectInfo> found = TRY(local_->list(""));
  {
    const std::lock_guard lock(mutex_);
    for (const storage::ObjectInfo& object : found) {
      const auto name = parse_flush_name(object.name);
      if (!name) {
        refuse(object.name, object.size_bytes, unusable(object.name, "it is no captured segment").error());
        continue;
      }
      if (object.size_bytes > kMostBytes) {
        refuse(object.name, object.size_bytes,
               unusable(object.name, fmt::format("its {} bytes are more than wait here", object.size_bytes)).error());
        continue;
      }
      const auto now = clock_.monotonic();
      waiting_.push_back({.name = object.name,
                          .lineage = name->lineage,
                          .lo = name->lo,
                          .bytes = object.size_bytes,
                          .since = now,
                          .is_found = true});
      bytes_ += object.size_bytes;
    }
    std::ranges::stable_sort(waiting_, {}, &Waiting::lo);
    begun_ = true;
  }
  thread_ = std::thread([this] { run(); });
  return {};
}

TailState TailStore::state() const {
  const std::lock_guard lock(mutex_);
  TailState state{.segments = waiting_.size(),
                  .bytes = bytes_,
                  .max_bytes = options_.max_bytes,
                  .first_missing = 0,
                  .oldest_age = {},
                  .refused = refused_,
                  .failing = failure_.has_value(),
                  .answers = answers_};
  if (waiting_.empty()) return state;
  state.first_missing = waiting_.front().lo + 1;
  state.oldest_age = clock_.monotonic() - waiting_.front().since;
  return state;
}

std::vector<TailNews> TailStore::take_news() {
  const std::lock_guard lock(mutex_);
  return std::exchange(news_, {});
}

Status TailStore::wait_empty(std::chrono::nanoseconds patience) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, patience, [this] { return waiting_.empty() || failure_ || stop_; });
  if (waiting_.empty()) return {};
  if (failure_) return std::unexpected(*failure_);
  return fail(ErrorCode::kInterrupted, "segments wait in the tail");
}

bool TailStore::stop(std::chrono::nanoseconds patience) {
  std::unique_lock lock(mutex_);
  stop_ = true;
  wake_.notify_all();
  return changed_.wait_for(lock, patience, [this] { return ended_ || !begun_; });
}

Result<std::unique_ptr<storage::StagedObject>> TailStore::stage() { return std::make_unique<Staged>(*inner_); }

Result<storage::PutOutcome> TailStore::publish(std::unique_ptr<storage::StagedObject> staged, const std::string& name) {
  auto* const object = dynamic_cast<Staged*>(staged.get());
  if (object == nullptr) return fail(ErrorCode::kInternal, "an object staged in another store");
  const auto lineage = lineage_in_name(name);
  if (lineage && name.starts_with(kManifestPrefix)) TRY(bring_what_waits(*lineage));
  if (auto beneath = object->take()) return inner_->publish(std::move(beneath), name);
  const auto flush = parse_flush_name(name);
  if (!flush) return put_beneath(name, object->bytes());
  const Status kept = keep(name, *flush, object->bytes());
  if (kept) return storage::PutOutcome::kCreated;
  // A folder that takes nothing is no reason to lose something while the store does.
  if (state().failing) return std::unexpected(kept.error());
  return put_beneath(name, object->bytes());
}

Result<storage::PutOutcome> TailStore::put_beneath(const std::string& name, ByteView bytes) {
  return storage::put(*inner_, name, bytes);
}

// What waits at this moment, of one lineage. The store may take now what it refused a while ago, so only the outcome of
// a try that ends from here on counts.
Status TailStore::bring_what_waits(const LineageId& lineage) {
  std::unique_lock lock(mutex_);
  const std::uint64_t last = numbers_, tries = tries_;
  const auto refused = [&] {
    return std::ranges::count_if(refused_files_, [&](const auto& file) { return is_segment_of(file.first, lineage); });
  };
  const auto waits = [&](const Waiting& object) { return object.number <= last && object.lineage == lineage; };
  const auto refused_before = refused();
  const auto until = clock_.monotonic() + options_.manifest_patience;
  while (std::ranges::any_of(waiting_, waits)) {
    if (stop_ || (options_.cancelled && options_.cancelled()))
      return fail(ErrorCode::kInterrupted, "waiting for the tail was interrupted");
    if (failure_ && tries_ != tries) return std::unexpected(*failure_);
    if (clock_.monotonic() >= until) {
      return fail(ErrorCode::kStorageFailed, "a manifest was not stored",
                  fmt::format("{} segments wait in {} for the repo, which does not take them within {}",
                              waiting_.size(), options_.directory,
                              duration_text(std::chrono::duration<double>(options_.manifest_patience).count())));
    }
    hurry_ = true;
    wake_.notify_all();
    changed_.wait_for(lock, kCancelTick);
  }
  if (refused() <= refused_before) return {};
  return fail(ErrorCode::kObjectDamaged, "a manifest was not stored",
              "a captured segment that it may name was found damaged in the tail");
}

// Durable in the folder when it returns.
Status TailStore::keep(const std::string& name, const SegmentName& flush, ByteView bytes) {
  {
    std::unique_lock lock(mutex_);
    if (!begun_ || stop_) return fail(ErrorCode::kStorageFailed, "the tail is closed");
    if (!has_room(bytes.size())) forget_moved_away(lock);
    if (!has_room(bytes.size())) {
      const std::uint64_t refused = refused_bytes();
      const std::string beside = refused == 0 ? "" : fmt::format(" beside {} bytes of refused files", refused);
      return fail(ErrorCode::kStorageFull, "the tail is full",
                  fmt::format("{} bytes wait in {} for the repo{}, {} may", bytes_, options_.directory, beside,
                              options_.max_bytes));
    }
    reserved_ += bytes.size();
  }
  const auto put = storage::put(*local_, name, bytes);
  const std::lock_guard lock(mutex_);
  reserved_ -= bytes.size();
  if (!put) return std::unexpected(put.error());
  bytes_ += bytes.size();
  waiting_.push_back({.name = name,
                      .lineage = flush.lineage,
                      .lo = flush.lo,
                      .bytes = bytes.size(),
                      .since = clock_.monotonic(),
                      .number = ++numbers_});
  wake_.notify_all();
  return {};
}

bool TailStore::has_room(std::uint64_t bytes) const {
  return bytes_ + reserved_ + refused_bytes() + bytes <= options_.max_bytes;
}

std::uint64_t TailStore::refused_bytes() const {
  std::uint64_t bytes = 0;
  for (const auto& [name, size] : refused_files_) bytes += size;
  return bytes;
}

// A person was asked to move refused files away.
void TailStore::forget_moved_away(std::unique_lock<std::mutex>& lock) {
  const std::map<std::string, std::uint64_t> files = refused_files_;
  lock.unlock();
  std::vector<std::string> gone;
  for (const auto& [name, size] : files) {
    const auto found = local_->head(name);
    if (!found && found.error().code() == ErrorCode::kObjectMissing) gone.push_back(name);
  }
  lock.lock();
  for (const std::string& name : gone) refused_files_.erase(name);
}

bool TailStore::waits(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  return std::ranges::find(waiting_, name, &Waiting::name) != waiting_.end();
}

// What was just brought is beneath.
Result<std::size_t> TailStore::read_at(const std::string& name, std::uint64_t offset, MutableByteView out) {
  if (waits(name)) {
    auto read = local_->read_at(name, offset, out);
    if (read || read.error().code() != ErrorCode::kObjectMissing) return read;
  }
  return inner_->read_at(name, offset, out);
}

Result<storage::ObjectInfo> TailStore::head(const std::string& name) {
  if (waits(name)) {
    auto found = local_->head(name);
    if (found || found.error().code() != ErrorCode::kObjectMissing) return found;
  }
  return inner_->head(name);
}

// The folder first: what is brought in between is then in both, and never in neither.
Result<std::vector<storage::ObjectInfo>> TailStore::list(const std::string& prefix) {
  std::vector<storage::ObjectInfo> mine;
  {
    const std::lock_guard lock(mutex_);
    for (const Waiting& object : waiting_)
      if (object.name.starts_with(prefix)) mine.push_back({object.name, object.bytes, {}});
  }
  for (storage::ObjectInfo& object : mine)
    if (const auto info = local_->head(object.name)) object.modified = info->modified;
  std::vector<storage::ObjectInfo> all = TRY(inner_->list(prefix));
  if (mine.empty()) return all;
  all.insert(all.end(), mine.begin(), mine.end());
  std::ranges::stable_sort(all, {}, &storage::ObjectInfo::name);
  const auto doubled = std::ranges::unique(all, {}, &storage::ObjectInfo::name);
  all.erase(doubled.begin(), doubled.end());
  return all;
}

Status TailStore::remove(const std::string& name) {
  if (waits(name)) {
    TRY(local_->remove(name));
    forget(name);
  }
  return inner_->remove(name);
}

void TailStore::ask() {
  const std::lock_guard lock(mutex_);
  asked_ = true;
  wake_.notify_all();
}

void TailStore::run() {
  name_thread("tail");
  std::chrono::nanoseconds pause{};
  std::unique_lock lock(mutex_);
  while (!stop_) {
    if (waiting_.empty() && !asked_) {
      wake_.wait(lock);
      continue;
    }
    hurry_ = false;
    const bool is_there = waiting_.empty() ? try_for_an_answer(lock) : bring_next(lock);
    ++tries_;
    changed_.notify_all();
    if (is_there) {
      pause = {};
      continue;
    }
    pause = std::clamp<std::chrono::nanoseconds>(pause * 2, options_.retry, kLongestRetry);
    wake_.wait_for(lock, pause, [this] { return stop_ || hurry_; });
  }
  ended_ = true;
  changed_.notify_all();
}

// False when the store refused it, which is tried again after a pause. `lock` is free meanwhile.
bool TailStore::bring_next(std::unique_lock<std::mutex>& lock) {
  const Waiting next = waiting_.front();
  lock.unlock();
  const Status done = bring(next);
  lock.lock();
  if (done) {
    brought(next);
  } else if (is_of_the_file(done.error())) {
    refuse(next.name, next.bytes, done.error());
    drop(next.name);
  } else {
    store_failed(done.error());
    return false;
  }
  return true;
}

bool TailStore::try_for_an_answer(std::unique_lock<std::mutex>& lock) {
  lock.unlock();
  const auto listed = inner_->list(kKeySetPrefix);  // few objects
  lock.lock();
  if (listed) answered();
  return listed.has_value();
}

void TailStore::answered() {
  if (std::exchange(asked_, false)) ++answers_;
}

// An error is the store's, or the file's: see is_of_the_file.
Status TailStore::bring(const Waiting& object) {
  const auto bytes = storage::get(*local_, object.name, kMostBytes);
  if (!bytes && bytes.error().code() == ErrorCode::kObjectMissing) return {};  // removed meanwhile
  if (!bytes) return std::unexpected(bytes.error());
  TRY(inspect(object.name, *bytes));
  if (object.is_found) {
    const auto manifests = TRY(inner_->list(lineage_prefix(kManifestPrefix, object.lineage)));
    if (manifests.empty()) return unusable(object.name, "the repo has no manifest of its lineage");
  }
  TRY(storage::put(*inner_, object.name, *bytes));
  // It is beneath: what stays here is brought again by the next run, which changes nothing.
  static_cast<void>(local_->remove(object.name));
  return {};
}

// What a disk spoiled, or another repo wrote, never gets there.
Status TailStore::inspect(const std::string& name, ByteView bytes) {
  if (crypto::sha256(bytes) != parse_flush_name(name)->sha)
    return unusable(name, "its bytes are not those that its name tells");
  if (const Status own = belongs_(bytes.first(std::min(bytes.size(), kHeadBytes))); !own)
    return unusable(name, own.error().to_string());
  return {};
}

void TailStore::forget(const std::string& name) {
  const std::lock_guard lock(mutex_);
  drop(name);
  changed_.notify_all();
}

// Once nothing is left to try the store with, its last refusal says nothing about it any more.
void TailStore::drop(const std::string& name) {
  remove_waiting(name);
  if (waiting_.empty()) failure_.reset();
}

void TailStore::remove_waiting(const std::string& name) {
  const auto at = std::ranges::find(waiting_, name, &Waiting::name);
  if (at == waiting_.end()) return;
  bytes_ -= at->bytes;
  waiting_.erase(at);
}

void TailStore::brought(const Waiting& object) {
  remove_waiting(object.name);
  answered();
  if (!failure_) return;
  failure_.reset();
  news_.push_back(
      {TailNews::Kind::kStoreRecovered,
       fmt::format("the repo takes captured revisions again; {} segments wait in the tail", waiting_.size())});
}

void TailStore::refuse(const std::string& name, std::uint64_t bytes, const Error& error) {
  ++refused_;
  refused_files_[name] = bytes;
  news_.push_back(
      {TailNews::Kind::kRefused, fmt::format("the tail's file {} is not brought to the repo and stays in {}: {}", name,
                                             options_.directory, error.to_string())});
}

void TailStore::store_failed(const Error& error) {
  if (!failure_) {
    news_.push_back({TailNews::Kind::kStoreFailed,
                     "the repo does not take captured revisions, which wait in the tail: " + error.to_string()});
  }
  failure_ = error;
}

std::function<Status(ByteView head)> belongs_to(const RepoId& repo) {
  return [repo](ByteView head) -> Status {
    const auto header = object::parse_header(head);
    if (!header) return std::unexpected(header.error());
    if (header->repo == repo) return {};
    return fail(ErrorCode::kObjectDamaged, "it is of another repo", "it names the repo " + header->repo.text());
  };
}

}  // namespace lifeboat::repository
