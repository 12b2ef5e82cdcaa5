// The answer of init.
#pragma once

#include <string>

#include "cli/render/json.h"
#include "cli/terminal/style.h"
#include "repository/store/repository.h"

namespace lifeboat::cli {

struct InitAnswer {
  std::string url, key_file;
  repository::Repository::InitReport report;
};
std::string init_text(const InitAnswer& answer, const Style& style);
Json init_json(const InitAnswer& answer);

}  // namespace lifeboat::cli
