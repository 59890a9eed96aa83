// Ctrl-C, SIGTERM and a closed terminal: the first asks the running work to stop in order, a second Ctrl-C or SIGTERM kills.
#pragma once

namespace penstock {

/// From now on the first SIGINT or SIGTERM sets the flag and gives the signal its default action back; every SIGHUP sets it, unless the
/// process was started with SIGHUP ignored.
/// A write past the limit on file sizes becomes an error instead of a signal.
void catchInterrupts();
bool interrupted();
/// For tests.
void setInterrupted(bool value);

} // namespace penstock
