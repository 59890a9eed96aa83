#include "runtime/exec/predictor.h"

#include "runtime/base/printable.h"
#include "runtime/base/program_rows.h"
#include "runtime/data/record_reader.h"
#include "runtime/exec/interrupt.h"
#include "runtime/exec/printers.h"

#include <algorithm>

namespace penstock {

Result<std::unique_ptr<const Predictor>> Predictor::open(const RunConfig &config, const FittedFolder &fitted, PluginHost &host,
                                                         const Model &model) {
  std::unique_ptr<Predictor> made(new Predictor(config));
  made->entry = model.entry("predict");
  if (made->entry < 0) {
    return internalError("the compiled program has no `predict`; please report this");
  }
  const PenstockEntry &table = entriesOf(model.table())[made->entry];
  for (const AnswerSpec &spec : config.answers) {
    PENSTOCK_ASSIGN(Answer answer, Answer::open(spec, table, config.classesOf(spec), host, &fitted));
    if (!spec.feature.empty()) {
      PENSTOCK_ASSIGN(auto inverse, inverseOf(config.records, fitted, spec.feature));
      answer.invertBy(std::move(inverse));
    }
    made->bound.push_back(std::move(answer));
  }
  if (made->bound.empty()) {
    return invalidInput("this pipeline has no answer to predict");
  }
  PENSTOCK_ASSIGN(made->ready, readyRecords(config.records, fitted, host));
  return std::unique_ptr<const Predictor>(std::move(made));
}

RecordInput Predictor::knowing(RecordInput input) const {
  input.seed = config.train.seed;
  input.standing = config.deploy.input;
  return input;
}

Result<std::unique_ptr<AnsweredRecords>> AnsweredRecords::open(const Predictor &predictor, Session &session, RecordInput input) {
  std::unique_ptr<AnsweredRecords> made(new AnsweredRecords(predictor, session));
  for (const Answer &answer : predictor.bound) {
    made->decoded.push_back(columnsOf(answer.schema()));
  }
  PENSTOCK_ASSIGN(made->reader, RecordReader::open(predictor.ready, predictor.knowing(std::move(input))));
  return made;
}

Result<const RecordReader::Part *> AnsweredRecords::next(std::int64_t limit) {
  PENSTOCK_ASSIGN(const RecordReader::Part *const part, reader->next(limit));
  if (part != nullptr && part->batch != nullptr) {
    Session::Step step;
    step.batch = &part->batch->view;
    step.seed = predictor.config.train.seed;
    PENSTOCK_TRY(session.run(predictor.entry, step, &outputs));
    for (std::size_t i = 0; i < predictor.bound.size(); ++i) {
      PENSTOCK_TRY(predictor.bound[i].decode(*part->batch, outputs, {}, {}, decoded[i], words));
    }
  }
  return part;
}

namespace {

/// A line has each name once.
Status checkNames(const std::vector<std::string> &with, std::vector<std::string> taken) {
  for (const std::string &name : with) {
    if (std::find(taken.begin(), taken.end(), name) != taken.end()) {
      return usageError("`--with` asks for the column `" + printable(name, 60) +
                        "`, and the lines of answers have that name already; rename the column in the input, or leave it out");
    }
    taken.push_back(name);
  }
  return {};
}

Status writeAnswers(AnsweredRecords &answered, const Printer &printer, const PredictRequest &request, PredictSummary &summary) {
  if (const std::string header = printer.header(); !header.empty() && !request.line(header)) {
    return {};
  }
  std::string text;
  for (;;) {
    if (interrupted()) {
      return {ErrorCode::interrupted, "interrupted"};
    }
    PENSTOCK_ASSIGN(const RecordReader::Part *const part, answered.next(request.batch));
    if (part == nullptr) {
      summary.remark = answered.remark();
      return {};
    }
    auto failure = part->failures.begin();
    for (std::size_t i = 0; i <= part->records.size(); ++i) {
      for (; failure != part->failures.end() && (i == part->records.size() || failure->record < part->records[i]); ++failure) {
        summary.firstFailure = summary.failed++ == 0 ? failure->text : summary.firstFailure;
        if (!request.line(printer.failure(*failure)) || request.strict) {
          return {};
        }
      }
      if (i < part->records.size()) {
        text.clear();
        PENSTOCK_TRY(printer.record(*part, static_cast<std::int64_t>(i), text));
        ++summary.answered;
        if (!request.line(text)) {
          return {};
        }
      }
    }
  }
}

} // namespace

Status Predictor::predict(Session &session, PredictRequest request, PredictSummary &summary) const {
  const std::vector<std::string> with = request.input.with;
  request.input.echoes = true;
  PENSTOCK_ASSIGN(const std::unique_ptr<AnsweredRecords> answered, AnsweredRecords::open(*this, session, std::move(request.input)));
  std::vector<PrintedAnswer> printed;
  for (std::size_t i = 0; i < bound.size(); ++i) {
    printed.push_back({bound[i].spec().name, &bound[i].schema(), &answered->columns()[i]});
  }
  const bool csv = request.format == AnswerFormat::csv || (request.format == AnswerFormat::standing && config.deploy.output == "csv");
  std::unique_ptr<const Printer> printer;
  if (request.format == AnswerFormat::conll) {
    const auto words = std::find_if(ready->program.axes.begin(), ready->program.axes.end(), [&](int feature) {
      return feature != seriesAxis && ready->program.features[static_cast<std::size_t>(feature)].cutFromWords;
    });
    PENSTOCK_ASSIGN(printer, conllPrinter(std::move(printed), static_cast<std::size_t>(words - ready->program.axes.begin())));
  } else {
    PrintedInput input = {with, answered->echoed()};
    printer = csv ? csvPrinter(std::move(printed), config.records.series.any(), std::move(input))
                  : jsonPrinter(std::move(printed), std::move(input));
  }
  PENSTOCK_TRY(checkNames(with, printer->names()));
  const Status done = writeAnswers(*answered, *printer, request, summary);
  summary.statistics = answered->statistics();
  return done;
}

} // namespace penstock
