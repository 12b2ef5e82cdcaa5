#include "base/version.h"

namespace lifeboat {
constinit const std::string_view kLifeboatVersion = LIFEBOAT_VERSION;
}
