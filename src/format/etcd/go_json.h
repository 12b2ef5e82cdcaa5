// JSON as Go's encoding/json prints it, so that what we write equals what etcd writes byte for
// byte.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace lifeboat::etcd {

// Quotes `text` as json.Marshal does: HTML characters, U+2028 and U+2029 escaped, bad UTF-8
// replaced.
std::string json_text(std::string_view text);
// ["a","b"].
std::string json_list(std::span<const std::string> texts);

}  // namespace lifeboat::etcd
