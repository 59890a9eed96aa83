// Which plugins a run was made with: run.json keeps their versions and hashes, and whoever opens the run again compares.
#pragma once

#include "runtime/base/status.h"
#include "runtime/exec/run_config.h"
#include "runtime/plugin/plugin_host.h"

#include <string>
#include <vector>

namespace penstock {

struct RunPlugin {
  std::string kind, name, version;
  std::string hash; // XXH64 of the library
};

/// The sources, tokenizers, heads, learners and metrics that the configuration names, each once, as this host has them. One that it does
/// not have is left out: whoever needs it says so.
Result<std::vector<RunPlugin>> pluginsOf(const RunConfig &config, const PluginHost &host);

/// A sentence for every plugin that is another now: "the tokenizer `words` is version 1.1.0, the run was made with 1.0.0".
/// `decisive` are those that read, tokenize or decode and have another version: what they give need not fit the weights.
struct PluginChanges {
  std::vector<std::string> all, decisive;
};
PluginChanges comparePlugins(const std::vector<RunPlugin> &before, const std::vector<RunPlugin> &now);

} // namespace penstock
