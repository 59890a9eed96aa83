#include "tools/penstock/commands.h"
#include "tools/penstock/load_pipeline.h"

#include "runtime/base/printable.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <set>

namespace penstock {

namespace {

using Json = nlohmann::ordered_json;

struct WeightLine {
  std::string name;
  std::vector<std::int64_t> shape;
  frontend::Learning learning;
  bool state = false;
};

/// "", "frozen", "state", "rate x 0.5", "moved by `critic`".
std::string learningText(const frontend::Learning &learning, bool state, const frontend::TypedPipeline &pipeline) {
  if (learning.frozen) {
    return "frozen";
  }
  std::string text = state ? "state" : learning.rate != 1 ? "rate x " + Json(learning.rate).dump() : "";
  const auto which = static_cast<std::size_t>(learning.objective);
  if (which < pipeline.train.objectives.size() && !pipeline.train.objectives[which].name.empty()) {
    text += (text.empty() ? "" : ", ") + ("moved by `" + pipeline.train.objectives[which].name + "`");
  }
  return text;
}

/// The tensors of the model that training changes, each once: two nodes of one path share theirs.
std::vector<WeightLine> weightsOf(const frontend::TypedPipeline &pipeline, std::vector<std::string> *heads) {
  std::vector<WeightLine> lines;
  std::set<std::string> seen;
  for (const frontend::GraphNode &node : pipeline.model.nodes) {
    if (node.kind == frontend::GraphNode::Kind::head) {
      const std::string learning = learningText(node.learning, false, pipeline);
      heads->push_back(node.path + ".*: named by the head `" + node.op + "`" + (learning.empty() ? "" : ", " + learning));
    }
    for (const frontend::Weight &weight : node.weights) {
      const std::string name = node.path + "." + weight.name;
      if (seen.insert(name).second) {
        lines.push_back({name, weight.shape, weight.learning, weight.state});
      }
    }
  }
  return lines;
}

void printResolved(const frontend::TypedPipeline &pipeline, bool json) {
  std::vector<std::string> heads;
  const std::vector<WeightLine> weights = weightsOf(pipeline, &heads);
  if (json) {
    Json out;
    out["pipeline"] = pipeline.name;
    out["file"] = pipeline.file;
    out["edition"] = pipeline.edition;
    out["values"] = Json::array();
    for (const frontend::ResolvedValue &value : pipeline.resolved) {
      Json one = {{"key", value.key}, {"value", value.value}, {"origin", value.origin}};
      if (!value.range.file.empty() && value.origin == "file") {
        one["file"] = value.range.file;
        one["line"] = value.range.line;
      }
      out["values"].push_back(std::move(one));
    }
    out["parameters"] = Json::array();
    for (const WeightLine &line : weights) {
      out["parameters"].push_back({{"name", line.name},
                                   {"shape", line.shape},
                                   {"rate", line.learning.rate},
                                   {"frozen", line.learning.frozen},
                                   {"state", line.state}});
    }
    std::printf("%s\n", out.dump(-1, ' ', false, Json::error_handler_t::replace).c_str());
    return;
  }
  std::size_t keys = 0, values = 0;
  for (const frontend::ResolvedValue &value : pipeline.resolved) {
    keys = std::max(keys, std::min<std::size_t>(value.key.size(), 64));
    values = std::max(values, std::min<std::size_t>(value.value.size(), 64));
  }
  std::printf("pipeline %s, edition %d\n\n", pipeline.name.c_str(), pipeline.edition);
  for (const frontend::ResolvedValue &value : pipeline.resolved) {
    std::string origin = value.origin;
    if (value.origin == "file" && !value.range.file.empty()) {
      origin = value.range.file.text() + ":" + std::to_string(value.range.line);
    }
    std::printf("%-*s  %-*s  %s\n", static_cast<int>(keys), printable(value.key).c_str(), static_cast<int>(values),
                printableLines(value.value).c_str(), printable(origin).c_str());
  }
  std::printf("\nparameters\n");
  for (const WeightLine &line : weights) {
    std::string shape;
    for (const std::int64_t size : line.shape) {
      shape += (shape.empty() ? "" : " x ") + std::to_string(size);
    }
    const std::string learning = learningText(line.learning, line.state, pipeline);
    std::printf("%-*s  %s%s%s\n", static_cast<int>(keys), printable(line.name).c_str(), shape.c_str(), learning.empty() ? "" : "  ",
                learning.c_str());
  }
  for (const std::string &head : heads) {
    std::printf("%s\n", head.c_str());
  }
}

} // namespace

void addExplainCommand(CLI::App &app, CommandContext &context) {
  struct State {
    LoadOptions load;
    bool json = false, resolved = false, noData = false;
  };
  auto state = std::make_shared<State>();
  CLI::App *command = app.add_subcommand("explain", "say what a .pipe file means: every value and where it came from");
  command->add_option("FILE", state->load.file, "the .pipe file")->required();
  command->add_flag("--resolved", state->resolved,
                    "every value with its origin, and the names and shapes of the parameters: what is printed without it, too");
  command->add_option("--set", state->load.settings, "name=value: a param, or a setting as block.setting (may be repeated)")
      ->type_name("NAME=VALUE")
      ->allow_extra_args(false);
  command->add_flag("--json", state->json, "print one JSON object");
  command->add_flag("--no-data", state->noData, "open no data; shapes that depend on it are left out");
  setExamples(*command, {"penstock explain task.pipe", "penstock explain task.pipe --set train.epochs=20"});
  command->callback([state, &context] {
    state->load.needsData = !state->noData;
    const LoadedPipeline loaded = loadPipeline(state->load, context);
    if (loaded.ok && !loaded.isLibrary) {
      printResolved(loaded.pipeline, state->json);
    }
  });
}

} // namespace penstock
