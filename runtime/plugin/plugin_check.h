// Whether a plugin's library can be trusted enough to load it into this process.
#pragma once

#include "runtime/abi/plugin_abi.h"
#include "runtime/base/plugin_manifest.h"
#include "runtime/base/status.h"
#include "runtime/plugin/plugin_call.h"

#define BOOST_DLL_USE_STD_FS // std::filesystem instead of a library of Boost
#include <boost/dll/shared_library.hpp>

#include <chrono>
#include <memory>
#include <string>

namespace penstock {

/// A library that is mapped into this process.
struct LoadedPlugin {
  std::unique_ptr<boost::dll::shared_library> library;
  const PenstockPlugin *plugin = nullptr;
  const PluginLabel *label = nullptr;
  LoadedPlugin() = default;
  LoadedPlugin(LoadedPlugin &&) = default;
  LoadedPlugin &operator=(LoadedPlugin &&) = default;
  ~LoadedPlugin();
};

/// Maps the library here, asks for its plugin and compares the answer with the manifest: sizes, ABI version, kind, name,
/// version, and that every function which the kind needs is there.
Result<LoadedPlugin> loadPlugin(const PluginManifest &manifest);

/// The same of a plugin that is linked into this process.
Result<LoadedPlugin> takeLinkedPlugin(const PluginManifest &manifest, PenstockPluginFunction entry);

/// The same in a child process, and its functions tried there (plugin_trial.h), so that a library that crashes, hangs or ends the
/// process does so there. The verdict is remembered in `cacheFolder` (none where empty) by path, size, time and inode of the library
/// and by the manifest; a rebuilt library or a corrected manifest is scanned again. The error names the plugin, what it did, in which
/// function, and the library.
Status scanPlugin(const PluginManifest &manifest, const std::string &cacheFolder, std::chrono::milliseconds timeout);

} // namespace penstock
