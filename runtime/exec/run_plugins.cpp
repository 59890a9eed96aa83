#include "runtime/exec/run_plugins.h"

#include "runtime/base/file.h"
#include "runtime/base/hash.h"
#include "runtime/base/splits.h"
#include "runtime/exec/evaluate.h"
#include "runtime/exec/run_folder.h"

#include <fmt/format.h>

#include <algorithm>

namespace penstock {

static Result<std::string> hashOfFile(const std::string &path) {
  if (!fileExists(path)) { // the plugin is linked into this process, or its loading will tell
    return std::string();
  }
  PENSTOCK_ASSIGN(const std::string content, readWholeFile(path));
  return hash64Hex(content);
}

Result<std::vector<RunPlugin>> pluginsOf(const RunConfig &config, const PluginHost &host) {
  std::vector<RunPlugin> plugins;
  const auto add = [&](PluginKind kind, const std::string &name) -> Status {
    const bool known =
        std::any_of(plugins.begin(), plugins.end(), [&](const RunPlugin &one) { return one.kind == kindName(kind) && one.name == name; });
    const Result<const PluginManifest *> manifest = host.manifest(name, kind);
    if (known || !manifest.ok()) {
      return {};
    }
    PENSTOCK_ASSIGN(std::string hash, hashOfFile((*manifest)->library));
    plugins.push_back({kindName(kind), name, (*manifest)->version, std::move(hash)});
    return {};
  };
  for (const SourceSpec &source : config.records.sources) {
    PENSTOCK_TRY(add(PluginKind::source, source.kind)); // none of the built-in ones is a plugin
  }
  for (const FeatureSpec &feature : config.records.features) {
    for (const StepSpec &step : feature.steps) {
      if (!step.plugin.empty()) {
        PENSTOCK_TRY(add(PluginKind::tokenizer, step.plugin));
      }
    }
  }
  for (const AnswerSpec &answer : config.answers) {
    if (!answer.decoder.empty()) {
      PENSTOCK_TRY(add(answer.learner ? PluginKind::learner : PluginKind::head, answer.decoder));
    }
  }
  for (const char *split : splitNames) {
    for (const MetricSpec &use : metricsFor(config, split, host.manifests())) {
      PENSTOCK_TRY(add(PluginKind::metric, use.plugin));
    }
  }
  return plugins;
}

PluginChanges comparePlugins(const std::vector<RunPlugin> &before, const std::vector<RunPlugin> &now) {
  PluginChanges changes;
  for (const RunPlugin &old : before) {
    const auto found =
        std::find_if(now.begin(), now.end(), [&](const RunPlugin &one) { return one.kind == old.kind && one.name == old.name; });
    if (found == now.end() || found->hash == old.hash) {
      continue;
    }
    if (found->version != old.version) {
      changes.all.push_back(
          fmt::format("the {} `{}` is version {}, the run was made with {}", old.kind, old.name, found->version, old.version));
      if (const PluginKindRow *row = findKind(old.kind); row == nullptr || row->place != PluginPlace::evaluate) {
        changes.decisive.push_back(changes.all.back());
      }
    } else {
      changes.all.push_back(
          fmt::format("the {} `{}` {} is another build than the one that the run was made with", old.kind, old.name, old.version));
    }
  }
  return changes;
}

} // namespace penstock
