#include "runtime/exec/trained_run.h"

#include "runtime/exec/files.h"
#include "runtime/exec/interrupt.h"
#include "runtime/exec/learners.h"

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
    return environmentError("`" + weights + "` is damaged: it is not there" + again);
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
  PENSTOCK_ASSIGN(run->pool, ThreadPool::create(static_cast<int>(run->held.config.threads)));
  PENSTOCK_ASSIGN(const ProgramFile program, run->programFile(recompile));
  PENSTOCK_ASSIGN(run->compiled, Program::open(program, *run->pool));
  const auto opened = SafetensorsFile::open(weights, run->held.weightsHash);
  if (!opened.ok()) {
    return environmentError(opened.status().message() + again);
  }
  const std::shared_ptr<const SafetensorsFile> &file = *opened;
  PENSTOCK_TRY(run->compiled->load(TensorClass::parameter, *file));
  PENSTOCK_TRY(run->compiled->load(TensorClass::fitted, *file));
  PENSTOCK_TRY(run->compiled->pack());
  return run;
}

Result<ProgramFile> TrainedRun::programFile(const Recompile &recompile) {
  const std::string path = folder + "/program.so";
  Result<ProgramFile> kept = ProgramFile::read(path);
  if (kept.ok() && kept->hash() == held.programHash) {
    return kept;
  }
  const std::string damaged = kept.ok() ? "`" + path + "` is damaged: it is not the program of this run" : kept.status().message();
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
  options.threads = threads();
  PENSTOCK_ASSIGN(const std::shared_ptr<const Dataset> dataset, Dataset::open(held.config.recordProgram, split, *plugins, options));
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

Status TrainedRun::predict(std::istream &input, const std::string &inputName, const std::string &format, std::int64_t batch,
                           const std::function<bool(const std::string &)> &line) {
  RecordReader::Format kind = RecordReader::Format::lines;
  if (format == "csv") {
    kind = RecordReader::Format::csv;
  } else if (format == "jsonl") {
    kind = RecordReader::Format::jsonl;
  }
  const int entry = compiled->entry("predict");
  if (entry < 0) {
    return internalError("the compiled program has no `predict`; please report this");
  }
  const PenstockEntry &table = compiled->table().entries[entry];
  struct Head {
    const AnswerSpec *answer;
    int output;
    std::unique_ptr<const Learner> learner; // or NULL: the plugin of the head decodes
  };
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
  PENSTOCK_ASSIGN(const std::unique_ptr<RecordReader> reader,
                  RecordReader::open(held.config.recordProgram, fitted(), *plugins, kind, input, inputName));
  OutputBuffers outputs;
  for (;;) {
    if (interrupted()) {
      return {ErrorCode::interrupted, "interrupted"};
    }
    PENSTOCK_ASSIGN(const Batch *const current, reader->next(batch));
    if (current == nullptr) {
      return {};
    }
    outputs.prepare(table, current->view);
    Program::Step step;
    step.batch = &current->view;
    step.outputs = outputs.addresses();
    step.seed = held.config.train.seed;
    PENSTOCK_TRY(compiled->run(entry, step));
    std::vector<std::vector<std::string>> answers;
    for (const Head &head : heads) {
      const PenstockOutputInfo &output = table.outputs[head.output];
      const float *values = outputs.values(head.output);
      TaggedRecords tagged;
      if (output.rows == PENSTOCK_OUTPUT_AXIS) {
        PENSTOCK_ASSIGN(tagged, taggedRecords(*current, output.axis));
      }
      PENSTOCK_ASSIGN(std::vector<std::string> texts, head.learner != nullptr
                                                          ? head.learner->answer(values, current->view.records, output.width)
                                                          : decodeAnswers(*plugins, head.answer->decoder, head.answer->parameters,
                                                                          head.answer->classes, values, current->view.records, output.width,
                                                                          output.rows == PENSTOCK_OUTPUT_AXIS ? &tagged.view : nullptr));
      if (texts.size() != static_cast<std::size_t>(current->view.records)) {
        return internalError("the plugin `" + head.answer->decoder + "` answered " + std::to_string(texts.size()) + " of " +
                             std::to_string(current->view.records) + " records");
      }
      answers.push_back(std::move(texts));
    }
    for (std::size_t i = 0; i < answers[0].size(); ++i) {
      std::string text = answers[0][i];
      if (heads.size() > 1) {
        text = "{";
        for (std::size_t j = 0; j < heads.size(); ++j) {
          text += (j > 0 ? ", " : "") + nlohmann::json(heads[j].answer->name).dump() + ": " + answers[j][i];
        }
        text += "}";
      }
      if (!line(text)) {
        return {};
      }
    }
  }
}

} // namespace penstock
