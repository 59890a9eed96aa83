// Any bytes as plugin.toml: read or refused with a message that names the file, and what was read can be used.
#include "runtime/base/plugin_manifest.h"

#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  const std::string text(reinterpret_cast<const char *>(data), size);
  const auto manifest = penstock::parsePluginManifest(text, "/a/plugin.toml");
  if (!manifest.ok()) {
    if (manifest.status().message().find("/a/plugin.toml:") != 0) {
      std::abort();
    }
    return 0;
  }
  std::vector<penstock::PluginValue> values;
  for (const penstock::PluginParameter &parameter : manifest->parameters) {
    values.push_back(parameter.defaultValue);
    if (manifest->find(parameter.name) == nullptr) {
      std::abort();
    }
  }
  // Those of one class are there where a class is given.
  if (manifest->resultsFor(values).size() > manifest->results.size()) {
    std::abort();
  }
  return 0;
}
