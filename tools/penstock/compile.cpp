// `penstock compile FILE`: compiles a pipeline, or that of a run, into the cache, or prints one stage of its way down.
#ifdef PENSTOCK_HAS_DRIVER
#include "tools/penstock/commands.h"
#include "tools/penstock/compile_pipeline.h"
#include "tools/penstock/load_pipeline.h"
#include "tools/penstock/run_settings.h"

#include "runtime/base/file.h"
#include "runtime/exec/run_folder.h"
#include "runtime/plugin/plugin_host.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>

namespace penstock {
namespace {

struct State {
  LoadOptions load;
  std::string stage, level, output;
  bool json = false;
};

/// A file is replaced at once, that of a link too; a device or a FIFO is written to.
Status copyTo(const std::string &program, const std::string &output) {
  PENSTOCK_ASSIGN(const std::string bytes, readWholeFile(program));
  const std::unique_ptr<char, decltype(&std::free)> resolved(::realpath(output.c_str(), nullptr), std::free);
  struct stat info{};
  if (resolved != nullptr && ::stat(resolved.get(), &info) == 0 && !S_ISREG(info.st_mode)) {
    const Descriptor file(::open(resolved.get(), O_WRONLY | O_CLOEXEC));
    const bool written = file.ok() && writeAll(file.get(), bytes.data(), bytes.size());
    return written ? Status{} : systemError("write", output, errno);
  }
  return writeFileAtomically(resolved != nullptr ? resolved.get() : output, bytes);
}

/// The pipeline of a run with what decided its shapes and values, from its folder alone.
Result<frontend::TypedPipeline> pipelineOfRun(const State &state, const CommandContext &context) {
  if (!state.load.settings.empty() || !state.load.factsFile.empty()) {
    return usageError("`" + state.load.file +
                      "` is a run, which is compiled as it was trained: it takes `--level`, and no `--set` or `--facts`");
  }
  PENSTOCK_ASSIGN(const RunRecord record, readRunRecord(state.load.file));
  PENSTOCK_ASSIGN(frontend::TypedPipeline pipeline, pipelineOf(record, context));
  if (!state.level.empty()) {
    pipeline.target.level = state.level;
  }
  return pipeline;
}

/// Compiles the pipeline into what `state` asks for.
Status compileTyped(const State &state, const frontend::TypedPipeline &pipeline, const CommandContext &context) {
  PENSTOCK_ASSIGN(const std::shared_ptr<PluginHost> host, PluginHost::create(context.pluginFoldersWith(pipeline.pluginFolders)));
  PENSTOCK_ASSIGN(const CompileOptions options, compileOptionsFor(pipeline, *host));
  if (!state.stage.empty()) {
    PENSTOCK_ASSIGN(const std::string text, compileStage(pipeline, state.stage, options));
    std::fwrite(text.data(), 1, text.size(), stdout);
    return {};
  }
  CompileReport report;
  PENSTOCK_ASSIGN(const std::string program, compileProgram(pipeline, options, &report));
  if (!state.output.empty()) {
    PENSTOCK_TRY(copyTo(program, state.output));
  }
  const std::string &path = state.output.empty() ? program : state.output;
  if (state.json) {
    const nlohmann::ordered_json json = {
        {"program", path}, {"level", options.level}, {"cached", report.cached}, {"seconds", report.seconds}};
    std::printf("%s\n", json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
  } else if (!state.load.quiet) {
    std::printf("%s for `%s` in %.0f ms: %s\n", report.cached ? "found in the cache" : "compiled", options.level.c_str(),
                report.seconds * 1e3, path.c_str());
  }
  return {};
}

Status compile(State &state, CommandContext &context) {
  std::error_code error;
  if (std::filesystem::is_directory(state.load.file, error)) {
    PENSTOCK_ASSIGN(const frontend::TypedPipeline pipeline, pipelineOfRun(state, context));
    return compileTyped(state, pipeline, context);
  }
  if (!state.level.empty()) {
    state.load.settings.push_back("target.level=" + state.level);
  }
  LoadedPipeline loaded = loadPipeline(state.load, context);
  if (!loaded.ok) {
    return {}; // said already
  }
  if (loaded.isLibrary) {
    return invalidInput("`" + state.load.file + "` holds layers and heads but no pipeline, so there is nothing to compile");
  }
  PENSTOCK_TRY(takeTunedKernels(loaded.pipeline));
  return compileTyped(state, loaded.pipeline, context);
}

} // namespace

void addCompileCommand(CLI::App &app, CommandContext &context) {
  auto state = std::make_shared<State>();
  CLI::App *command = app.add_subcommand("compile", "compile a pipeline into the cache, or print a stage of it");
  command->add_option("FILE", state->load.file, "the .pipe file, or the folder of a run")->required();
  CLI::Option *emit =
      command->add_option("--emit", state->stage, "print this stage instead: pipe, nn, kernel, memory, steps, linalg, llvm or asm")
          ->check(CLI::IsMember({"pipe", "nn", "kernel", "memory", "steps", "linalg", "llvm", "asm"}))
          ->type_name("STAGE");
  command->add_option("--output,-o", state->output, "also write the shared library here")->type_name("FILE")->excludes(emit);
  addLevelOption(*command, state->level);
  command->add_option("--set", state->load.settings, "name=value: a param, or a setting as block.setting (may be repeated)")
      ->type_name("NAME=VALUE")
      ->allow_extra_args(false);
  command->add_option("--facts", state->load.factsFile, "read facts about the data from this file, not from the data")->type_name("FILE");
  command->add_flag("--json", state->json, "print the result as one JSON object");
  command->add_flag("--quiet", state->load.quiet, "print errors and warnings, and nothing else");
  setExamples(*command, {"penstock compile task.pipe", "penstock compile task.pipe --emit=steps"});
  command->callback([state, &context] {
    if (const Status status = compile(*state, context); !status.ok()) {
      context.fail(status);
    }
  });
}

} // namespace penstock
#endif
