#include "agent/capture_news.h"

namespace lifeboat::agent {

using Kind = operation::CaptureEvent::Kind;

Severity severity_of(Kind kind) {
  switch (kind) {
    case Kind::kGap:
    case Kind::kNewLineage:
    case Kind::kEndpointLost:
    case Kind::kStoreFailed:
    case Kind::kSidecarFailed:
      return Severity::kWarning;
    case Kind::kFollowing:
    case Kind::kFlushed:
    case Kind::kBase:
    case Kind::kRecovered:
    case Kind::kStoreRecovered:
    case Kind::kSidecarRecovered:
      return Severity::kInfo;
  }
  return Severity::kInfo;
}

std::string_view event_name(Kind kind) {
  switch (kind) {
    case Kind::kFollowing:
      return "following";
    case Kind::kFlushed:
      return "flush";
    case Kind::kBase:
      return "base";
    case Kind::kGap:
      return "gap";
    case Kind::kNewLineage:
      return "newLineage";
    case Kind::kEndpointLost:
      return "endpointLost";
    case Kind::kStoreFailed:
      return "storeFailed";
    case Kind::kStoreRecovered:
      return "storeRecovered";
    case Kind::kRecovered:
      return "recovered";
    case Kind::kSidecarFailed:
      return "sidecarFailed";
    case Kind::kSidecarRecovered:
      return "sidecarRecovered";
  }
  return "";
}

}  // namespace lifeboat::agent
