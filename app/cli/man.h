#pragma once

#include <string>

#include "app/cli/description.h"

namespace spillway {

// Returns the manual page of `command`, which is `program` or a command in it, as man(7) source. `date` is
// printed at its foot, as YYYY-MM-DD.
std::string man_page(const CommandDescription& program, const CommandDescription& command,
                     const std::string& date);

// Returns the name of the command's page: `spillway-trace-synth`.
std::string man_page_name(const CommandDescription& command);

// True if `command` is the one that the program runs under its second name.
bool has_name_of_its_own(const CommandDescription& program, const CommandDescription& command);

}  // namespace spillway
