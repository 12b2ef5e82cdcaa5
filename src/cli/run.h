// Run: one command line from its words to an exit code.
#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "app/app.h"

namespace lifeboat::cli {

// Answers go to `out`, everything else to `errors`. `words` without the program's name.
int run(const std::vector<std::string>& words, const app::Surroundings& surroundings, std::ostream& out,
        std::ostream& errors);

// The four lines of kInternal, for what nobody foresaw; returns its exit code.
int report_internal(const char* what, std::ostream& errors);

}  // namespace lifeboat::cli
