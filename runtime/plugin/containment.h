// What a process does about plugins that crash, end it, or do not return. docs/design/plugins.md says what this can and cannot do.
#pragma once

#include "runtime/plugin/plugin_call.h"

namespace penstock {

/// From now on, in this process and not in its children:
/// - a signal that would kill the process while a plugin runs ends it with one line (the plugin, the entry, the library, the step of
///   the last checkpoint) and exit code 4; outside of plugins signals do what they did;
/// - so does a plugin that calls `exit`, and one that ends its thread by an exception (std::terminate);
/// - a call that lasts longer than 10 s is named in a line on stderr, and when `interrupted` is true then, the process ends with 130.
/// Nothing is done about signals where a sanitizer was built in, which has its own.
void containPlugins(bool (*interrupted)());

/// The command ends in order: exit handlers say nothing any more.
void releasePlugins();

/// For the scan's child process, which only reports to its parent: signals kill it again.
void releaseSignals();

/// Called when a library was loaded: where it lies, so that a crash in a thread of its own has a name; starts the watch.
void watchLibrary(const PluginLabel &plugin, const void *inside);

/// Whether this process was forked off by a plugin within a call of this thread, which it must not come back from.
bool isForkOfPlugin();
/// The call came back in such a process: one line, and the process ends with 4. The command goes on in its parent.
[[noreturn]] void endForkOfPlugin(const PluginLabel &plugin, const char *entry);

/// The process ends with `code`, at once; where a plugin asked for that, with the line and 4. What `_exit` of the command does.
[[noreturn]] void endProcess(int code);

} // namespace penstock
