// Keys of a point: listed, shown, compared.
#pragma once

#include <string>

#include "cli/render/json.h"
#include "cli/terminal/style.h"
#include "operation/inspect/diff.h"
#include "operation/inspect/keys.h"
#include "repository/catalogue/catalogue.h"

namespace lifeboat::cli {

struct KeysAnswer {
  repository::Catalogue::Target target;
  Bytes prefix;
  operation::KeyListing listing;
  bool with_keys = false;
};
std::string keys_text(const KeysAnswer& answer, const Style& style);
Json keys_json(const KeysAnswer& answer);

std::string value_text(const repository::Catalogue::Target& target, const operation::KeyValueAt& found,
                       const Style& style);
Json value_json(const repository::Catalogue::Target& target, const operation::KeyValueAt& found);

struct DifferenceAnswer {
  repository::Catalogue::Target a, b;
  operation::DifferenceReport report;
};
std::string difference_text(const DifferenceAnswer& answer, const Style& style);
Json difference_json(const DifferenceAnswer& answer);

}  // namespace lifeboat::cli
