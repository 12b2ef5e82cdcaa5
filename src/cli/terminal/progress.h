// Progress on standard error: one live line a stage at a terminal, a log line now and then
// elsewhere.
#pragma once

#include <memory>
#include <ostream>

#include "base/progress.h"
#include "io/world.h"

namespace lifeboat::cli {

enum class ProgressKind { kLive, kLog, kSilent };

// Notes are shown in every kind but kSilent. A stage that is over leaves one line; one that took
// next to no time only does when `verbose`. `errors` and `clock` are borrowed.
std::unique_ptr<Progress> make_progress(ProgressKind kind, bool verbose, std::ostream& errors, io::Clock& clock);

// "receive  1.2 GiB of 2.1 GiB  57%  310 MiB/s  3.0 s left", without what is not known.
std::string progress_line(std::string_view stage, std::uint64_t done_bytes, std::uint64_t total_bytes, double seconds);
// "receive  2.1 GiB  310 MiB/s  7.0 s", once it is over.
std::string finished_line(std::string_view stage, std::uint64_t done_bytes, double seconds);

}  // namespace lifeboat::cli
