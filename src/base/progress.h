// Progress: what a long operation tells its caller while it runs.
#pragma once

#include <cstdint>
#include <string_view>

namespace lifeboat {

// Called from any thread, often; implementations are cheap and thread-safe. `total` 0 means unknown.
class Progress {
 public:
  virtual ~Progress() = default;
  // Lasts until the next one or end_stage(). Work that has a scope holds a Stage instead.
  virtual void stage(std::string_view name, std::uint64_t total_bytes) = 0;
  // Nothing is drawn from now on until another stage begins: the line may belong to a question. Without a stage,
  // nothing.
  virtual void end_stage() {}
  virtual void advance(std::uint64_t bytes) = 0;
  // A sentence the person should see now (a retry on another endpoint, a lagging member).
  virtual void note(std::string_view sentence) = 0;
  // True once the person asked to stop (Ctrl-C, SIGTERM): long loops ask between blocks and return
  // ErrorCode::kInterrupted.
  virtual bool cancelled() const { return false; }
};

class NoProgress final : public Progress {
 public:
  void stage(std::string_view, std::uint64_t) override {}
  void advance(std::uint64_t) override {}
  void note(std::string_view) override {}
};

// A stage that ends with its scope. A later one may have taken its place by then, and ends with it.
class [[nodiscard]] Stage {
 public:
  Stage(Progress& progress, std::string_view name, std::uint64_t total_bytes) : progress_(progress) {
    progress_.stage(name, total_bytes);
  }
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;
  ~Stage() { progress_.end_stage(); }

 private:
  Progress& progress_;
};

}  // namespace lifeboat
