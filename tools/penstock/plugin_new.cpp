#include "tools/penstock/plugin_new.h"

#include "runtime/base/file.h"
#include "runtime/base/folder.h"
#include "runtime/base/plugin_manifest.h"
#include "runtime/base/printable.h"

#include <fmt/format.h>

#include <filesystem>
#include <utility>
#include <vector>

namespace penstock {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view placeholder = "@NAME@";

std::string named(std::string text, const std::string &name) {
  for (std::size_t at = 0; (at = text.find(placeholder, at)) != std::string::npos; at += name.size()) {
    text.replace(at, placeholder.size(), name);
  }
  return text;
}

} // namespace

Status newPlugin(PluginKind kind, const std::string &name, const std::string &folder) {
  std::error_code error;
  const fs::path prefix = fs::path(commandFolder()).parent_path();
  const fs::path templates = prefix / "share" / "penstock" / "templates";
  const fs::path out = fs::absolute(folder, error).lexically_normal();
  std::vector<std::pair<std::string, std::string>> files;
  for (const auto &[from, to] : {std::pair<std::string, std::string>{std::string(kindName(kind)) + "/plugin.toml.in", "plugin.toml"},
                                 {std::string(kindName(kind)) + "/plugin.cpp", name + ".cpp"},
                                 {"CMakeLists.txt.in", "CMakeLists.txt"}}) {
    PENSTOCK_ASSIGN(std::string text, readWholeFile((templates / from).string()));
    files.emplace_back(to, named(std::move(text), name));
  }
  if (const auto manifest = parsePluginManifest(files.front().second, (out / "plugin.toml").string()); !manifest.ok()) {
    return usageError(fmt::format("`{}` is no name of a plugin: {}", printable(name, 80), manifest.status().message()));
  }
  if (fs::exists(out, error) && (!fs::is_directory(out, error) || !fs::is_empty(out, error))) {
    return usageError(fmt::format("`{}` is there and not empty; name another folder", printable(folder)));
  }
  fs::create_directories(out, error);
  if (error) {
    return environmentError(fmt::format("{}: {}", printable(folder), error.message()));
  }
  for (const auto &[file, text] : files) {
    PENSTOCK_TRY(writeFileAtomically((out / file).string(), text));
  }
  fmt::print("the {0} `{1}` is in `{2}`; build and try it with\n"
             "  cmake -S {2} -B {2}/build -DCMAKE_PREFIX_PATH={3} && cmake --build {2}/build\n"
             "  penstock --plugins {2}/build/plugins plugin test {1}\n",
             kindName(kind), name, folder, prefix.string());
  return {};
}

} // namespace penstock
