// Points: a list of them, and one alone.
#pragma once

#include <string>
#include <vector>

#include "cli/render/json.h"
#include "cli/terminal/style.h"
#include "repository/catalogue/catalogue.h"

namespace lifeboat::cli {

std::string points_text(const repository::Catalogue& catalogue, const std::vector<const repository::Point*>& points,
                        const Style& style);
Json points_json(const repository::Catalogue& catalogue, const std::vector<const repository::Point*>& points);

struct PointAnswer {
  repository::Catalogue::Target target;
  Result<std::vector<etcd::Member>> members;  // of the cluster then, as its database named them
};
std::string point_text(const PointAnswer& answer, const Style& style, bool verbose);
Json point_json(const PointAnswer& answer);

}  // namespace lifeboat::cli
