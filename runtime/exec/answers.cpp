#include "runtime/exec/answers.h"

#include "runtime/exec/learners.h"

#include <nlohmann/json.hpp>

namespace penstock {

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

Result<Answers> Answers::open(const PenstockEntry &entry, const RunConfig &config, PluginHost &host, const FittedFolder &fitted) {
  Answers made(entry, config, host);
  for (const AnswerSpec &answer : config.answers) {
    const int output = answerOutput(entry, answer.name);
    if (output < 0) {
      return internalError("the compiled program has no output for the answer `" + answer.name + "`; please report this");
    }
    made.heads.push_back({&answer, output, nullptr, {}});
    if (answer.learner) {
      PENSTOCK_ASSIGN(made.heads.back().learner, openLearner(answer, host, fitted));
    }
  }
  if (made.heads.empty()) {
    return invalidInput("this pipeline has no answer to predict");
  }
  return made;
}

Status Answers::decode(const Batch &batch, const OutputBuffers &outputs) {
  for (Head &head : heads) {
    PENSTOCK_ASSIGN(head.texts, textsOf(head, batch, outputs.values(head.output)));
  }
  return {};
}

Result<std::vector<std::string>> Answers::textsOf(const Head &head, const Batch &batch, const float *values) const {
  const std::int64_t records = batch.view.records;
  TaggedRecords tagged;
  const PenstockValueType &type = *entry->outputs[head.output].type;
  const bool onAxis = type.rows == PENSTOCK_ROWS_AXIS;
  if (onAxis) {
    PENSTOCK_ASSIGN(tagged, taggedRecords(batch, type.axis));
  }
  PENSTOCK_ASSIGN(std::vector<std::string> texts,
                  head.learner != nullptr
                      ? head.learner->answer(values, records, type.width)
                      : decodeAnswers(*host, head.answer->decoder, jsonText(head.answer->parameters), config->classesOf(*head.answer),
                                      values, records, type.width, onAxis ? &tagged.view : nullptr));
  if (texts.size() != static_cast<std::size_t>(records)) {
    return internalError("the plugin `" + head.answer->decoder + "` answered " + std::to_string(texts.size()) + " of " +
                         std::to_string(records) + " records");
  }
  return texts;
}

std::string Answers::line(std::size_t index, std::int64_t record) const {
  std::string text = "{\"row\": " + std::to_string(record);
  if (heads.size() == 1) {
    const std::string_view answer = heads[0].texts[index];
    const std::size_t first = answer.find_first_not_of(" \t\n\r");
    if (first == std::string_view::npos || answer[first] != '{') {
      return text + ", \"answer\": " + std::string(answer) + "}";
    }
    const std::size_t inside = answer.find_first_not_of(" \t\n\r", first + 1);
    return text + (inside == std::string_view::npos || answer[inside] == '}' ? "" : ", ") + std::string(answer.substr(first + 1));
  }
  for (const Head &head : heads) {
    text += ", " + nlohmann::json(head.answer->name).dump() + ": " + head.texts[index];
  }
  return text + "}";
}

std::string failureLine(const RecordReader::Failure &failure) {
  return "{\"row\": " + std::to_string(failure.record) +
         ", \"error\": " + nlohmann::json(failure.text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "}";
}

} // namespace penstock
