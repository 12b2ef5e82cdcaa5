// The point that a command is about.
#pragma once

#include <string>

#include "cli/grammar/command.h"
#include "repository/catalogue/catalogue.h"

namespace lifeboat::cli {

// A point resolved by name, with the catalogue it lives in.
struct Resolved {
  const repository::Repository& repo;
  repository::Catalogue catalogue;
  repository::Catalogue::Target target;
};
Result<Resolved> resolve_point(Context& context, const std::string& name);
// A further name in the same catalogue, `before-delete:KEY` included.
Result<repository::Catalogue::Target> find_target(Context& context, const repository::Catalogue& catalogue,
                                                  const std::string& name);
// Notes what a name was taken for before the work begins. The JSON form says it in the answer, and an error stands
// alone on standard error there.
void tell_target(Context& context, const repository::Catalogue::Target& target);

}  // namespace lifeboat::cli
