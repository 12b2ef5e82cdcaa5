// Words of a command as somebody can paste them into a shell.
#pragma once

#include <string>
#include <string_view>

namespace lifeboat {

// The word itself where a POSIX shell takes it for one plain word, else in single quotes.
std::string shell_word(std::string_view word);

}  // namespace lifeboat
