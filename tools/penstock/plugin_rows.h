// `penstock plugin run` of a source: its rows, as they would be read.
#pragma once

#include "runtime/plugin/plugin_host.h"

#include <string>

namespace penstock {

/// Prints an object a row, its cells as texts, and one with `error` for what is wrong with a row. `path` "" is standard input.
Status printRows(PluginHost &host, const std::string &plugin, const std::string &parameters, const std::string &path);

} // namespace penstock
