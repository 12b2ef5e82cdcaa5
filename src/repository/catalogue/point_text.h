// How points are named in errors.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "repository/catalogue/contents.h"

namespace lifeboat::repository {

std::string point_text(const Point& point);
// Comma-separated; of many, the first and how many more there are.
std::string join_choices(std::vector<std::string> choices);
// kPointNotFound: the repo has none, or none that can be read.
Error no_points(const CatalogueContents& contents);

}  // namespace lifeboat::repository
