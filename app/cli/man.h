#pragma once

#include <string>

#include "app/cli/description.h"

namespace spillway {

// The manual page of `command`, which is `program` or a command in it, as man(7) source. `date` stands at its
// foot, as YYYY-MM-DD.
std::string man_page(const CommandDescription& program, const CommandDescription& command,
                     const std::string& date);

// Its name in the manual: `spillway-trace-synth`.
std::string man_page_name(const CommandDescription& command);

// Whether `command` is what the program runs under its second name.
bool has_name_of_its_own(const CommandDescription& program, const CommandDescription& command);

}  // namespace spillway
