#include "runtime/exec/learners.h"

#include "runtime/base/file.h"
#include "runtime/base/hash.h"
#include "runtime/base/program_rows.h"
#include "runtime/exec/answers.h"
#include "runtime/exec/interrupt.h"
#include "runtime/exec/output_buffers.h"
#include "runtime/exec/target_columns.h"

#include <algorithm>
#include <vector>

namespace penstock {

namespace {

struct Fitting {
  const Fit *what = nullptr;
  int output = -1;
  std::unique_ptr<LearnerFit> fit;
  std::unique_ptr<TargetColumn> target; // NULL where it takes none
  std::vector<Column> targets;          // its values of a batch
};

} // namespace

Status fitLearners(Session &session, const std::shared_ptr<const Dataset> &train, const RunConfig &config, const std::vector<Fit> &fits,
                   PluginHost &host, FittedFolder &fitted, const RecordsSeen &seen) {
  const int entry = session.model().entry("predict");
  std::vector<Fitting> learners;
  bool keepsRecords = false; // some learner is shown texts
  for (const AnswerSpec &answer : config.answers) {
    if (!answer.learner) {
      continue;
    }
    const int output = entry < 0 ? -1 : answerOutput(entriesOf(session.model().table())[entry], answer.name);
    if (output < 0) {
      return internalError("the compiled program has no output for the answer `" + answer.name + "`; please report this");
    }
    const std::int64_t width = outputsOf(entriesOf(session.model().table())[entry])[output].type->width;
    Fitting one;
    if (!answer.target.empty()) {
      one.target = std::make_unique<TargetColumn>(answer, *train);
      one.targets.emplace_back(one.target->field());
    }
    const LearningSpec learning = {width, one.target == nullptr ? Schema() : Schema{one.target->field()}};
    PENSTOCK_ASSIGN(one.fit, fitLearner(host, answer.decoder, jsonText(answer.parameters), learning));
    const auto listed =
        std::find_if(fits.begin(), fits.end(), [&](const Fit &one) { return one.time == FitTime::weights && one.name == answer.name; });
    if ((one.fit != nullptr) != (listed != fits.end())) {
      return internalError("the list of what the run fits disagrees with the learner of `" + answer.name + "`; please report this");
    }
    if (one.fit != nullptr) {
      PENSTOCK_ASSIGN(const PluginManifest *const manifest, host.manifest(answer.decoder, PluginKind::learner));
      keepsRecords = keepsRecords || manifest->keepsRecords;
      one.what = &*listed;
      one.output = output;
      learners.push_back(std::move(one));
    }
  }
  if (learners.empty()) {
    return Status::success();
  }
  BatchStream::Plan plan;
  plan.batch = 64;
  plan.seed = config.train.seed;
  PENSTOCK_ASSIGN(const std::unique_ptr<BatchStream> stream, BatchStream::start(train, plan));
  std::unique_ptr<TextReader> reader;
  if (keepsRecords) {
    PENSTOCK_ASSIGN(reader, TextReader::open(config.records, "train", host));
  }
  OutputBuffers outputs;
  std::vector<std::int64_t> rows;
  std::vector<std::string> texts;
  std::vector<PenstockString> views;
  std::int64_t done = 0;
  for (;;) {
    if (interrupted()) {
      return {ErrorCode::interrupted, "interrupted"};
    }
    PENSTOCK_ASSIGN(const Batch *const batch, stream->next());
    if (batch == nullptr) {
      break;
    }
    Session::Step step;
    step.batch = &batch->view;
    step.seed = config.train.seed;
    PENSTOCK_TRY(session.run(entry, step, &outputs));
    const auto count = static_cast<std::size_t>(batch->view.records);
    rows.resize(count);
    texts.resize(count);
    views.resize(count);
    for (std::size_t i = 0; reader != nullptr && i < count; ++i) {
      PENSTOCK_ASSIGN(const bool more, reader->next(texts[i], rows[i]));
      if (!more) {
        return environmentError("the data of train changed while the run was made; train again");
      }
      views[i] = {texts[i].data(), texts[i].size()};
    }
    for (Fitting &one : learners) {
      if (one.target != nullptr) {
        one.target->read(batch->records, one.targets[0]);
      }
      const bool shown = reader != nullptr;
      PENSTOCK_TRY(one.fit->add({batch->view.records, outputs.values(one.output), shown ? rows.data() : nullptr,
                                 shown ? views.data() : nullptr, &one.targets, nullptr}));
    }
    done += batch->view.records;
    seen(done);
  }
  for (const Fitting &one : learners) {
    PENSTOCK_ASSIGN(const std::string state, one.fit->end());
    PENSTOCK_TRY(writeFileAtomically(fitted.path + "/" + one.what->file, state));
    fitted.hashes[one.what->file] = hash64Hex(state);
  }
  return Status::success();
}

Result<std::unique_ptr<const Learner>> openLearner(const AnswerSpec &answer, const LearningSpec &learning, PluginHost &host,
                                                   const FittedFolder &fitted) {
  PENSTOCK_ASSIGN(const PluginManifest *const manifest, host.manifest(answer.decoder, PluginKind::learner));
  std::string state;
  if (manifest->fits) {
    PENSTOCK_ASSIGN(state, readFittedFile(fitted, learnerFile(answer.name)));
  }
  return makeLearner(host, answer.decoder, jsonText(answer.parameters), learning, state);
}

} // namespace penstock
