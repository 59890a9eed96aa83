// What answers raw records with a model that is ready: of a run and of an artifact alike.
#pragma once

#include "runtime/base/status.h"
#include "runtime/data/dataset.h"
#include "runtime/exec/answers.h"
#include "runtime/exec/output_buffers.h"
#include "runtime/exec/run_config.h"
#include "runtime/exec/session.h"
#include "runtime/plugin/plugin_host.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace penstock {

/// What became of the records of predict.
struct PredictSummary {
  std::int64_t answered = 0, failed = 0;
  std::string firstFailure; // as its record's `error` says
  std::string remark;       // what a person should know; "" is nothing
  std::string statistics;   // RecordReader::statistics
};

/// How `predict` writes answers (printers.h): `standing` is what `deploy { output }` of the pipeline says, else json.
enum class AnswerFormat { json, csv, conll, standing };

/// Records to answer, and where the lines of answers go.
struct PredictRequest {
  RecordInput input;
  std::int64_t batch = 1; // bounds the records in memory
  AnswerFormat format = AnswerFormat::json;
  bool strict = false;                           // whether the first record without an answer ends it
  std::function<bool(const std::string &)> line; // false: nobody reads on
};

/// Read by any number of threads, each with a session of its model.
class Predictor {
public:
  /// The configuration, the host and the model outlive it.
  static Result<std::unique_ptr<const Predictor>> open(const RunConfig &config, const FittedFolder &fitted, PluginHost &host,
                                                       const Model &model);

  const std::vector<Answer> &answers() const { return bound; }
  const ReadyRecords &records() const { return *ready; }
  /// The input, with what the pipeline says of all.
  RecordInput knowing(RecordInput input) const;

  /// Records of the input become lines, one a record and in order, handed to `line` as they are ready: its number from 1 as `row`, the
  /// columns that the input hands on, and the answer of the pipeline's head, or, of several heads, the answers by name; or an `error` that
  /// says why there is none; names and gold of the records stand behind it (printers.h). CSV has a line of names before them. Ends early
  /// where `line` gives false or at Ctrl-C. A failure comes when all records before it are answered; `summary` is of these, then as well.
  Status predict(Session &session, PredictRequest request, PredictSummary &summary) const;

private:
  friend class AnsweredRecords;
  explicit Predictor(const RunConfig &config) : config(config) {}

  const RunConfig &config;
  std::shared_ptr<const ReadyRecords> ready;
  std::vector<Answer> bound;
  int entry = -1;
};

/// Records of an input with their answers, some at a time. Used by one thread.
class AnsweredRecords {
public:
  /// The predictor and the session outlive it.
  static Result<std::unique_ptr<AnsweredRecords>> open(const Predictor &predictor, Session &session, RecordInput input);

  /// The next records, at most `limit`, and those that have no answer; NULL at the end. Errors as of RecordReader::next.
  Result<const RecordReader::Part *> next(std::int64_t limit);
  /// Of each answer its columns, with a row for each of Part::records.
  const std::vector<std::vector<Column>> &columns() const { return decoded; }
  const RecordReader::Echoed &echoed() const { return reader->echoed(); }
  std::string remark() const { return reader->remark(); }
  std::string statistics() const { return reader->statistics(); }

private:
  AnsweredRecords(const Predictor &predictor, Session &session) : predictor(predictor), session(session) {}

  const Predictor &predictor;
  Session &session;
  std::unique_ptr<RecordReader> reader;
  OutputBuffers outputs;
  std::vector<std::vector<Column>> decoded;
  AnswerWords words; // of one answer
};

} // namespace penstock
