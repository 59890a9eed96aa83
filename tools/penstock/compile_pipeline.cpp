#ifdef PENSTOCK_HAS_DRIVER
#include "tools/penstock/compile_pipeline.h"

#include "runtime/base/device_names.h"
#include "runtime/base/disk_cache.h"
#include "runtime/base/file.h"
#include "runtime/base/hash.h"
#include "runtime/base/pipeline_value.h"
#include "runtime/kernels/kernel_table.h"
#include "runtime/kernels/kernel_tuning.h"
#include "runtime/plugin/plugin_host.h"

#include <fmt/format.h>

#include <set>

namespace penstock {
namespace {
Result<Level> levelOf(const frontend::TypedPipeline &pipeline) {
  return pipeline.target.level.empty() ? machineLevel() : parseLevel(pipeline.target.level);
}
} // namespace

Status takeTunedKernels(frontend::TypedPipeline &pipeline) {
  if (pipeline.target.kernels != "tuned" || !levelOfDevice(pipeline.target.device).empty()) {
    return {};
  }
  PENSTOCK_ASSIGN(const Level level, levelOf(pipeline));
  PENSTOCK_ASSIGN(const std::string folder, cacheFolder());
  PENSTOCK_ASSIGN(const std::vector<KernelChoice> choices, readKernelTuning(kernelTuningPath(folder, level), level));
  pipeline.target.tuned.clear();
  for (const KernelChoice &choice : choices) {
    pipeline.target.tuned.push_back(choice.text());
  }
  return {};
}

Result<CompileOptions> compileOptionsFor(const frontend::TypedPipeline &pipeline, PluginHost &host) {
  CompileOptions options;
  options.level = levelOfDevice(pipeline.target.device);
  if (options.level.empty()) {
    PENSTOCK_ASSIGN(const Level level, levelOf(pipeline));
    options.level = levelName(level);
  }
  // Without a cache folder every run compiles anew, which is slower and no error.
  if (const Result<std::string> folder = cacheFolder(); folder.ok()) {
    options.cacheFolder = *folder;
  }
  std::set<std::string> heads;
  for (const frontend::GraphNode &node : pipeline.model.nodes) {
    if (node.kind == frontend::GraphNode::Kind::head && heads.insert(node.op).second) {
      PENSTOCK_ASSIGN(const PluginManifest *const manifest, host.manifest(node.op, PluginKind::head));
      PENSTOCK_ASSIGN(const std::string library, readWholeFile(manifest->library));
      options.plugins.push_back(fmt::format("{} {} {:016x}", manifest->name, manifest->version, hash64(library)));
    }
  }
  options.buildHead = [&host](const std::string &plugin, const frontend::Attributes &parameters, const PenstockGraphBuilder *builder,
                              PenstockNode input, PenstockNode target, const PenstockField *column) -> Status {
    ColumnField field;
    if (column != nullptr) { // whose names are not known before there are data
      field = targetField("", std::string(column->meaning.data, column->meaning.size), {});
      field.classCount = field.trained = column->class_count;
    }
    PENSTOCK_ASSIGN(const std::unique_ptr<const Head> head,
                    makeHead(host, plugin, jsonText(parameters), column == nullptr ? nullptr : &field));
    return head->build(*builder, input, target);
  };
  return options;
}

Result<std::string> compilePipeline(const frontend::TypedPipeline &pipeline, PluginHost &host, CompileReport *report, bool profile) {
  PENSTOCK_ASSIGN(CompileOptions options, compileOptionsFor(pipeline, host));
  options.profile = profile;
  return compileProgram(pipeline, options, report);
}

} // namespace penstock
#endif
