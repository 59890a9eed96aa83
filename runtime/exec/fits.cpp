#include "runtime/exec/fits.h"

#include "runtime/base/record_graph.h"
#include "runtime/data/fitted_folder.h"
#include "runtime/exec/decisions.h"

#include <algorithm>

namespace penstock {

std::string learnerFile(const std::string &answer) { return answer + ".learner"; }

std::vector<Fit> fitsOf(const RunConfig &config, const PluginHost &host) {
  std::vector<Fit> fits;
  const auto makes = [&](const std::string &plugin, PluginKind kind) {
    const Result<const PluginManifest *> manifest = host.manifest(plugin, kind);
    return !manifest.ok() || (*manifest)->fits;
  };
  const std::string split = config.records.fitted.empty() ? "train" : "";
  for (const FeatureSpec &feature : config.records.features) {
    for (const StepSpec &step : feature.steps) {
      if (!step.plugin.empty() && makes(step.plugin, PluginKind::tokenizer)) {
        fits.push_back({feature.name, "vocabulary", FitTime::data, step.plugin, split, vocabularyFile(feature.name)});
      }
    }
    const bool isFitted = std::any_of(feature.steps.begin(), feature.steps.end(), [](const StepSpec &step) {
      const FeatureOperator *row = findFeatureOperator(step.op);
      return row != nullptr && row->fits;
    });
    if (isFitted) {
      fits.push_back({feature.name, "statistics", FitTime::data, "", split, numbersFile});
    }
  }
  for (const ColumnSpec &column : config.records.columns) {
    if (column.hasClasses() && !column.classes) {
      fits.push_back({column.name, "classes", FitTime::data, "", split, classesFile});
    }
  }
  for (const FittedTensorSpec &tensor : config.fittedTensors) {
    const std::string file = documentsFile(tensor.feature);
    if (std::none_of(fits.begin(), fits.end(), [&](const Fit &fit) { return fit.file == file; })) {
      fits.push_back({tensor.feature, "documents", FitTime::data, "", split, file});
    }
  }
  fits.push_back({"inputs", "counts", FitTime::data, "", "train", countsFile});
  for (const AnswerSpec &answer : config.answers) {
    if (answer.learner && makes(answer.decoder, PluginKind::learner)) {
      fits.push_back({answer.name, "learner", FitTime::weights, answer.decoder, "train", learnerFile(answer.name)});
    }
    if (fitsDecision(answer)) {
      fits.push_back({answer.name, "decision", FitTime::weights, "", "dev", decisionsFile});
    }
  }
  return fits;
}

std::set<std::string> filesOf(const std::vector<Fit> &fits, FitTime time) {
  std::set<std::string> files;
  for (const Fit &fit : fits) {
    if (fit.time == time) {
      files.insert(fit.file);
    }
  }
  return files;
}

} // namespace penstock
