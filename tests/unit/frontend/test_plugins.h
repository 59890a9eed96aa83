// Manifests as the front end's tests want them, without files.
#pragma once

#include "compiler/frontend/frontend.h"

namespace penstock::frontend::testing {

inline PluginParameter parameter(std::string name, PluginParameter::Type type, PluginValue value) {
  PluginParameter made;
  made.name = std::move(name);
  made.type = type;
  made.defaultValue = std::move(value);
  return made;
}

inline std::vector<PluginManifest> manifests() {
  using Type = PluginParameter::Type;
  PluginManifest words, classify, regress, accuracy, f1, mse;
  words.name = "words";
  words.kind = PluginKind::tokenizer;
  words.parameters = {parameter("min_count", Type::integer, std::int64_t{2})};
  classify.name = "classify";
  classify.standard = regress.standard = true;
  classify.kind = regress.kind = PluginKind::head;
  classify.input = regress.input = "vector";
  classify.targets = accuracy.targets = f1.targets = {"class"};
  classify.parameters = {parameter("label_smoothing", Type::number, 0.0), parameter("class_weights", Type::numbers, std::vector<double>{})};
  classify.parameters[1].eachClass = true;
  regress.name = "regress";
  regress.targets = mse.targets = {"number"};
  accuracy.name = "accuracy";
  accuracy.kind = f1.kind = mse.kind = PluginKind::metric;
  accuracy.results = {{"accuracy", true}};
  f1.name = "f1";
  f1.parameters = {parameter("average", Type::enumeration, std::string("macro"))};
  f1.parameters[0].members = {"macro", "micro", "weighted"};
  f1.results = {{"f1_{average}", true}};
  mse.name = "mse";
  mse.results = {{"mse", false}};
  return {words, classify, regress, accuracy, f1, mse};
}

inline AnalyzeOptions options(std::vector<std::string> settings = {}) {
  AnalyzeOptions made;
  made.settings = std::move(settings);
  made.workingFolder = "/work folder";
  made.loadText = [](const std::string &) { return Result<std::string>(environmentError("no files here")); };
  made.loadManifests = [](const std::vector<std::string> &) { return Result<std::vector<PluginManifest>>(manifests()); };
  return made;
}

/// A pipeline whose `model` block has `model` as its body; columns text, label (of the data), cost; ids `tokens`.
inline std::string pipelineWith(const std::string &model, const std::string &rest = "") {
  return "pipe 1\npipeline example \"a title\"\nparam rate: float = 1e-3\ndata {\n  source: csv(\"{split}.csv\")\n  column text = text()\n"
         "  column label = class()\n  column cost = number()\n}\nfeatures {\n  tokens = text |> words(max_length: 31)\n}\nmodel {\n" +
         model + "\n}\n" + rest;
}

inline const char *facts() {
  return R"({"version": 1, "classes": {"label": {"names": ["a", "b", "c"]}},
             "vocabularies": {"tokens": {"size": 1009, "max": 31}}, "splits": {"train": {"records": 7}}})";
}

} // namespace penstock::frontend::testing
