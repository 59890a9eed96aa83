#include "tools/penstock/commands.h"
#include "tools/penstock/load_pipeline.h"
#ifdef PENSTOCK_HAS_DRIVER
#include "runtime/base/checked.h"
#include "runtime/base/device_names.h"
#include "runtime/cuda/cards.h"
#include "runtime/cuda/memory_needs.h"
#include "runtime/device/devices.h"
#include "runtime/exec/program_file.h"
#include "runtime/exec/program_image.h"
#include "runtime/exec/run_opening.h"
#include "runtime/exec/vectors.h"
#include "runtime/plugin/plugin_host.h"
#include "tools/penstock/compile_pipeline.h"
#include "tools/penstock/run_settings.h"
#endif

#include "runtime/base/printable.h"
#include "runtime/base/splits.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>

namespace penstock {

namespace {

#ifdef PENSTOCK_HAS_DRIVER
void warn(const std::string &text) { std::fprintf(stderr, "penstock: warning: %s\n", printableLines(text).c_str()); }
#endif

#ifdef PENSTOCK_HAS_DRIVER
std::string mib(std::int64_t bytes) { return fmt::format("{} MiB", (bytes + (1 << 20) - 1) >> 20); }

/// What a training takes of the card, by the program and the largest batch that may come, and what the card has.
Status tellMemory(const LoadedPipeline &loaded, const std::optional<cuda::Card> &card, const CommandContext &context) {
  const frontend::TypedPipeline &pipeline = loaded.pipeline;
  PENSTOCK_ASSIGN(const std::shared_ptr<PluginHost> host, PluginHost::create(context.pluginFoldersWith(pipeline.pluginFolders)));
  PENSTOCK_ASSIGN(const std::string compiled, compilePipeline(pipeline, *host));
  PENSTOCK_ASSIGN(const ProgramFile file, ProgramFile::read(compiled));
  PENSTOCK_ASSIGN(const std::unique_ptr<ProgramImage> image, ProgramImage::map(file.bytes, file.path));
  PENSTOCK_ASSIGN(const DataFacts facts, dataFactsOf(loaded.facts));
  const auto train = loaded.records.find("train");
  const std::int64_t records = train == loaded.records.end() ? pipeline.train.batch : std::min(pipeline.train.batch, train->second);
  PENSTOCK_ASSIGN(const std::int64_t rows, (Checked(records) * facts.longest).get("the rows of a batch"));
  PENSTOCK_ASSIGN(const cuda::MemoryNeeds needs, cuda::memoryOfTraining(*image->function()(), records, rows));
  std::printf(
      "memory on `%s`: %s (parameters %s, states %s, gradients %s, packed weights %s, a step of %lld records and up to %lld rows %s)\n",
      pipeline.target.device.c_str(), mib(needs.all()).c_str(), mib(needs.parameters).c_str(), mib(needs.states).c_str(),
      mib(needs.gradients).c_str(), mib(needs.packed).c_str(), static_cast<long long>(records), static_cast<long long>(rows),
      mib(needs.working).c_str());
  if (!card) {
    return {};
  }
  const auto free = static_cast<std::int64_t>(card->free);
  std::printf("the card: %s, %s, of which %s are free\n", card->name.c_str(), mib(static_cast<std::int64_t>(card->total)).c_str(),
              mib(free).c_str());
  const std::int64_t fixed = needs.all() - needs.working;
  if (needs.all() > free) {
    const std::int64_t fits = fixed >= free ? 0 : static_cast<std::int64_t>(static_cast<double>(free - fixed) / needs.working * records);
    warn(fixed >= free ? "the card has no room for the weights and what the optimizer keeps of them: take a smaller model"
                       : fmt::format("the card has no room for the largest batch that may come, and a training ends where one comes that "
                                     "does not fit; batches of {} such records would: `--set train.batch={}`",
                                     fits, std::max<std::int64_t>(fits, 1)));
  }
  return {};
}

/// What a device that is not the CPU asks of this machine. A machine that lacks it is no mistake of the file.
void tellDevice(const LoadedPipeline &loaded, CommandContext &context) {
  const std::string &device = loaded.pipeline.target.device;
  if (!loaded.ok || loaded.isLibrary || levelOfDevice(device).empty()) {
    return;
  }
  const Status opened = openDevice(device).status();
  std::optional<cuda::Card> card;
  if (!opened.ok()) {
    warn(fmt::format("`target.device: {}`: {}; `train`, `evaluate` and `predict` end with that here", device, opened.message()));
  } else if (const Result<cuda::Cards> found = cuda::findCards(); found.ok()) {
    card = found->cards.at(static_cast<std::size_t>(deviceNameOf(device)->number));
  }
  if (loaded.hasFacts && loaded.pipeline.trains()) {
    if (const Status told = tellMemory(loaded, card, context); !told.ok()) {
      context.fail(told);
    }
  }
}

/// How much of a vocabulary files of vectors have.
void tellVectors(const LoadedPipeline &loaded, CommandContext &context) {
  const RunConfig config = toRunConfig(loaded.pipeline);
  if (config.vectors.empty() || !loaded.hasFacts) {
    return;
  }
  const auto told = [&]() -> Result<std::vector<std::string>> {
    PENSTOCK_ASSIGN(const std::shared_ptr<PluginHost> host, PluginHost::create(context.pluginFoldersWith(loaded.pipeline.pluginFolders)));
    return vectorsOfFacts(config.vectors, config.records, loaded.facts, *host);
  }();
  if (!told.ok()) {
    context.fail(told.status());
    return;
  }
  for (const std::string &note : *told) {
    std::printf("%s\n", printable(note).c_str());
  }
}
#endif

} // namespace

void addCheckCommand(CLI::App &app, CommandContext &context) {
  struct State {
    LoadOptions load;
    bool noData = false;
  };
  auto state = std::make_shared<State>();
  CLI::App *command = app.add_subcommand("check", "report every mistake of a .pipe file and its data");
  command->add_option("FILE", state->load.file, "the .pipe file")->required();
  command->add_option("--set", state->load.settings, "name=value: a param, or a setting as block.setting (may be repeated)")
      ->type_name("NAME=VALUE")
      ->allow_extra_args(false);
  command->add_flag("--json", state->load.json, "print one JSON object a diagnostic");
  command->add_flag("--no-data", state->noData, "check the file alone and open no data");
  command->add_option("--facts", state->load.factsFile, "take the facts about the data from this JSON file")->type_name("FILE");
  setExamples(*command, {"penstock check task.pipe", "penstock check task.pipe --no-data"});
  command->callback([state, &context] {
    state->load.needsData = !state->noData;
    const LoadedPipeline loaded = loadPipeline(state->load, context);
    std::string records = recordsOf(loaded);
    records += records.empty() ? "" : "\n";
    if (state->load.json || (!loaded.ok && loaded.errors == 0)) {
      return;
    }
    const auto count = [](std::size_t number, const char *what) { return std::to_string(number) + " " + what + (number == 1 ? "" : "s"); };
    if (loaded.ok) {
      const char *checked = loaded.isLibrary  ? "layers and heads are good"
                            : loaded.hasFacts ? "the pipeline and its data are good"
                                              : "the pipeline is good";
      std::printf("%s: %s%s\n", printable(state->load.file).c_str(), checked,
                  loaded.warnings > 0 ? (", " + count(loaded.warnings, "warning")).c_str() : "");
      std::fputs(records.c_str(), stdout);
#ifdef PENSTOCK_HAS_DRIVER
      tellVectors(loaded, context);
      tellDevice(loaded, context);
#endif
    } else {
      std::fprintf(stderr, "%s: %s, %s\n", printable(state->load.file).c_str(), count(loaded.errors, "error").c_str(),
                   count(loaded.warnings, "warning").c_str());
      std::fputs(records.c_str(), stderr);
    }
  });
}

} // namespace penstock
