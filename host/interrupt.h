#pragma once

namespace spillway {

// True once Ctrl-C or another signal asked for the end: loops stop at the next step and report what they
// have, and nobody waits for the other end of a pipe any longer.
bool interrupted();

// Asks for the end. Async-signal-safe; cannot be taken back.
void interrupt();

}  // namespace spillway
