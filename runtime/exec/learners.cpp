#include "runtime/exec/learners.h"

#include "runtime/base/file.h"
#include "runtime/base/hash.h"
#include "runtime/exec/evaluate.h"
#include "runtime/exec/interrupt.h"

#include <vector>

namespace penstock {

namespace {

std::string stateFile(const std::string &answer) { return answer + learnerEnding; }

struct Fitting {
  const AnswerSpec *answer = nullptr;
  int output = -1;
  std::int64_t width = 0;
  std::unique_ptr<LearnerFit> fit;
};

} // namespace

Status fitLearners(Program &program, const std::shared_ptr<const Dataset> &train, const RunConfig &config, PluginHost &host,
                   FittedFolder &fitted) {
  const int entry = program.entry("predict");
  std::vector<Fitting> learners;
  for (const AnswerSpec &answer : config.answers) {
    if (!answer.learner) {
      continue;
    }
    const int output = entry < 0 ? -1 : answerOutput(program.table().entries[entry], answer.name);
    if (output < 0) {
      return internalError("the compiled program has no output for the answer `" + answer.name + "`; please report this");
    }
    Fitting one = {&answer, output, program.table().entries[entry].outputs[output].type->width, nullptr};
    PENSTOCK_ASSIGN(one.fit, fitLearner(host, answer.decoder, jsonText(answer.parameters), one.width));
    if (one.fit != nullptr) {
      learners.push_back(std::move(one));
    }
  }
  if (learners.empty()) {
    return Status::success();
  }
  PENSTOCK_TRY(program.pack());
  BatchStream::Plan plan;
  plan.batch = 64;
  PENSTOCK_ASSIGN(const std::unique_ptr<BatchStream> stream, BatchStream::start(train, plan));
  PENSTOCK_ASSIGN(const std::unique_ptr<TextReader> reader, TextReader::open(config.records, "train"));
  OutputBuffers outputs;
  outputs.prepare(program.table().entries[entry], plan.batch);
  std::vector<std::int64_t> rows;
  std::vector<std::string> texts;
  std::vector<PenstockString> views;
  for (;;) {
    if (interrupted()) {
      return {ErrorCode::interrupted, "interrupted"};
    }
    PENSTOCK_ASSIGN(const Batch *const batch, stream->next());
    if (batch == nullptr) {
      break;
    }
    Program::Step step;
    step.batch = &batch->view;
    step.outputs = outputs.addresses();
    step.seed = config.train.seed;
    PENSTOCK_TRY(program.run(entry, step));
    const auto count = static_cast<std::size_t>(batch->view.records);
    rows.resize(count);
    texts.resize(count);
    views.resize(count);
    for (std::size_t i = 0; i < count; ++i) {
      PENSTOCK_ASSIGN(const bool more, reader->next(texts[i], rows[i]));
      if (!more) {
        return environmentError("the data of train changed while the run was made; train again");
      }
      views[i] = {texts[i].data(), texts[i].size()};
    }
    for (const Fitting &one : learners) {
      PenstockFitRecords records{};
      records.struct_size = sizeof(records);
      records.records = batch->view.records;
      records.width = one.width;
      records.values = outputs.values(one.output);
      records.rows = rows.data();
      records.texts = views.data();
      PENSTOCK_TRY(one.fit->add(records));
    }
  }
  for (const Fitting &one : learners) {
    PENSTOCK_ASSIGN(const std::string state, one.fit->end());
    const std::string name = stateFile(one.answer->name);
    PENSTOCK_TRY(writeFileAtomically(fitted.path + "/" + name, state));
    fitted.hashes[name] = hash64Hex(state);
  }
  return Status::success();
}

Result<std::unique_ptr<const Learner>> openLearner(const AnswerSpec &answer, PluginHost &host, const FittedFolder &fitted) {
  PENSTOCK_ASSIGN(const PluginManifest *const manifest, host.manifest(answer.decoder, PluginKind::learner));
  std::string state;
  if (manifest->fits) {
    PENSTOCK_ASSIGN(state, readFittedFile(fitted, stateFile(answer.name)));
  }
  return makeLearner(host, answer.decoder, jsonText(answer.parameters), state);
}

} // namespace penstock
