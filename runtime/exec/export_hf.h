// A trained run as a folder that Hugging Face's Transformers loads: the inverse of pretrained.h.
#pragma once

#include "runtime/base/status.h"
#include "runtime/exec/run_folder.h"

#include <cstdint>
#include <string>
#include <vector>

namespace penstock {

/// One of our parameters and the tensors that it is there.
struct HfWeight {
  std::string parameter;
  std::vector<std::string> tensors; // of equal size, side by side in the parameter's columns
  bool transposed = false;          // there [outputs x inputs], here [inputs x outputs]
  std::int64_t skippedRows = 0;     // rows of zeros there, before the parameter's first
  double factor = 1, offset = 0;    // what is written is value * factor + offset
};

/// What the folder holds beside its tensors.
struct HfModel {
  std::string architecture;         // "BertForSequenceClassification"
  std::string config;               // text of the config.json that the encoder came with
  std::string problem;              // `problem_type` of config.json; empty: it has none
  std::vector<std::string> classes; // in the order of the logits; none of a number
  std::string axis;                 // the feature whose tokenizer goes along
  std::vector<HfWeight> weights;
};

/// The name that Transformers gives a tensor of an encoder's folder today: without the folder's own prefix and old endings, with
/// `family` before it.
std::string hfTensorName(const std::string &family, const std::string &stored);

/// Writes model.safetensors, config.json and the tokenizer's files into the new or empty folder `out`, all or nothing. `environment`
/// where that fails or the run is damaged, `invalidInput` for a tokenizer that Transformers does not have.
Status exportHf(const std::string &run, const RunRecord &record, const HfModel &model, const std::string &out);

} // namespace penstock
