#include "tools/penstock-docs/plugins_page.h"

#include "runtime/base/parameter_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>

namespace penstock {
namespace {

namespace fs = std::filesystem;

struct ValueText {
  std::string operator()(bool value) const { return value ? "true" : "false"; }
  std::string operator()(std::int64_t value) const { return fmt::format("{}", value); }
  std::string operator()(double value) const { return fmt::format("{}", value); }
  std::string operator()(const std::string &value) const { return value.empty() ? "\"\"" : value; }
  std::string operator()(const std::vector<std::string> &value) const { return fmt::format("[{}]", fmt::join(value, ", ")); }
  std::string operator()(const std::vector<double> &value) const { return fmt::format("[{}]", fmt::join(value, ", ")); }
};

void describe(std::string &page, const PluginManifest &manifest) {
  page += fmt::format("\n### {}\n\n{}. Version {}, ABI {}.{}.", manifest.name, manifest.summary, manifest.version, manifest.abiMajor,
                      manifest.abiMinor);
  if (manifest.fits) {
    page += " Carries fitted state.";
  }
  if (std::string purpose = manifest.purpose(); !purpose.empty()) {
    purpose[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(purpose[0])));
    page += " " + purpose + ".";
  }
  if (manifest.linearState) {
    page += " Its state grows with the records.";
  }
  if (!manifest.results.empty()) {
    page += " Gives";
    for (std::size_t i = 0; i < manifest.results.size(); ++i) {
      page += fmt::format("{} `{}`{}", i == 0 ? "" : ",", manifest.results[i].name,
                          manifest.results[i].higherIsBetter ? "" : " (lower is better)");
    }
    page += ".";
  }
  page += "\n";
  if (manifest.parameters.empty()) {
    return;
  }
  page += "\n| parameter | type | default | meaning |\n|---|---|---|---|\n";
  for (const PluginParameter &parameter : manifest.parameters) {
    const std::string range = rangeText(parameter);
    page += fmt::format("| `{}` | {}{} | {} | {} |\n", parameter.name, typeText(parameter, ", "), range.empty() ? "" : ", " + range,
                        parameter.required   ? "required"
                        : parameter.optional ? "optional"
                                             : std::visit(ValueText(), parameter.defaultValue),
                        parameter.help);
  }
}

} // namespace

std::string pluginsPage(const std::string &folder) {
  std::string page =
      "# Plugins of the tree\n\nMade by `penstock-docs` from each plugin's plugin.toml; do not edit. How to use and write them: "
      "[guides/plugins.md](../guides/plugins.md).\n";
  for (const PluginKindRow &kind : pluginKinds) {
    const std::string below = std::string(kind.name) + "s";
    std::error_code error;
    std::vector<fs::path> folders;
    for (fs::directory_iterator it(fs::path(folder) / below, error), end; !error && it != end; it.increment(error)) {
      folders.push_back(it->path());
    }
    std::sort(folders.begin(), folders.end());
    page += fmt::format("\n## {}\n", kind.heading);
    for (const fs::path &path : folders) {
      const Result<PluginManifest> manifest = readPluginManifest((path / "plugin.toml").string());
      if (!manifest.ok()) {
        std::fprintf(stderr, "%s\n", manifest.status().message().c_str());
        return "";
      }
      describe(page, *manifest);
    }
  }
  return page;
}

} // namespace penstock
