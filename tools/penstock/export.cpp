// `penstock export RUN --format hf --out DIR`: a trained run in the form of another library.
#ifdef PENSTOCK_HAS_DRIVER
#include "tools/penstock/commands.h"
#include "tools/penstock/run_settings.h"

#include "runtime/base/printable.h"
#include "runtime/data/dataset.h"
#include "runtime/exec/export_hf.h"
#include "runtime/exec/run_set.h"
#include "runtime/exec/safetensors.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <memory>

namespace penstock {
namespace {

using frontend::GraphNode;

struct ExportOptions {
  std::string run, format, out;
};

struct Family {
  const char *name, *model; // "bert", "Bert"
  const char *pooler;       // tensor of the dense layer between encoder and classifier
  const char *classifier;
};

const Family families[] = {
    {"bert", "Bert", "bert.pooler.dense", "classifier"},
    {"roberta", "Roberta", "classifier.dense", "classifier.out_proj"},
    {"distilbert", "DistilBert", "pre_classifier", "classifier"},
};

/// What Transformers calls the loss of a head; a tagger has only one.
struct Problem {
  const char *head, *type;
};

const Problem problems[] = {
    {"classify", "single_label_classification"},
    {"multi_label", "multi_label_classification"},
    {"regress", "regression"},
    {"tag", ""},
};

/// Goes from the head back to the encoder, along what the classes of Transformers compute.
class Walk {
public:
  Walk(const frontend::ModelGraph &model, int head) : model(model), at(&model.nodes[static_cast<std::size_t>(head)]) {}

  bool back() {
    if (at->operands.empty()) {
      return false;
    }
    at = &model.nodes[static_cast<std::size_t>(at->operands.front())];
    return true;
  }
  void backOverDropout() {
    while (back() && at->op == "dropout") {
    }
  }
  const GraphNode &node() const { return *at; }

private:
  const frontend::ModelGraph &model;
  const GraphNode *at;
};

/// Whether an operation is the last one of an encoder, which the front end writes out.
bool isLastOf(const EncoderSpec &encoder, const GraphNode &node) {
  return node.path.starts_with(encoder.path + ".layers[") && node.path.ends_with("].norm");
}

/// The feature that an encoder reads, from its last operation back; "" where it reads something else.
std::string axisOf(const EncoderSpec &encoder, Walk &walk) {
  while (walk.node().path.starts_with(encoder.path + ".")) {
    if (!walk.back()) {
      return "";
    }
  }
  return walk.node().kind == GraphNode::Kind::input ? walk.node().op : "";
}

Result<HfModel> describe(const RunRecord &record, const FittedFolder &fitted, const frontend::TypedPipeline &pipeline) {
  const RunConfig &config = record.config;
  const auto refuse = [&](const std::string &why) { return invalidInput("this run has no form in Transformers: " + why); };
  if (config.encoders.size() != 1) {
    return refuse(config.encoders.empty() ? "it has no encoder such as `bert`" : "it has several encoders");
  }
  if (pipeline.model.answers.size() != 1 || pipeline.model.answers[0].head < 0) {
    return refuse("it has not exactly one answer of a head such as `classify`");
  }
  const EncoderSpec &encoder = config.encoders[0];
  const auto family = std::find_if(std::begin(families), std::end(families), [&](const Family &one) { return encoder.family == one.name; });
  if (family == std::end(families)) {
    return refuse("there is no `" + encoder.family + "` there");
  }
  HfModel made;
  made.config = encoder.config;
  made.classes = config.classesOf(config.answers.at(0));
  for (const PretrainedSpec &weight : config.pretrained) {
    HfWeight one{weight.parameter, {}, weight.transposed, weight.skippedRows};
    for (const std::string &name : weight.tensors) {
      one.tensors.push_back(hfTensorName(family->name, name));
    }
    made.weights.push_back(std::move(one));
  }
  const auto dense = [&](const std::string &path, const std::string &tensor) {
    std::erase_if(made.weights, [&](const HfWeight &one) { return one.parameter.starts_with(path + "."); });
    made.weights.push_back({path + ".weight", {tensor + ".weight"}, true, 0});
    made.weights.push_back({path + ".bias", {tensor + ".bias"}, false, 0});
  };

  Walk walk(pipeline.model, pipeline.model.answers[0].head);
  const std::string head = walk.node().op;
  const auto problem = std::find_if(std::begin(problems), std::end(problems), [&](const Problem &one) { return head == one.head; });
  if (problem == std::end(problems)) {
    return refuse("the head `" + head + "` is none of `classify`, `multi_label`, `regress` and `tag`");
  }
  made.problem = problem->type;
  made.architecture = fmt::format("{}For{}Classification", family->model, head == "tag" ? "Token" : "Sequence");
  dense(walk.node().path, head == "tag" ? "classifier" : family->classifier);
  if (const AnswerSpec &answer = config.answers.at(0); !answer.feature.empty()) {
    // Transformers has no operators behind a model: those of the target go into its last layer, which can be where they are linear.
    const auto feature = std::find_if(config.records.features.begin(), config.records.features.end(),
                                      [&](const FeatureSpec &one) { return one.name == answer.feature; });
    for (const StepSpec &step : feature == config.records.features.end() ? std::vector<StepSpec>() : feature->steps) {
      if (step.op != "standardize" && step.op != "min_max") {
        return refuse("what it answers is led back by the inverse of `" + step.op + "`, which no last layer there does");
      }
    }
    PENSTOCK_ASSIGN(const auto inverse, inverseOf(config.records, fitted, answer.feature));
    const double offset = inverse(0);
    made.weights[made.weights.size() - 2].factor = made.weights.back().factor = inverse(1) - offset;
    made.weights.back().offset = offset;
  }
  walk.backOverDropout();
  if (head != "tag") {
    // `bert_pooler` is written out by the front end: the first token, a dense layer, tanh.
    const bool distil = encoder.family == "distilbert";
    const auto mismatch = [&] {
      return refuse(fmt::format("a {} has `{}` between the encoder and the head, and here stands `{}`", made.architecture,
                                distil ? "pool(first) |> linear(width) |> relu" : "bert_pooler", walk.node().op));
    };
    if (walk.node().op != (distil ? "relu" : "tanh") || !walk.back() || walk.node().op != "linear") {
      return mismatch();
    }
    dense(walk.node().path, family->pooler);
    if (!walk.back() || walk.node().op != "pool" || walk.node().attributes.at("kind") != frontend::Attribute(std::string("first"))) {
      return mismatch();
    }
    walk.back();
  }
  if (!isLastOf(encoder, walk.node())) {
    return refuse(fmt::format("the encoder's own answer must go to the head, and here stands `{}`", walk.node().op));
  }
  made.axis = axisOf(encoder, walk);
  return made.axis.empty() ? refuse("the encoder reads something else than the tokens of a feature") : Result<HfModel>(std::move(made));
}

Status exportRun(const ExportOptions &options, const CommandContext &context) {
  PENSTOCK_ASSIGN(const std::string run, answeringRun(options.run));
  PENSTOCK_ASSIGN(const RunRecord record, readRunRecord(run));
  if (!record.finished) {
    return environmentError("the run in `" + run + "` has not ended; continue it with `penstock train ... --resume`");
  }
  PENSTOCK_ASSIGN(const frontend::TypedPipeline pipeline, pipelineOf(record, context));
  PENSTOCK_ASSIGN(const HfModel model, describe(record, FittedFolder(run + "/fitted", record.fitted), pipeline));
  PENSTOCK_TRY(exportHf(run, record, model, options.out));
  fmt::print("wrote `{}`: a {} for Transformers\n", printable(options.out), model.architecture);
  return {};
}

} // namespace

void addExportCommand(CLI::App &app, CommandContext &context) {
  auto options = std::make_shared<ExportOptions>();
  CLI::App *command = app.add_subcommand("export", "write a trained run in the form of another library");
  command->add_option("run", options->run, "folder that `penstock train` wrote")->required()->type_name("RUN");
  command->add_option("--format", options->format, "hf: a folder that Hugging Face's Transformers loads")
      ->check(CLI::IsMember({"hf"}))
      ->required()
      ->type_name("FORMAT");
  command->add_option("--out", options->out, "folder to write; must be new or empty")->required()->type_name("DIR");
  setExamples(*command, {"penstock export bert_run --format hf --out folder"});
  command->callback([options, &context] {
    if (const Status status = exportRun(*options, context); !status.ok()) {
      context.fail(status);
    }
  });
}

} // namespace penstock
#endif
