#pragma once

#include <string>

#include "core/json_fwd.h"
#include "core/result.h"

namespace spillway {

// Checks a preset against the JSON schema that is installed with the program for what its key `schema` says:
// share/schema/drive-1.json for `spillway.drive/1`. The error names the key and what belongs there; of a key
// that the schema lacks, it names the one that was probably meant.
Result<void> check_schema(const Json& preset);

}  // namespace spillway
