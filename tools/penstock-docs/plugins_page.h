#pragma once

#include <string>

namespace penstock {

/// docs/generated/plugins.md, from the manifests below `folder` (the source tree's plugins/). Empty, with a message on standard
/// error, where one cannot be read.
std::string pluginsPage(const std::string &folder);

} // namespace penstock
