#include "runtime/exec/answers.h"

#include "runtime/base/program_rows.h"
#include "runtime/exec/decisions.h"
#include "runtime/exec/learners.h"
#include "runtime/exec/target_columns.h"

#include <algorithm>
#include <type_traits>
#include <variant>

namespace penstock {

namespace {

/// The words of a batch, as many a record as it has; those of a dataset's batch have no text.
Status findWords(const Batch &batch, int axis, const Dataset::Tags &tags, AnswerWords &made) {
  made.offsets.clear();
  made.words.clear();
  made.texts.clear();
  made.starts.clear();
  if (batch.view.axes[axis].row_word == nullptr) {
    return internalError("an answer with a row a token lies on an axis that is not cut from words; please report this");
  }
  if (tags.offsets != nullptr) {
    made.offsets.push_back(0);
    for (const std::int64_t record : batch.records) {
      made.offsets.push_back(made.offsets.back() + tags.offsets[record + 1] - tags.offsets[record]);
    }
    return {};
  }
  if (static_cast<std::size_t>(axis) >= batch.words.size()) {
    return internalError("an answer with a row a token lies on an axis without words; please report this");
  }
  const BatchWords &given = batch.words[static_cast<std::size_t>(axis)];
  made.offsets = given.offsets;
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
  return {};
}

/// Leads what means a number back to the column of the target.
void invertNumbers(const Schema &schema, const std::function<double(double)> &inverse, std::vector<Column> &columns) {
  for (std::size_t i = 0; i < schema.size(); ++i) {
    invertNumbers(schema[i].fields, inverse, columns[i].children);
    if (schema[i].meaning == "number") {
      std::visit(
          [&]<typename Held>(Held &values) {
            if constexpr (std::is_same_v<Held, std::vector<float>> || std::is_same_v<Held, std::vector<double>>) {
              for (auto &value : values) {
                value = static_cast<typename Held::value_type>(inverse(static_cast<double>(value)));
              }
            }
          },
          columns[i].values);
    }
  }
}

} // namespace

LearningSpec learningOf(const AnswerSpec &answer, std::int64_t width, std::vector<std::string> classes) {
  LearningSpec made;
  made.width = width;
  if (!answer.target.empty()) {
    made.targets.push_back(targetFieldOf(answer, std::move(classes)));
  }
  return made;
}

Result<Answer> Answer::open(const AnswerSpec &spec, const PenstockEntry &entry, std::vector<std::string> classes, PluginHost &host,
                            const FittedFolder *fitted) {
  Answer made;
  made.described = &spec;
  made.output = answerOutput(entry, spec.name);
  if (made.output < 0) {
    return internalError("the compiled program has no output for the answer `" + spec.name + "`; please report this");
  }
  made.type = outputsOf(entry)[made.output].type;
  if (spec.learner) {
    if (fitted == nullptr) {
      return internalError("the learner of `" + spec.name + "` is not fitted yet; please report this");
    }
    PENSTOCK_ASSIGN(made.learner, openLearner(spec, learningOf(spec, made.type->width, std::move(classes)), host, *fitted));
    return made;
  }
  const ColumnField target = targetFieldOf(spec, std::move(classes));
  PENSTOCK_ASSIGN(const std::string parameters, headParameters(spec, fitted));
  PENSTOCK_ASSIGN(made.head, makeHead(host, spec.decoder, parameters, spec.target.empty() ? nullptr : &target));
  return made;
}

Status Answer::decode(const Batch &batch, const OutputBuffers &outputs, const std::vector<std::uint8_t> &wanted, const Dataset::Tags &tags,
                      std::vector<Column> &columns, AnswerWords &words) const {
  for (Column &column : columns) {
    column.clear();
  }
  const float *const values = outputs.values(output);
  if (learner != nullptr) {
    return learner->answer(values, batch.view.records, columns);
  }
  PenstockDecodeBatch given{};
  given.struct_size = sizeof given;
  given.records = batch.view.records;
  given.rows = penstock_rows_of(type, &batch.view);
  given.width = type->width;
  given.values = values;
  given.wanted = wanted.empty() ? nullptr : wanted.data();
  PenstockWords view{};
  if (type->rows == PENSTOCK_ROWS_AXIS) {
    PENSTOCK_TRY(findWords(batch, type->axis, tags, words));
    const bool texts = tags.offsets == nullptr;
    view = {sizeof view,
            words.offsets.data(),
            batch.view.axes[type->axis].row_word,
            texts ? words.words.data() : nullptr,
            texts ? words.texts.data() : nullptr,
            texts ? words.starts.data() : nullptr};
    given.words = &view;
    given.offsets = batch.view.axes[type->axis].offsets;
  }
  PENSTOCK_TRY(head->decode(given, columns));
  if (inverse) {
    invertNumbers(head->schema(), inverse, columns);
  }
  return {};
}

} // namespace penstock
