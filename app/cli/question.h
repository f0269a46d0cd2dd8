#pragma once

#include <string>

namespace spillway {

// Returns true if somebody can read a question and answer it: stdin and stderr are a terminal.
bool can_ask();

// Prints `question` on stderr and reads a line from stdin. Returns true if the line says y or yes. An
// interrupt or the end of the input says no.
bool asks_for_yes(const std::string& question);

}  // namespace spillway
