// Lineage and source as fields: manifests and captured segments write them alike.
#pragma once

#include "format/canonical_json.h"
#include "format/manifest/origin.h"

namespace lifeboat::manifest {

json::Json lineage_fields(const Lineage& lineage);
Lineage read_lineage(json::Fields& in);

json::Json source_fields(const Source& source);
Source read_source(json::Fields& in);

}  // namespace lifeboat::manifest
