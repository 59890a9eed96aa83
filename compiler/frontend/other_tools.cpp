#include "compiler/frontend/other_tools.h"

#include "compiler/diagnostics/diagnostic.h"

#include <algorithm>

namespace penstock::frontend {

namespace {

struct Word {
  std::string_view place, word, hint; // the word in lower case
};

constexpr Word words[] = {
    {"train", "batch_size", "did you mean `batch`?"},
    {"train", "per_device_train_batch_size", "did you mean `batch`?"},
    {"train", "num_epochs", "did you mean `epochs`?"},
    {"train", "num_train_epochs", "did you mean `epochs`?"},
    {"train", "max_steps", "did you mean `steps`?"},
    {"train", "random_state", "did you mean `seed`?"},
    {"train", "random_seed", "did you mean `seed`?"},
    {"train", "max_grad_norm", "did you mean `clip_norm`?"},
    {"train", "gradient_clipping", "did you mean `clip_norm`?"},
    {"train", "gradient_accumulation_steps", "did you mean `accumulate`?"},
    {"train", "learning_rate", "it belongs to the optimizer: `optimizer: adam(lr: ...)`"},
    {"train", "lr", "it belongs to the optimizer: `optimizer: adam(lr: ...)`"},
    {"train", "weight_decay", "it belongs to the optimizer: `optimizer: adamw(weight_decay: ...)`"},
    {"train", "momentum", "it belongs to the optimizer: `optimizer: sgd(momentum: ...)`"},
    {"train", "warmup", "it belongs to the schedule: `schedule: linear(warmup: ...)`"},
    {"train", "warmup_steps", "it belongs to the schedule: `schedule: linear(warmup: 100 steps)`"},
    {"train", "warmup_ratio", "it belongs to the schedule: `schedule: linear(warmup: 10%)`"},
    {"train", "lr_scheduler", "did you mean `schedule`?"},
    {"train", "lr_scheduler_type", "did you mean `schedule`?"},
    {"train", "patience", "it belongs to what is kept: `keep: best(dev.RESULT, patience: ...)`"},
    {"train", "early_stopping", "training stops by what is kept: `keep: best(dev.RESULT, patience: ...)`"},
    {"train", "loss", "a head brings its loss; `minimize:` weighs the losses of several"},
    {"train", "criterion", "a head brings its loss; `minimize:` weighs the losses of several"},
    {"train", "metrics", "metrics stand in `evaluate`, in the list of a split"},
    {"train", "validation_split", "`|> split(by: ...)` behind the source makes the splits, and `validate:` says when dev is measured"},
    {"train", "validation_data", "the split `dev` of the source is measured while training; `validate:` says when"},
    {"data", "input_features", "`data` has columns: `column text = text()`"},
    {"data", "output_features", "`data` has columns: `column label = class()`"},
    {"data", "columns", "each column stands on a line: `column text = text()`"},
    {"data", "path", "it belongs to the source: `source: csv(\"...\")`"},
    {"data", "file", "it belongs to the source: `source: csv(\"...\")`"},
    {"evaluate", "metrics", "a list of metrics belongs to a split: `dev: [...]`, `test: [...]`"},
    {"evaluate", "val", "did you mean `dev`?"},
    {"evaluate", "valid", "did you mean `dev`?"},
    {"evaluate", "validation", "did you mean `dev`?"},
    {"call", "dense", "did you mean `linear`?"},
    {"call", "globalaveragepooling1d", "write `pool(mean)`"},
    {"call", "globalmaxpooling1d", "write `pool(max)`"},
    {"call", "multiheadattention", "did you mean `self_attention`?"},
    {"call", "softmax", "a head such as `classify` applies it"},
    {"call", "flatten", "write the pooling, such as `pool(max)`"},
    {"member", "bio", "did you mean `iob2`?"},
    {"member", "bio2", "did you mean `iob2`?"},
    {"member", "iob", "did you mean `iob1`?"},
    {"member", "bioes", "did you mean `iobes`?"},
    {"member", "average", "did you mean `mean`?"},
    {"member", "avg", "did you mean `mean`?"},
};

} // namespace

std::string hintForWord(std::string_view place, const std::string &word, const std::vector<std::string> &candidates) {
  std::string lower = word;
  std::transform(lower.begin(), lower.end(), lower.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  constexpr std::string_view asks = "did you mean `";
  for (const Word &one : words) {
    if (one.place == place && one.word == lower) {
      const bool isName = one.hint.substr(0, asks.size()) == asks;
      const std::string_view meant = isName ? one.hint.substr(asks.size(), one.hint.size() - asks.size() - 2) : "";
      if (!isName || std::find(candidates.begin(), candidates.end(), meant) != candidates.end()) {
        return std::string(one.hint);
      }
    }
  }
  const std::string near = diagnostics::nearest(word, candidates);
  return near.empty() ? "" : std::string(asks) + near + "`?";
}

} // namespace penstock::frontend
