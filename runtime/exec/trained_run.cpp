#include "runtime/exec/trained_run.h"

#include "runtime/base/cores.h"
#include "runtime/base/file.h"
#include "runtime/exec/interrupt.h"
#include "runtime/exec/learners.h"
#include "runtime/kernels/kernel_table.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace penstock {

Result<std::unique_ptr<TrainedRun>> TrainedRun::open(const std::string &folder, RunRecord record,
                                                     const std::vector<std::string> &pluginFolders, const Recompile &recompile) {
  std::unique_ptr<TrainedRun> run(new TrainedRun);
  run->folder = folder;
  run->held = std::move(record);
  const std::string weights = folder + "/model.safetensors";
  if (!run->held.finished) {
    return environmentError("the run in `" + folder +
                            "` has not ended, so it has no `model.safetensors`; continue it with "
                            "`penstock train " +
                            run->held.config.file + " --out " + folder + " --resume`");
  }
  const std::string again = "; `penstock train ... --resume` makes it again from the last checkpoint";
  if (!fileExists(weights)) {
    return damagedFile(weights, "it is not there" + again);
  }
  std::vector<std::string> folders = pluginFolders;
  folders.insert(folders.end(), run->held.config.pluginFolders.begin(), run->held.config.pluginFolders.end());
  PENSTOCK_ASSIGN(run->plugins, PluginHost::create(folders));
  PENSTOCK_ASSIGN(const std::vector<RunPlugin> now, pluginsOf(run->held.config, *run->plugins));
  const PluginChanges changes = comparePlugins(run->held.plugins, now);
  if (!changes.decisive.empty()) {
    return environmentError(fmt::format("{}; what it gives need not fit the weights, so train again, or name the folder of the old one "
                                        "with `--plugins`",
                                        fmt::join(changes.decisive, "\n")));
  }
  run->remarks = changes.all;
  PENSTOCK_ASSIGN(run->pool, ThreadPool::create(static_cast<int>(run->held.config.target.threads)));
  PENSTOCK_ASSIGN(const ProgramFile program, run->programFile(recompile));
  PENSTOCK_ASSIGN(run->compiled, Program::open(program, *run->pool));
  if (const std::string kernels = kernelsOf(run->compiled->table(), run->compiled->level()); kernels != run->held.kernels) {
    run->remarks.push_back(
        fmt::format("the run was trained with the kernels `{}`, here they are `{}`, and others add in another order: answers "
                    "can differ from its own in the last digits",
                    run->held.kernels, kernels));
  }
  const auto opened = SafetensorsFile::open(weights, run->held.weightsHash);
  if (!opened.ok()) {
    return environmentError(opened.status().message() + again);
  }
  const std::shared_ptr<const SafetensorsFile> &file = *opened;
  PENSTOCK_TRY(run->compiled->load(TensorClass::parameter, *file));
  PENSTOCK_TRY(run->compiled->load(TensorClass::fitted, *file));
  if (const std::string name = firstNotFinite(run->compiled->tensors(TensorClass::parameter)); !name.empty()) {
    return invalidInput("the weights in `" + weights + "` are no model: `" + name +
                        "` holds numbers that are not finite; train again with a lower learning rate, or with `clip_norm`");
  }
  PENSTOCK_TRY(run->compiled->pack());
  return run;
}

Result<ProgramFile> TrainedRun::programFile(const Recompile &recompile) {
  const std::string path = folder + "/program.so";
  Result<ProgramFile> kept = ProgramFile::read(path);
  if (kept.ok() && kept->hash() == held.programHash) {
    return kept;
  }
  const std::string damaged = (kept.ok() ? damagedFile(path, "it is not the program of this run") : kept.status()).message();
  if (!recompile) {
    return environmentError(damaged + "; `penstock train ... --resume` compiles it again");
  }
  const Result<std::string> compiled = recompile(held, *plugins);
  if (!compiled.ok()) {
    return Status(compiled.status().code(), damaged + ", and it cannot be compiled again: " + compiled.status().message());
  }
  PENSTOCK_ASSIGN(ProgramFile made, ProgramFile::read(*compiled));
  PENSTOCK_TRY(made.forgetKey());
  if (made.hash() != held.programHash) {
    return environmentError(damaged + ", and compiling it again gives another one (another release or another machine); train again");
  }
  remarks.push_back(damaged + ", so it was compiled again; `penstock train ... --resume` mends the folder");
  made.path = path;
  return made;
}

Result<SplitResult> TrainedRun::evaluate(const std::string &split, const std::string &cache, const ConfidenceSpec &confidence) {
  Dataset::Options options;
  options.fitted = fitted();
  options.cache = cache;
  options.threads = std::min(threads(), usableCores());
  PENSTOCK_ASSIGN(const std::shared_ptr<const Dataset> dataset, Dataset::open(held.config.records, split, *plugins, options));
  if (dataset->records() == 0) {
    return invalidInput("the split `" + split + "` has no records");
  }
  return evaluateSplit(*compiled, dataset, held.config, *plugins, split, confidence);
}

namespace {

/// The words of a batch as a head's `decode_tags` wants them.
struct TaggedRecords {
  PenstockTaggedRecords view{};
  std::vector<PenstockString> words, texts;
  std::vector<std::int64_t> starts;
};

Result<TaggedRecords> taggedRecords(const Batch &batch, int axisIndex) {
  const PenstockAxisBatch &axis = batch.view.axes[axisIndex];
  if (axis.row_word == nullptr || static_cast<std::size_t>(axisIndex) >= batch.words.size()) {
    return internalError("an answer with a row a token lies on an axis that is not cut from words; please report this");
  }
  const BatchWords &given = batch.words[static_cast<std::size_t>(axisIndex)];
  TaggedRecords made;
  for (const std::string_view text : given.texts) {
    made.texts.push_back({text.data(), text.size()});
  }
  for (std::size_t record = 0; record + 1 < given.offsets.size(); ++record) {
    const std::string_view text = given.texts[record];
    for (std::int64_t i = given.offsets[record]; i < given.offsets[record + 1]; ++i) {
      const std::string_view word = given.words[static_cast<std::size_t>(i)];
      made.words.push_back({word.data(), word.size()});
      made.starts.push_back(text.empty() ? -1 : word.data() - text.data());
    }
  }
  made.view.struct_size = sizeof(made.view);
  made.view.records = batch.view.records;
  made.view.row_offsets = axis.offsets;
  made.view.row_word = axis.row_word;
  made.view.word_offsets = given.offsets.data();
  made.view.words = made.words.data();
  made.view.texts = made.texts.data();
  made.view.word_starts = made.starts.data();
  return made;
}

} // namespace

namespace {

/// An answer of the pipeline and how it is decoded.
struct Head {
  const AnswerSpec *answer;
  int output;
  std::unique_ptr<const Learner> learner; // or NULL: the plugin of the head decodes
};

/// `{"row": N, ...}`: what the heads say of one record.
std::string answerLine(const std::vector<Head> &heads, const std::vector<std::vector<std::string>> &answers, std::size_t index,
                       std::int64_t record) {
  std::string text = "{\"row\": " + std::to_string(record);
  if (heads.size() == 1) {
    const std::string_view answer = answers[0][index];
    const std::size_t first = answer.find_first_not_of(" \t\n\r");
    if (first == std::string_view::npos || answer[first] != '{') {
      return text + ", \"answer\": " + std::string(answer) + "}";
    }
    const std::size_t inside = answer.find_first_not_of(" \t\n\r", first + 1);
    return text + (inside == std::string_view::npos || answer[inside] == '}' ? "" : ", ") + std::string(answer.substr(first + 1));
  }
  for (std::size_t head = 0; head < heads.size(); ++head) {
    text += ", " + nlohmann::json(heads[head].answer->name).dump() + ": " + answers[head][index];
  }
  return text + "}";
}

std::string failureLine(const RecordReader::Failure &failure) {
  return "{\"row\": " + std::to_string(failure.record) +
         ", \"error\": " + nlohmann::json(failure.text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "}";
}

} // namespace

Result<PredictSummary> TrainedRun::predict(RecordInput input, std::int64_t batch, const std::function<bool(const std::string &)> &line) {
  const int entry = compiled->entry("predict");
  if (entry < 0) {
    return internalError("the compiled program has no `predict`; please report this");
  }
  const PenstockEntry &table = compiled->table().entries[entry];
  std::vector<Head> heads;
  for (const AnswerSpec &answer : held.config.answers) {
    const int output = answerOutput(table, answer.name);
    if (output < 0) {
      return internalError("the compiled program has no output for the answer `" + answer.name + "`; please report this");
    }
    heads.push_back({&answer, output, nullptr});
    if (answer.learner) {
      PENSTOCK_ASSIGN(heads.back().learner, openLearner(answer, *plugins, fitted()));
    }
  }
  if (heads.empty()) {
    return invalidInput("this pipeline has no answer to predict");
  }
  input.seed = held.config.train.seed;
  PENSTOCK_ASSIGN(const std::unique_ptr<RecordReader> reader,
                  RecordReader::open(held.config.records, fitted(), *plugins, std::move(input)));
  PredictSummary summary;
  OutputBuffers outputs;
  for (;;) {
    if (interrupted()) {
      return Status(ErrorCode::interrupted, "interrupted");
    }
    PENSTOCK_ASSIGN(const RecordReader::Part *const part, reader->next(batch));
    if (part == nullptr) {
      summary.remark = reader->remark();
      return summary;
    }
    std::vector<std::vector<std::string>> answers(heads.size());
    if (part->batch != nullptr) {
      const Batch &current = *part->batch;
      outputs.prepare(table, current.view);
      Program::Step step;
      step.batch = &current.view;
      step.outputs = outputs.addresses();
      step.seed = held.config.train.seed;
      PENSTOCK_TRY(compiled->run(entry, step));
      for (std::size_t i = 0; i < heads.size(); ++i) {
        PENSTOCK_ASSIGN(answers[i], decode(heads[i].answer, heads[i].learner.get(), table.outputs[heads[i].output],
                                           outputs.values(heads[i].output), current));
      }
    }
    auto failure = part->failures.begin();
    for (std::size_t i = 0; i <= part->records.size(); ++i) {
      for (; failure != part->failures.end() && (i == part->records.size() || failure->record < part->records[i]); ++failure) {
        summary.firstFailure = summary.failed++ == 0 ? failure->text : summary.firstFailure;
        if (!line(failureLine(*failure))) {
          return summary;
        }
      }
      if (i < part->records.size()) {
        ++summary.answered;
        if (!line(answerLine(heads, answers, i, part->records[i]))) {
          return summary;
        }
      }
    }
  }
}

Result<std::vector<std::string>> TrainedRun::decode(const AnswerSpec *answer, const Learner *learner, const PenstockOutputInfo &output,
                                                    const float *values, const Batch &batch) const {
  const std::int64_t records = batch.view.records;
  TaggedRecords tagged;
  const PenstockValueType &type = *output.type;
  const bool onAxis = type.rows == PENSTOCK_ROWS_AXIS;
  if (onAxis) {
    PENSTOCK_ASSIGN(tagged, taggedRecords(batch, type.axis));
  }
  PENSTOCK_ASSIGN(std::vector<std::string> texts,
                  learner != nullptr
                      ? learner->answer(values, records, type.width)
                      : decodeAnswers(*plugins, answer->decoder, jsonText(answer->parameters), held.config.classesOf(*answer), values,
                                      records, type.width, onAxis ? &tagged.view : nullptr));
  if (texts.size() != static_cast<std::size_t>(records)) {
    return internalError("the plugin `" + answer->decoder + "` answered " + std::to_string(texts.size()) + " of " +
                         std::to_string(records) + " records");
  }
  return texts;
}

} // namespace penstock
