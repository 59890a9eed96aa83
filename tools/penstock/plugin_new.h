// `penstock plugin new`: a project for a plugin of a kind, from the templates beside the command.
#pragma once

#include "runtime/base/plugin_kinds.h"
#include "runtime/base/status.h"

#include <string>

namespace penstock {

/// Writes CMakeLists.txt, plugin.toml and NAME.cpp into `folder`, which is made, or is there and empty (else a usage error). A name that
/// a plugin cannot have is one, too.
Status newPlugin(PluginKind kind, const std::string &name, const std::string &folder);

} // namespace penstock
