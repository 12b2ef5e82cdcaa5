// ObjectStore: named, immutable byte strings. Drivers and decorators pass tests/storage/object_store_conformance.h.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "storage/pin.h"

namespace lifeboat::storage {

struct ObjectInfo {
  std::string name;  // "/"-separated, relative to the repo, no empty or dot segments, [a-z0-9._-] in segments
  std::uint64_t size_bytes = 0;
  Timestamp modified;  // the store's time
};

// Bytes on their way into the store: written in order, then published under a name that may depend on them.
// Invisible to list and get until then; destroyed unpublished, it leaves nothing.
class StagedObject {
 public:
  virtual ~StagedObject() = default;
  virtual Status append(ByteView bytes) = 0;
  // Reads back what was appended.
  virtual Result<std::size_t> read_at(std::uint64_t offset, MutableByteView out) = 0;
};

enum class PutOutcome { kCreated, kExisted };  // existed: with the same bytes

class ObjectStore {  // usable from several threads at once; each StagedObject is one thread's at a time
 public:
  virtual ~ObjectStore() = default;

  virtual Result<std::unique_ptr<StagedObject>> stage() = 0;
  // Durable once it returns. An object of that name with equal bytes is success (kExisted), with other bytes
  // kObjectDamaged: names are never reused.
  virtual Result<PutOutcome> publish(std::unique_ptr<StagedObject> staged, const std::string& name) = 0;

  // kObjectMissing when absent. Reads until `out` is full or the object ends.
  virtual Result<std::size_t> read_at(const std::string& name, std::uint64_t offset, MutableByteView out) = 0;
  virtual Result<ObjectInfo> head(const std::string& name) = 0;
  // Every object whose name starts with `prefix` (a whole number of segments, ending in "/", or empty), by name.
  virtual Result<std::vector<ObjectInfo>> list(const std::string& prefix) = 0;
  virtual Status remove(const std::string& name) = 0;
  virtual Result<std::uint64_t> free_bytes() = 0;  // UINT64_MAX when unlimited
  // Before the first of these objects is published. nullptr from a store that cannot tell whether a writer lives.
  virtual Result<std::unique_ptr<Pin>> pin(const std::vector<std::string>& /*objects*/) { return nullptr; }
  // Removes what dead writers left: what never became an object, and what they pinned and nothing names. Safe beside
  // living ones.
  virtual Status sweep(const IsNamed& /*is_named*/) { return {}; }
  // Where it lives, for people: "file:///backup".
  virtual std::string url() const = 0;
};

Result<Bytes> get(ObjectStore& store, const std::string& name, std::uint64_t limit_bytes);
Result<PutOutcome> put(ObjectStore& store, const std::string& name, ByteView bytes);

}  // namespace lifeboat::storage
