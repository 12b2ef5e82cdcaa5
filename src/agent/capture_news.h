// The events of capture as lines of the log.
#pragma once

#include <string_view>

#include "agent/log.h"
#include "operation/capture/capture_types.h"

namespace lifeboat::agent {

Severity severity_of(operation::CaptureEvent::Kind kind);
// The `event` of the line: "endpointLost".
std::string_view event_name(operation::CaptureEvent::Kind kind);

}  // namespace lifeboat::agent
