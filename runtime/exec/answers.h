// What a run answers: outputs of its program become typed answers of records, and lines of JSON.
#pragma once

#include "runtime/base/status.h"
#include "runtime/data/dataset.h"
#include "runtime/exec/output_buffers.h"
#include "runtime/exec/run_config.h"
#include "runtime/plugin/plugin_host.h"

#include <memory>
#include <string>
#include <vector>

namespace penstock {

/// All answers of a pipeline, bound to the outputs of an entry.
class Answers {
public:
  /// There is at least one, or the error says that the pipeline has none.
  static Result<Answers> open(const PenstockEntry &entry, const RunConfig &config, PluginHost &host, const FittedFolder &fitted);

  /// Decodes what the entry gave for the records of a batch.
  Status decode(const Batch &batch, const OutputBuffers &outputs);
  /// `{"row": N, ...}`: what was decoded last of the record at `index` of its batch, whose number is `record`.
  std::string line(std::size_t index, std::int64_t record) const;

private:
  /// An answer of the pipeline and how it is decoded.
  struct Head {
    const AnswerSpec *answer;
    int output;
    std::unique_ptr<const Learner> learner; // or NULL: the plugin of the head decodes
    std::vector<std::string> texts;         // of each record of the batch
  };
  Answers(const PenstockEntry &entry, const RunConfig &config, PluginHost &host) : entry(&entry), config(&config), host(&host) {}
  Result<std::vector<std::string>> textsOf(const Head &head, const Batch &batch, const float *values) const;

  const PenstockEntry *entry;
  const RunConfig *config;
  PluginHost *host;
  std::vector<Head> heads;
};

/// The line of a record that has no answer.
std::string failureLine(const RecordReader::Failure &failure);

} // namespace penstock
