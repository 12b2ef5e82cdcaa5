// Pins: what a writer is about to put, said beforehand, so that it can be removed when the writer dies half way.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "io/file_system.h"

namespace lifeboat::storage {

// Held by the writer of objects that something must name before they count. It stays in the store until it is released;
// one that is destroyed before that is a dead writer's, whose objects the next sweep removes where nothing names them.
class Pin {
 public:
  virtual ~Pin() = default;
  // What was put is named now, or was removed. Where this fails the next sweep finds the same.
  virtual void release() = 0;
};

// Whether something names the object. First asked when the writers of all that will be asked for are dead.
using IsNamed = std::function<Result<bool>(const std::string& object)>;

// Pins of a store that is a folder: files `.lifeboat-pin-<sha256>` in it, of the names, one a line; locked while their
// writer lives. They name their machine, by a hash of its id and name: those of another one, which a lock may not
// reach, stay. Durable once it returns. `files` is borrowed.
Result<std::unique_ptr<Pin>> pin_in(io::FileSystem& files, const std::string& directory,
                                    const std::vector<std::string>& objects);
// Removes by `remove` what dead writers pinned and nothing names, and then their pins.
Status sweep_pins(io::FileSystem& files, const std::string& directory, const IsNamed& is_named,
                  const std::function<Status(const std::string& object)>& remove);

}  // namespace lifeboat::storage
