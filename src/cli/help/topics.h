// Help topics: what several commands have in common, in words.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "base/error_code.h"

namespace lifeboat::cli {

// Those that this version ends with; the others of ExitCode have their meaning reserved.
inline constexpr std::array kAllExits{
    ExitCode::kOk,           ExitCode::kAnswerIsNo, ExitCode::kUsage,   ExitCode::kUnreachable,
    ExitCode::kCredentials,  ExitCode::kIntegrity,  ExitCode::kRefused, ExitCode::kStorage,
    ExitCode::kNotFound,     ExitCode::kWrongKey,   ExitCode::kBug,     ExitCode::kInterrupted,
    ExitCode::kOutputClosed, ExitCode::kTerminated,
};

inline constexpr std::string_view kPointsTopic =
    "A POINT is any state that can be restored:\n"
    "  latest                     the newest one\n"
    "  1f2e9c                     an id as `lifeboat ls` shows it, or at least 4 of its first "
    "digits\n"
    "  @2026-11-21T09:00:00Z      the state at a time: RFC 3339, or as times are shown\n"
    "  \"@2026-11-21 09:00\"        without a zone it is local time, with --utc UTC; a day alone is its beginning\n"
    "  @-15m                      a quarter of an hour ago; also s, h, d, w and 1h30m\n"
    "  rev:48211907               one etcd revision\n"
    "  rev:48211907@5d0e11c2      the same in one history of several: the first digits of its lineage, at least 4\n"
    "  before-delete:KEY          the revision before the last deletion of KEY; KEY#2: the one before\n"
    "With points of several clusters in one repo, --cluster NAME chooses among them.\n"
    "Every answer says which point, revision and time it is about.\n";

std::string environment_topic();

}  // namespace lifeboat::cli
