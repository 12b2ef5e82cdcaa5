// Error: what went wrong, why, and what to do now; written for a tired person at three in the morning.
#pragma once

#include <expected>
#include <memory>
#include <string>
#include <string_view>

#include "base/error_code.h"

namespace lifeboat {

// Immutable and cheap to copy. `what` names the thing that failed in one clause, `why` is the cause in the
// words of whoever refused (errno text, a server's message, the two values that differ), `fix` is a command
// or an action; an empty `fix` means the catalogue's hint for the code.
class [[nodiscard]] Error {
 public:
  Error(ErrorCode code, std::string what, std::string why = {}, std::string fix = {});

  ErrorCode code() const;
  const std::string& what() const;
  const std::string& why() const;
  std::string fix() const;

  // The same error, with `context` put before its `what` ("restore of member m1: …").
  Error in(std::string_view context) const;
  Error with_fix(std::string fix) const;

  // One line for logs: "what: why (LB-E1234)".
  std::string to_string() const;

 private:
  struct Rep;
  std::shared_ptr<const Rep> rep_;
};

// For `return fail(ErrorCode::kX, "what", "why");` in any function that returns a Result.
std::unexpected<Error> fail(ErrorCode code, std::string what, std::string why = {}, std::string fix = {});

// The error of a failed system call: storage codes chosen from errno (full, read-only, no permission, not
// found, other), kUnreadableInput for a path that can lead nowhere; `what` as given, `why` the text of errno.
Error system_error(int error_number, std::string what);

}  // namespace lifeboat
