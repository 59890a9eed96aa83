// What a run answers: outputs of its program become columns of typed answers. The head or learner of an answer decides alone (the largest,
// a threshold, words to spans), for evaluate and predict alike.
#pragma once

#include "runtime/base/status.h"
#include "runtime/data/dataset.h"
#include "runtime/exec/output_buffers.h"
#include "runtime/exec/run_config.h"
#include "runtime/plugin/plugin_host.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace penstock {

/// Where the words of a batch's records lie: texts are there for records to predict only.
struct AnswerWords {
  std::vector<std::int64_t> offsets; // records + 1
  std::vector<PenstockString> words, texts;
  std::vector<std::int64_t> starts;
};

/// An answer of the pipeline, bound once to its plugin and to the output of an entry.
class Answer {
public:
  /// `classes` are those of its target in train. `fitted` is NULL where fits of time `weights` are not made yet: the answer cannot be of a
  /// learner then, and a head decides by its defaults in place of what is fitted.
  static Result<Answer> open(const AnswerSpec &spec, const PenstockEntry &entry, std::vector<std::string> classes, PluginHost &host,
                             const FittedFolder *fitted);

  const AnswerSpec &spec() const { return *described; }
  /// Of what it is, in words: "the head `classify`".
  std::string plugin() const { return std::string(head != nullptr ? "the head `" : "the learner `") + described->decoder + "`"; }
  const Schema &schema() const { return head != nullptr ? head->schema() : learner->schema(); }
  /// What flows into the learner; empty of a head.
  Schema features() const { return head != nullptr ? Schema() : Schema{vectorField(type->width)}; }
  /// Decodes what the entry gave for the records of a batch into `columns`, which are of the schema. `wanted` is one a field, or empty:
  /// all. `tags`: those of the batch's dataset, of which words are counted where the batch does not have them. The memory of `words` is
  /// used again.
  Status decode(const Batch &batch, const OutputBuffers &outputs, const std::vector<std::uint8_t> &wanted, const Dataset::Tags &tags,
                std::vector<Column> &columns, AnswerWords &words) const;
  /// What leads the numbers of a head's answer back to the column of its target, where operators stand on that.
  void invertBy(std::function<double(double)> back) { inverse = std::move(back); }
  /// The vectors of a batch, a row a record.
  const float *vectors(const OutputBuffers &outputs) const { return outputs.values(output); }

private:
  const AnswerSpec *described = nullptr;
  const PenstockValueType *type = nullptr;
  int output = -1;
  std::unique_ptr<const Head> head; // or
  std::unique_ptr<const Learner> learner;
  std::function<double(double)> inverse; // or none
};

/// What learners of a pipeline are bound to.
LearningSpec learningOf(const AnswerSpec &answer, std::int64_t width, std::vector<std::string> classes);

} // namespace penstock
