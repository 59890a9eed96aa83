#include "runtime/plugin/plugin_host.h"

#include "runtime/base/disk_cache.h"
#include "runtime/base/nearest.h"
#include "runtime/base/printable.h"
#include "runtime/plugin/plugin_arguments.h"
#include "runtime/plugin/plugin_check.h"
#include "runtime/plugin/plugin_trial.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>
#include <optional>

namespace penstock {
namespace {

constexpr std::chrono::milliseconds scanTimeout{10000};
constexpr std::size_t alignment = 64;

constexpr std::size_t maximumLogBytes = 4096;
constexpr int maximumLogLines = 1000; // of all plugins together

void *allocate(void *, std::size_t bytes) {
  if (bytes > SIZE_MAX - alignment) {
    return nullptr;
  }
  const std::size_t rounded = (bytes + alignment - 1) / alignment * alignment;
  return std::aligned_alloc(alignment, rounded == 0 ? alignment : rounded);
}

void release(void *, void *memory) { std::free(memory); }

void log(void *, PenstockString message) {
  static std::atomic<int> lines{0};
  if (message.data == nullptr || lines.load() >= maximumLogLines || lines.fetch_add(1) >= maximumLogLines) {
    return;
  }
  static_cast<void>(contained([&] {
    const std::string text = printable(std::string_view(message.data, std::min(message.size, maximumLogBytes)));
    const CallMark *const mark = ownCallMark();
    const PluginLabel *const plugin = mark == nullptr ? nullptr : mark->plugin.load();
    std::fprintf(stderr, "penstock: %s%s%s\n", plugin == nullptr ? "" : plugin->name.c_str(), plugin == nullptr ? "" : ": ", text.c_str());
  }));
}

class Host : public PluginHost {
public:
  explicit Host(std::vector<PluginManifest> found, std::vector<Status> broken = {}) : known(std::move(found)), broken(std::move(broken)) {}

  const std::vector<PluginManifest> &manifests() const override { return known; }
  const std::vector<Status> &problems() const override { return broken; }

  Result<const PluginManifest *> manifest(const std::string &name, PluginKind kind) const override {
    std::vector<std::string> names;
    for (const PluginManifest &candidate : known) {
      if (candidate.kind == kind) {
        if (candidate.name == name) {
          return &candidate;
        }
        names.push_back(candidate.name);
      }
    }
    const std::vector<std::string> meant = nearest(name, names);
    return invalidInput(fmt::format("there is no {} `{}`{}", kindName(kind), name,
                                    !meant.empty()  ? fmt::format("; did you mean `{}`?", meant[0])
                                    : names.empty() ? fmt::format("; no {} was found in the plugin folders", kindName(kind))
                                                    : fmt::format("; there are {}", fmt::join(names, ", "))));
  }

  Result<const PenstockPlugin *> load(const std::string &name, PluginKind kind) override {
    PENSTOCK_ASSIGN(const PluginManifest *wanted, manifest(name, kind));
    const std::lock_guard<std::mutex> guard(mutex);
    const auto it = loaded.find(wanted);
    if (it != loaded.end()) {
      return it->second.plugin;
    }
    PENSTOCK_ASSIGN(LoadedPlugin made, loadNow(static_cast<std::size_t>(wanted - known.data())));
    return loaded.emplace(wanted, std::move(made)).first->second.plugin;
  }

  const PenstockHost *services() const override { return lentServices(); }

  Result<std::unique_ptr<PluginArguments>> arguments(const PluginManifest &manifest, const std::string &json) const override {
    return makeArguments(manifest, json);
  }

protected:
  /// One of `known`, by one thread at a time.
  virtual Result<LoadedPlugin> loadNow(std::size_t index) = 0;
  const std::vector<PluginManifest> known;

private:
  std::vector<Status> broken;
  std::mutex mutex;
  std::map<const PluginManifest *, LoadedPlugin> loaded;
};

/// Plugins of folders.
class FoundPlugins final : public Host {
public:
  using Host::Host;

private:
  Result<LoadedPlugin> loadNow(std::size_t index) override {
    if (!cache) {
      const Result<std::string> folder = cacheFolder();
      cache = folder.ok() ? *folder : "";
    }
    PENSTOCK_TRY(scanPlugin(known[index], *cache, scanTimeout));
    return loadPlugin(known[index]);
  }
  std::optional<std::string> cache; // of verdicts, "" where there can be none; known from the first plugin on
};

/// Plugins of an artifact: one a manifest.
class GivenPlugins final : public Host {
public:
  GivenPlugins(std::vector<PluginManifest> found, const std::vector<GivenPlugin> &plugins) : Host(std::move(found)), given(plugins) {}

private:
  Result<LoadedPlugin> loadNow(std::size_t index) override {
    const PenstockPluginFunction entry = given[index].entry;
    return entry == nullptr ? loadPlugin(known[index]) : takeLinkedPlugin(known[index], entry);
  }
  std::vector<GivenPlugin> given;
};

} // namespace

const PenstockHost *lentServices() {
  static const PenstockHost services = {sizeof(PenstockHost), nullptr, allocate, release, log};
  return &services;
}

Result<std::shared_ptr<PluginHost>> PluginHost::given(const std::vector<GivenPlugin> &plugins) {
  std::vector<PluginManifest> found;
  for (const GivenPlugin &one : plugins) {
    PENSTOCK_ASSIGN(PluginManifest manifest, parsePluginManifest(one.manifest, "/artifact/plugin.toml"));
    manifest.library = one.library;
    found.push_back(std::move(manifest));
  }
  return std::shared_ptr<PluginHost>(std::make_shared<GivenPlugins>(std::move(found), plugins));
}

Result<std::shared_ptr<PluginHost>> PluginHost::create(const std::vector<std::string> &extraFolders) {
  std::vector<Status> problems;
  PENSTOCK_ASSIGN(std::vector<PluginManifest> found, findPlugins(extraFolders, &problems));
  return std::shared_ptr<PluginHost>(std::make_shared<FoundPlugins>(std::move(found), std::move(problems)));
}

} // namespace penstock
