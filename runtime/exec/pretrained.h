// A folder of a pretrained model as Hugging Face's libraries write it: `config.json`, and `model.safetensors` or the shards
// that `model.safetensors.index.json` lists.
#pragma once

#include "runtime/base/status.h"
#include "runtime/exec/model.h"
#include "runtime/exec/run_config.h"
#include "runtime/exec/safetensors.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace penstock {

class PretrainedFolder {
public:
  /// Maps the files and reads their headers. `invalidInput`, in words that follow "the model in `folder` cannot be used:",
  /// where something is missing or damaged.
  static Result<PretrainedFolder> open(const std::string &folder);

  const std::string &config() const { return configText; }
  const std::map<std::string, StoredTensor> &tensors() const { return byName; }

private:
  std::string configText;
  std::vector<std::shared_ptr<const SafetensorsFile>> files;
  std::map<std::string, StoredTensor> byName;
};

/// The facts about such folders for the front end, added to the facts about the data (docs/design/pretrained.md).
Result<std::string> addModelFacts(const std::string &facts, const std::vector<std::string> &folders);

/// Copies the tensors of F32, F16, BF16 or F64 that `weights` name into the parameters of the model; the pool shares the work.
Status loadPretrained(Model &model, ThreadPool &pool, const std::vector<PretrainedSpec> &weights);

} // namespace penstock
