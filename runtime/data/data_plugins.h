// What the data code wants of the plugin host: a narrow door, so that tests can stand behind it.
#pragma once

#include "runtime/plugin/plugin_host.h"

#include <memory>
#include <string>
#include <vector>

namespace penstock {

/// A parameter of type `path`, and which files a plugin reads there (PluginParameter).
struct PathParameter {
  std::string name;
  std::vector<std::string> files = {}, beside = {};
};

struct TokenizerInfo {
  std::string version;
  bool fits = false;
  std::vector<PathParameter> pathParameters;
  std::string build; // hash of the library: what it gave before it was built again is not its own
};

struct MadeSource {
  std::shared_ptr<const Source> source;
  std::string identity; // another one may make other rows of a file
};

class DataPlugins {
public:
  virtual ~DataPlugins() = default;
  virtual Result<TokenizerInfo> info(const std::string &plugin) = 0;
  virtual Result<std::shared_ptr<const Tokenizer>> make(const std::string &plugin, const std::string &parameters,
                                                        const std::string &state) = 0;
  virtual Result<std::unique_ptr<TokenizerFit>> fit(const std::string &plugin, const std::string &parameters) = 0;
  virtual Result<MadeSource> source(const std::string &plugin, const std::string &parameters) = 0;
};

} // namespace penstock
