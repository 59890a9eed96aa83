// How help and documentation write what a parameter of a plugin may be.
#pragma once

#include "runtime/base/plugin_manifest.h"

#include <string>

namespace penstock {

/// "bool", "int", "float", "string", "path", "list of strings", "list of numbers"; of an enumeration its members, `between` between them.
std::string typeText(const PluginParameter &parameter, const char *between);

/// "1 to 10", "at least 1", "at most 10"; "" where any number will do.
std::string rangeText(const PluginParameter &parameter);

} // namespace penstock
