// The plan file: what the first host decided, as canonical JSON, so that the others build the same cluster.
#pragma once

#include <optional>
#include <string>

#include "io/file_system.h"
#include "operation/restore/restore_plan.h"

namespace lifeboat::operation {

// Sorted fields, two spaces, one newline at the end: equal plans are equal bytes.
Bytes encode_plan(const SharedPlan& plan);
// kUnreadableInput when it is not such a document; kPlanMismatch when its format version is another one, or when it was
// edited (it must equal its own re-encoding).
Result<SharedPlan> decode_plan(ByteView bytes);

// nullopt when there is no such file.
Result<std::optional<SharedPlan>> read_plan_file(io::FileSystem& files, const std::string& path);
// Durably, and never over another one: the plan that is there afterwards, which is another host's when that was first.
Result<SharedPlan> publish_plan_file(io::FileSystem& files, const std::string& path, const SharedPlan& plan);

}  // namespace lifeboat::operation
