#pragma once

namespace spillway {

// Returns true once Ctrl-C or another signal asked for the end. Loops then stop at the next step and report
// what they have, and no call waits for the other end of a pipe any longer.
bool interrupted();

// Asks for the end, for the rest of the process. Async-signal-safe.
void interrupt();

}  // namespace spillway
