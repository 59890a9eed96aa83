#include "tools/penstock/commands.h"
#include "tools/penstock/load_pipeline.h"

#include "runtime/base/printable.h"
#include "runtime/base/splits.h"

#include <CLI/CLI.hpp>

#include <cstdint>
#include <cstdio>
#include <memory>

namespace penstock {

namespace {

/// "train 3560 (12 dropped), dev 445, test 445 records", a line: how many each split has.
std::string recordsOf(const LoadedPipeline &loaded) {
  std::string text;
  for (const char *name : splitNames) {
    if (const auto found = loaded.records.find(name); found != loaded.records.end()) {
      text += (text.empty() ? "" : ", ") + std::string(name) + " " + std::to_string(found->second);
      const auto dropped = loaded.dropped.find(name);
      text += dropped != loaded.dropped.end() && dropped->second > 0 ? " (" + std::to_string(dropped->second) + " dropped)" : "";
    }
  }
  return text.empty() ? text : text + " records\n";
}

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
  command->callback([state, &context] {
    state->load.needsData = !state->noData;
    const LoadedPipeline loaded = loadPipeline(state->load, context);
    const std::string records = recordsOf(loaded);
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
    } else {
      std::fprintf(stderr, "%s: %s, %s\n", printable(state->load.file).c_str(), count(loaded.errors, "error").c_str(),
                   count(loaded.warnings, "warning").c_str());
      std::fputs(records.c_str(), stderr);
    }
  });
}

} // namespace penstock
