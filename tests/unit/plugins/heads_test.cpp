// What heads add to a model, seen by a builder that only writes it down, and what they make of answers.
#include "plugin_fixture.h"
#include "printed.h"

#include <nlohmann/json.hpp>

#include <cmath>

namespace penstock {
namespace {

/// Node 1 is the input, node 2 the target; each new node is one more.
struct Recorder {
  std::int64_t width = 7;
  bool sequence = false;
  int failAt = -1;
  std::vector<std::string> lines;
  PenstockNode next = 3, answer = 0, loss = 0;
  PenstockGraphBuilder builder{};

  Recorder() {
    builder.struct_size = sizeof builder;
    builder.context = this;
    builder.op = [](void *context, PenstockString name, const PenstockNode *operands, std::int32_t operandCount,
                    const PenstockTable *attributes) {
      std::string line(name.data, name.size);
      for (std::int32_t i = 0; i < operandCount; ++i) {
        line += " %" + std::to_string(operands[i]);
      }
      for (std::int32_t i = 0; i < attributes->count; ++i) {
        const auto &a = *static_cast<const PenstockValue *>(penstock_table_row(attributes, i));
        line += " " + std::string(a.name.data, a.name.size) + "=";
        if (a.kind == PENSTOCK_VALUE_NUMBERS) {
          for (std::int64_t k = 0; k < a.count; ++k) {
            line += (k ? "," : "") + std::to_string(a.numbers[k]);
          }
        } else {
          line += std::to_string(a.kind == PENSTOCK_VALUE_FLOAT ? a.number : static_cast<double>(a.integer));
        }
      }
      return static_cast<Recorder *>(context)->add(line);
    };
    builder.parameter = [](void *context, const PenstockTensorSpec *spec) { return tensor(context, "parameter ", *spec); };
    builder.state = [](void *context, const PenstockTensorSpec *spec) { return tensor(context, "state ", *spec); };
    builder.update = [](void *, PenstockNode, PenstockNode) -> std::int32_t { return 0; };
    builder.describe = [](void *context, PenstockNode, PenstockValueType *type, PenstockTable *) -> std::int32_t {
      const auto &self = *static_cast<const Recorder *>(context);
      *type = {type->struct_size, self.sequence ? PENSTOCK_ROWS_AXIS : PENSTOCK_ROWS_RECORDS, self.sequence ? 0 : -1, PENSTOCK_F32, 0,
               self.width};
      return 0;
    };
    builder.answer = [](void *context, PenstockNode node) -> std::int32_t {
      static_cast<Recorder *>(context)->answer = node;
      return 0;
    };
    builder.loss = [](void *context, PenstockNode items, PenstockNode) -> std::int32_t {
      static_cast<Recorder *>(context)->loss = items;
      return 0;
    };
    builder.fail = [](void *, PenstockString) {};
  }
  static PenstockNode tensor(void *context, std::string line, const PenstockTensorSpec &spec) {
    line += std::string(spec.name.data, spec.name.size) + " [";
    for (std::int32_t i = 0; i < spec.rank; ++i) {
      line += (i ? "," : "") + std::to_string(spec.shape[i]);
    }
    return static_cast<Recorder *>(context)->add(line + "] init=" + std::to_string(spec.initializer) +
                                                 " scale=" + std::to_string(spec.scale) + " decays=" + std::to_string(spec.decays));
  }
  PenstockNode add(std::string line) {
    if (failAt == static_cast<int>(lines.size())) {
      return 0;
    }
    lines.push_back(std::move(line));
    return next++;
  }
};

class HeadsTest : public PluginTest {
protected:
  /// The target of a head of the tree.
  ColumnField targetOf(const std::string &plugin, const std::vector<std::string> &names) {
    const auto manifest = host->manifest(plugin, PluginKind::head);
    EXPECT_TRUE(manifest.ok());
    return targetField("target", (*manifest)->targets[0], names);
  }
  /// `classes` without names, as a model is built.
  bool build(const std::string &plugin, const std::string &parameters, Recorder &recorder, PenstockNode target, std::int64_t classes) {
    ColumnField field = targetOf(plugin, {});
    field.classCount = field.trained = classes;
    const auto head = makeHead(*host, plugin, parameters, &field);
    const Status done = head.ok() ? (*head)->build(recorder.builder, 1, target) : head.status();
    message = done.message();
    return done.ok();
  }
  /// What the head makes of an answer, a text a record.
  Result<std::vector<std::string>> decode(const std::string &plugin, const std::string &parameters, const std::vector<std::string> &names,
                                          const float *answer, std::int64_t records, std::int64_t width,
                                          const PenstockWords *words = nullptr, const std::int32_t *offsets = nullptr) {
    const ColumnField field = targetOf(plugin, names);
    PENSTOCK_ASSIGN(const std::unique_ptr<const Head> head, makeHead(*host, plugin, parameters, &field));
    PenstockDecodeBatch batch{};
    batch.struct_size = sizeof batch;
    batch.records = records;
    batch.rows = offsets == nullptr ? records : offsets[records];
    batch.width = width;
    batch.values = answer;
    batch.offsets = offsets;
    batch.words = words;
    std::vector<Column> columns = columnsOf(head->schema());
    PENSTOCK_TRY(head->decode(batch, columns));
    std::vector<std::string> texts;
    for (std::int64_t i = 0; i < records; ++i) {
      texts.push_back(printed(head->schema(), columns, i));
    }
    return texts;
  }
  std::string message;
};

TEST_F(HeadsTest, ClassifyBuilds) {
  Recorder recorder;
  ASSERT_TRUE(build("classify", "", recorder, 2, 3)) << message;
  const std::string scale = std::to_string(1 / std::sqrt(7.0));
  EXPECT_EQ(recorder.lines, (std::vector<std::string>{"parameter weight [7,3] init=2 scale=" + scale + " decays=1",
                                                      "parameter bias [3] init=2 scale=" + scale + " decays=0", "linear %1 %3 %4",
                                                      "softmax %5", "cross_entropy %5 %2 label_smoothing=0.000000 class_weights="}));
  EXPECT_EQ(recorder.answer, 6u);
  EXPECT_EQ(recorder.loss, 7u);

  Recorder other;
  ASSERT_TRUE(build("classify", R"({"bias": false, "label_smoothing": 0.25, "class_weights": [1, 2, 0.5]})", other, 2, 3));
  EXPECT_EQ(other.lines[1], "linear %1 %3");
  EXPECT_EQ(other.lines[3], "cross_entropy %4 %2 label_smoothing=0.250000 class_weights=1.000000,2.000000,0.500000");
}

TEST_F(HeadsTest, MultiLabelBuilds) {
  Recorder recorder;
  ASSERT_TRUE(build("multi_label", R"({"positive_weights": [1, 4, 2]})", recorder, 2, 3)) << message;
  const std::string scale = std::to_string(1 / std::sqrt(7.0));
  EXPECT_EQ(recorder.lines,
            (std::vector<std::string>{"parameter weight [7,3] init=2 scale=" + scale + " decays=1",
                                      "parameter bias [3] init=2 scale=" + scale + " decays=0", "linear %1 %3 %4", "sigmoid %5",
                                      "sigmoid_cross_entropy %5 %2 positive_weights=1.000000,4.000000,2.000000"}));
  EXPECT_FALSE(build("multi_label", R"({"positive_weights": [1, 4]})", recorder, 2, 3));
  EXPECT_NE(message.find("3 labels"), std::string::npos) << message;
}

TEST_F(HeadsTest, MultiLabelAnswers) {
  const std::vector<float> rows = {0.5F, 0.25F, 0.75F, 0.125F, 0.25F, 0.375F};
  const auto answers = decode("multi_label", "", {"a", "b b", "c"}, rows.data(), 2, 3);
  ASSERT_TRUE(answers.ok()) << answers.status().message();
  EXPECT_EQ(answers->at(0), R"({"labels": ["a", "c"], "probabilities": {"a": 0.5, "b b": 0.25, "c": 0.75}})");
  EXPECT_EQ(answers->at(1), R"({"labels": [], "probabilities": {"a": 0.125, "b b": 0.25, "c": 0.375}})");
  const auto lower = decode("multi_label", R"({"threshold": 0.25})", {"a", "b b", "c"}, rows.data() + 3, 1, 3);
  EXPECT_EQ(nlohmann::json::parse(lower->at(0))["labels"], nlohmann::json({"b b", "c"}));
}

TEST_F(HeadsTest, WithoutTargetThereIsNoLoss) {
  for (const auto &[plugin, classes] : {std::pair("classify", 2), std::pair("multi_label", 2), std::pair("regress", 0)}) {
    Recorder recorder;
    ASSERT_TRUE(build(plugin, "", recorder, 0, classes)) << message;
    EXPECT_NE(recorder.answer, 0u);
    EXPECT_EQ(recorder.loss, 0u);
  }
}

TEST_F(HeadsTest, RegressBuilds) {
  Recorder recorder;
  ASSERT_TRUE(build("regress", "", recorder, 2, 0)) << message;
  EXPECT_EQ(recorder.lines.back(), "mse %5 %2");
  EXPECT_EQ(recorder.answer, 5u);
  EXPECT_EQ(recorder.loss, 6u);
}

TEST_F(HeadsTest, TagBuilds) {
  Recorder recorder;
  recorder.sequence = true;
  ASSERT_TRUE(build("tag", "", recorder, 2, 5)) << message;
  const std::string scale = std::to_string(1 / std::sqrt(7.0));
  EXPECT_EQ(recorder.lines, (std::vector<std::string>{"parameter weight [7,5] init=2 scale=" + scale + " decays=1",
                                                      "parameter bias [5] init=2 scale=" + scale + " decays=0", "linear %1 %3 %4",
                                                      "softmax %5", "cross_entropy %5 %2"}));
  Recorder field;
  field.sequence = true;
  ASSERT_TRUE(build("tag", R"({"crf": true, "bias": false})", field, 2, 5)) << message;
  EXPECT_EQ(field.lines[2], "parameter transitions [35] init=2 scale=0.100000 decays=0");
  EXPECT_EQ(field.lines[3], "crf_decode %4 %5");
  EXPECT_EQ(field.lines[4], "crf_loss %4 %2 %5");
  Recorder pooled;
  EXPECT_FALSE(build("tag", "", pooled, 2, 5));
  EXPECT_NE(message.find("leave out the pooling"), std::string::npos) << message;
}

TEST_F(HeadsTest, TagDecodesWordsAndPlaces) {
  // Two records: words of a text, the last of which the model did not see, and a list. Five rows, one of them inside a word.
  const std::string text = "h\u00f6he \u6cf5 x ende";
  const auto at = [&](std::size_t begin, std::size_t size) { return PenstockString{text.data() + begin, size}; };
  const std::vector<PenstockString> words = {at(0, 5), at(6, 3), at(10, 1), at(12, 4), {"a b", 3}, {"c", 1}};
  const std::vector<PenstockString> texts = {{text.data(), text.size()}, {nullptr, 0}};
  const std::int32_t rowOffsets[] = {0, 4, 6}, rowWord[] = {0, -1, 1, 2, 0, 1};
  const std::int64_t wordOffsets[] = {0, 4, 6}, starts[] = {0, 6, 10, 12, -1, -1};
  const std::vector<std::string> tags = {"B-x", "I-x", "I-y", "O"};
  const float answer[] = {0.9F, 0.1F, 0, 0, 0, 0, 0, 1, 0.2F, 0.8F, 0, 0, 0, 0, 0, 1, 0, 0, 0.7F, 0.3F, 0, 0, 0.6F, 0.4F};
  const PenstockWords records{sizeof(PenstockWords), wordOffsets, rowWord, words.data(), texts.data(), starts};
  const auto decoded = decode("tag", "", tags, answer, 2, 4, &records, rowOffsets);
  ASSERT_TRUE(decoded.ok()) << decoded.status().message();
  const auto first = nlohmann::json::parse((*decoded)[0]), second = nlohmann::json::parse((*decoded)[1]);
  EXPECT_EQ(first["tags"], nlohmann::json({"B-x", "I-x", "O", nullptr}));
  EXPECT_EQ(first["entities"], nlohmann::json::parse(R"([{"type": "x", "start": 0, "end": 2, "text": "h\u00f6he \u6cf5", "bytes": [0, 9],
                                                         "characters": [0, 6], "confidence": 0.8}])"));
  EXPECT_EQ(second["tags"], nlohmann::json({"I-y", "I-y"}));
  EXPECT_EQ(second["entities"], nlohmann::json::parse(R"([{"type": "y", "start": 0, "end": 2, "text": "a b c", "confidence": 0.6}])"));
  // Tags that are no chunks have no entities.
  const auto labels = decode("tag", "", {"NN", "VB", "X", "O"}, answer, 2, 4, &records, rowOffsets);
  EXPECT_FALSE(nlohmann::json::parse((*labels)[0]).contains("entities"));
  EXPECT_FALSE(decode("tag", "", {"O"}, answer, 2, 4, &records, rowOffsets).ok());
  EXPECT_FALSE(decode("tag", "", tags, answer, 2, 4).ok());
}

TEST_F(HeadsTest, Refuse) {
  Recorder sequence;
  sequence.sequence = true;
  EXPECT_FALSE(build("classify", "", sequence, 2, 3));
  EXPECT_NE(message.find("write the pooling"), std::string::npos) << message;
  EXPECT_FALSE(build("regress", "", sequence, 2, 0));
  Recorder recorder;
  EXPECT_FALSE(build("classify", "", recorder, 2, 0));
  EXPECT_NE(message.find("`regress`"), std::string::npos) << message;
  EXPECT_FALSE(build("regress", "", recorder, 2, 3));
  EXPECT_FALSE(build("classify", R"({"class_weights": [1]})", recorder, 2, 3));
  EXPECT_NE(message.find("1 numbers, the target has 3 classes"), std::string::npos) << message;
  for (int step = 0; step < 5; ++step) { // the compiler refuses at any step
    Recorder failing;
    failing.failAt = step;
    EXPECT_FALSE(build("classify", "", failing, 2, 3)) << step;
  }
}

TEST_F(HeadsTest, Decode) {
  const float answer[] = {0.25F, 0.75F, 0.5F, 0.5F, 1, 0};
  const auto texts = decode("classify", "", {"no \"quote\"", "y\u00e9s\n"}, answer, 3, 2);
  ASSERT_TRUE(texts.ok()) << texts.status().message();
  ASSERT_EQ(texts->size(), 3u);
  const auto first = nlohmann::json::parse((*texts)[0]);
  EXPECT_EQ(first["label"], "y\u00e9s\n");
  EXPECT_EQ(first["confidence"], 0.75);
  EXPECT_EQ(first["probabilities"]["no \"quote\""], 0.25);
  EXPECT_EQ(nlohmann::json::parse((*texts)[1])["label"], "no \"quote\""); // the first of equals
  const auto number = decode("regress", "", {}, answer, 6, 1);
  ASSERT_TRUE(number.ok());
  EXPECT_EQ((*number)[1], R"({"value": 0.75})");
  EXPECT_TRUE(decode("regress", "", {}, answer, 0, 1)->empty());
  EXPECT_FALSE(decode("classify", "", {"a", "b", "c"}, answer, 1, 2).ok());
  const auto one = decode("classify", "", {"a", "b"}, answer + 1, 1, 1); // the probability of the second
  EXPECT_EQ(one->at(0), R"({"label": "b", "confidence": 0.75, "probabilities": {"a": 0.25, "b": 0.75}})");
}

} // namespace
} // namespace penstock
