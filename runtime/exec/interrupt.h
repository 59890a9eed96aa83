// Ctrl-C: the first asks the running work to stop in order, the second kills.
#pragma once

namespace penstock {

/// From now on the first SIGINT or SIGTERM sets the flag and gives the signal its default action back.
/// A write past the limit on file sizes becomes an error instead of a signal.
void catchInterrupts();
bool interrupted();
/// For tests.
void setInterrupted(bool value);

} // namespace penstock
